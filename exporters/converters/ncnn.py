"""Torch programs into ncnn's ``.param`` and ``.bin``, by pnnx.

pnnx calls blobs ``in0`` and ``out0`` and writes no shapes. Here they get the names of our other
files, and the shape of a sample stands in the Input layer, whose parameters it is by ncnn's format.
"""

import logging
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ncnn
import numpy as np
import pnnx
import torch
from numpy.typing import NDArray

from .ncnn_masks import with_masks_as_numbers
from .ncnn_strides import with_steps_as_pools
from .protocol import Request, each, serve
from .samples import queries_of

_AXES = {1: ("0",), 2: ("1", "0"), 3: ("2", "1", "0"), 4: ("2", "11", "1", "0")}
"""The Input layer's parameters for the extents of a sample, by their number."""


_TYPES = {np.dtype(np.float32): "f32", np.dtype(np.int32): "i32"}
"""pnnx's names of the types that it takes; int32 are token ids."""
_RAW = "raw"
"""The output as pnnx shapes it."""


def convert(folder: Path, request: Request) -> dict[str, Any]:
    """Make the files of each model, and run them once."""
    query = queries_of(folder, 1)[0]
    gives: dict[str, tuple[int, ...]] = {}
    if query.dtype not in _TYPES:
        why = f"ncnn takes float32 and int32, and the model takes {query.dtype}"
        refused = {str(model["name"]): why for model in request["models"]}
    else:

        def one(model: Request) -> None:
            gives[model["name"]] = _convert(model, folder=folder, query=query, request=request)

        refused = each(request["models"], one)
    return {"refused": refused, "gives": gives, "by": f"pnnx {version('pnnx')}"}


def _convert(
    model: Request, *, folder: Path, query: NDArray[Any], request: Request
) -> tuple[int, ...]:
    """Make the files of a model, and run them once; the shape of the output."""
    program = torch.export.load(str(folder / model["program"]))
    example, target = torch.from_numpy(query), Path(model["target"])
    module = with_steps_as_pools(with_masks_as_numbers(program.module(check_guards=False)))
    trace: Any = torch.jit.trace  # it has no types
    with tempfile.TemporaryDirectory(dir=folder) as work, torch.no_grad():
        trace(module, example, check_trace=False).save(str(Path(work) / "m.pt"))
        shape = ",".join(map(str, query.shape))
        half = int(model["scheme"] == "float16-weights")
        kind = _TYPES[query.dtype]
        words = [pnnx.EXEC_PATH, "m.pt", f"inputshape=[{shape}]{kind}", f"fp16={half}"]
        subprocess.run(words, cwd=work, check=True, stdin=subprocess.DEVNULL)
        text = (Path(work) / "m.ncnn.param").read_text(encoding="utf-8")
        weights = (Path(work) / "m.ncnn.bin").read_bytes()
        expected = tuple(module(example).shape)
    named = _named(text, query.shape[1:], request["input"], _RAW)
    text = _shaped(named, expected[1:], request["output"])
    target.write_text(text, encoding="utf-8")
    target.with_suffix(".bin").write_bytes(weights)
    found = _answer(target, query, request["input"], request["output"])
    if (1, *found.shape) != expected:
        raise ValueError(f"ncnn answers in the shape {(1, *found.shape)}, torch in {expected}")
    return expected


def _named(text: str, sample: tuple[int, ...], source: str, target: str) -> str:
    """The ``.param`` with our names of its ends and the shape of its input."""
    names = {"in0": source, "out0": target}
    lines = text.splitlines()
    written = lines[:2]  # the magic number, and how many layers and blobs there are
    for line in lines[2:]:
        kind, name, inputs, outputs, *rest = line.split()
        blobs = int(inputs) + int(outputs)
        ends = [names.get(blob, blob) for blob in rest[:blobs]]
        facts = rest[blobs:]
        if kind == "Input":
            facts = [f"{k}={n}" for k, n in zip(_AXES[len(sample)], sample, strict=True)]
        written.append(" ".join((kind, name, inputs, outputs, *ends, *facts)))
    return "\n".join(written) + "\n"


def _shaped(text: str, shape: tuple[int, ...], target: str) -> str:
    """The ``.param`` with an output of torch's shape; pnnx may leave axes of 1 in front."""
    magic, numbers, *layers = text.splitlines()
    layer_number, blob_number = (int(number) + 1 for number in numbers.split())
    extents = " ".join(f"{k}={n}" for k, n in zip(_AXES[len(shape)], shape, strict=True))
    last = f"Reshape {target} 1 1 {_RAW} {target} {extents}"
    return "\n".join((magic, f"{layer_number} {blob_number}", *layers, last)) + "\n"


def _answer(path: Path, query: NDArray[Any], source: str, target: str) -> NDArray[Any]:
    """What the files answer to a sample.

    Raises:
        ValueError: ncnn cannot load or run them.
    """
    net = ncnn.Net()
    net.opt.num_threads = 1
    if net.load_param(str(path)) != 0 or net.load_model(str(path.with_suffix(".bin"))) != 0:
        raise ValueError("ncnn has not all of its operators")
    extractor = net.create_extractor()
    # A Mat over an array neither holds nor aligns it.
    extractor.input(source, ncnn.Mat(np.ascontiguousarray(query[0])).clone())
    code, found = extractor.extract(target)
    if code != 0:
        raise ValueError("ncnn cannot run it")
    return np.array(found)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(convert)
