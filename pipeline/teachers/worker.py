"""The process that runs a teacher from an ONNX file that is not trusted.

    python -m edgestill.pipeline.teachers.worker PARENT_PID MEMORY_LIMIT_BYTES

It replies to requests as ``isolation.server`` says.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.model import training_operators
from ...devices.onboard.model.made_inputs import dtype_of
from ...devices.onboard.model.modelfile import Input
from ...devices.onboard.runtimes import load, row_of
from ...devices.onboard.runtimes.contract import LoadedModel
from ...devices.onboard.settings import Session
from ...errors import EdgestillError, ModelError
from ..isolation import server
from ..isolation.server import Reply

_MOST_WRITTEN = 1 << 24
"""Bytes: it writes nothing but messages to stderr."""


class Teacher:
    """The model of this process, loaded by the request that asks for its schema."""

    def __init__(self) -> None:
        self._path = Path()
        self._model: LoadedModel | None = None

    def reply(self, request: dict[str, Any], arrays: list[NDArray[Any]]) -> Reply:
        """Run the model, name the files that it consists of, or load it and give its schema."""
        if request["do"] == "run" and self._model is not None:
            return _run(self._model, request, arrays)
        self._path = Path(request["model"])
        beside = [str(path) for path in row_of(self._path).files_beside(self._path)]
        if request["do"] != "open":
            return {"external": beside}, []
        self._model = load(self._path, Session(threads=request["threads"]))
        training_operators.check(self._path)
        return _described(self._model), []

    def out_of_memory(self, limit_bytes: int) -> ModelError:
        """The refusal of a request that needs more memory."""
        return ModelError(
            f"a model that needs more than {limit_bytes} bytes of memory",
            where=str(self._path),
            fix="run it on a machine with more memory, and record its logits",
        )


def main() -> int:
    """Answer requests until stdin ends."""
    teacher = Teacher()
    return server.main(teacher.reply, teacher.out_of_memory, _MOST_WRITTEN)


def _described(model: LoadedModel) -> dict[str, Any]:
    return {
        "inputs": [_port(port) for port in model.inputs],
        "outputs": [_port(port) for port in model.outputs],
    }


def _port(port: Input) -> dict[str, Any]:
    try:
        dtype = dtype_of(port).str
    except EdgestillError:
        dtype = None
    return {"name": port.name, "type": port.type, "shape": list(port.shape), "dtype": dtype}


def _run(model: LoadedModel, request: dict[str, Any], arrays: list[NDArray[Any]]) -> Reply:
    """Run in slices of ``batch`` samples (None: all at once).

    Answers the shapes of every output of the first slice, and the one that is wanted, whole.
    """
    feed = dict(zip(request["names"], arrays, strict=True))
    samples = request["samples"]
    step = request["batch"] or samples
    shapes: list[list[int] | None] = []
    wanted: list[NDArray[Any]] = []
    for start in range(0, samples, step):
        part = {
            name: array if name in request["constant"] else array[start : start + step]
            for name, array in feed.items()
        }
        outputs = model.answer(part)
        shapes = shapes or [list(getattr(output, "shape", ())) or None for output in outputs]
        if request["want"] is not None:
            wanted.append(np.asarray(outputs[request["want"]], dtype=np.float32))
    return {"shapes": shapes}, [np.concatenate(wanted)] if wanted else []


if __name__ == "__main__":
    sys.exit(main())
