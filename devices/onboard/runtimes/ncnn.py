"""ncnn: `.param` files with their `.bin` on the CPU.

    model = load(Path("model.ncnn.param"), Session(threads=1))
    model.answer({"input": x})

A query is one sample: ncnn has no batch, so arrays have a first axis of 1 that it does not see.
An input is of floats, or of token ids in int32 where an Embed layer reads it: the file does not say
its type.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ncnn
import numpy as np

from ....errors import ModelError, no_file
from ..model.modelfile import Input
from ..settings import Session
from .contract import Arrays

NAME = "ncnn"
_FLOAT, _IDS = "tensor(float)", "tensor(int32)"


def version() -> str:
    """The version of the runtime that is loaded."""
    return str(ncnn.__version__)


def providers() -> tuple[str, ...]:
    """What computes: ncnn's own kernels, on the CPU."""
    return ("CPU",)


class NcnnModel:
    """A loaded net; see `contract.LoadedModel`."""

    providers = ("CPU",)

    def __init__(self, net: Any, path: Path) -> None:
        self._net, self._path = net, path
        shapes, ids = _shapes(path), _ids(path)
        self.inputs = tuple(
            Input(name, _IDS if name in ids else _FLOAT, shapes.get(name, (1, None, None, None)))
            for name in net.input_names()
        )
        """What it takes."""
        self.outputs = tuple(Input(name, _FLOAT, (1, None)) for name in net.output_names())
        """What it gives; the file does not say in which shape."""
        self.query = self._query_of()

    def answer(self, feed: Arrays) -> Sequence[Any]:
        """The outputs for one query, in the model's order.

        Raises:
            ModelError: ncnn cannot run it.
        """
        for port in self.inputs:
            found = np.shape(feed[port.name])
            fits = len(found) == len(port.shape) and all(
                fixed in (None, extent) for extent, fixed in zip(found, port.shape, strict=True)
            )
            # ncnn reads beyond the end of what is too small.
            if not fits:
                text = f"an input {port.name} of shape {found}"
                raise ModelError(text, expected=str(port.shape), where=str(self._path))
        try:
            return self.query(feed)
        except (RuntimeError, TypeError, ValueError, KeyError) as error:
            text = str(error).partition("\n")[0][:400]
            raise ModelError(f"a model that does not run ({text})", where=str(self._path)) from None

    def _query_of(self) -> Callable[[Arrays], Sequence[Any]]:
        """The call that is timed: arrays into ncnn's layout, the net, arrays of its outputs."""
        net, mat = self._net, ncnn.Mat
        inputs = [
            (port.name, np.int32 if port.type == _IDS else np.float32) for port in self.inputs
        ]
        outputs = [port.name for port in self.outputs]

        def query(feed: Arrays) -> Sequence[Any]:
            extractor = net.create_extractor()
            for name, kind in inputs:
                # A Mat over an array neither holds nor aligns it: a copy does.
                extractor.input(name, mat(np.ascontiguousarray(feed[name][0], kind)).clone())
            answers = []
            for name in outputs:
                code, found = extractor.extract(name)
                if code != 0:
                    raise RuntimeError(f"no output {name}: code {code}")
                # What is found lies in memory of the extractor.
                answers.append(np.array(found)[None])
            return answers

        return query


def load(path: Path, session: Session) -> NcnnModel:
    """Load a `.param` file with the `.bin` beside it.

    Raises:
        ModelError: a file is missing or ncnn cannot load it.
    """
    weights = path.with_suffix(".bin")
    for file in (path, weights):
        if not file.is_file():
            raise no_file(file, ModelError)
    net = ncnn.Net()
    net.opt.num_threads = session.threads
    for option in dir(net.opt):
        # Half floats where a CPU has them would be another model than the one that was verified.
        if option.startswith(("use_fp16", "use_bf16")):
            setattr(net.opt, option, False)
    if net.load_param(str(path)) != 0:
        raise ModelError(
            "a model that does not load (not ncnn's, or an operator that it has not)",
            where=str(path),
        )
    if net.load_model(str(weights)) != 0:
        raise ModelError("weights that do not load", where=str(weights))
    return NcnnModel(net, path)


def _ids(path: Path) -> set[str]:
    """The inputs that an Embed layer looks up in its table."""
    inputs: set[str] = set()
    source: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if len(words) < 5:
            continue
        # A layer: its type and name, how many blobs it reads and gives, and then those.
        kind, blob = words[0], words[4]
        if kind == "Input":
            source[blob] = blob
        elif kind == "Split" and blob in source:
            source |= dict.fromkeys(words[5:], source[blob])
        elif kind == "Embed" and blob in source:
            inputs.add(source[blob])
    return inputs


def _shapes(path: Path) -> dict[str, tuple[int | None, ...]]:
    """The shapes of inputs where their layers say it, with an axis of 1 in front."""
    shapes: dict[str, tuple[int | None, ...]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if words[:1] == ["Input"] and words[2:4] == ["0", "1"]:
            facts = dict(word.partition("=")[::2] for word in words[5:])
            # Channels, depth, height, width; what a tensor has fewer is left out or 0.
            extents = [int(facts.get(key, 0)) for key in ("2", "11", "1", "0")]
            if any(extents):
                shapes[words[4]] = (1, *(extent for extent in extents if extent > 0))
    return shapes
