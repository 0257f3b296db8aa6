"""The fresh process in which a teacher that nobody vouches for answers.

    python -m edgestill.pipeline.teachers.worker PARENT_PID MEMORY_LIMIT_BYTES

It reads messages of ``wire`` from stdin and answers each on what was stdout; stdout itself belongs
to whatever the runtime prints. A refusal is an answer too; only a crash is not.
"""

import os
import resource
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.machine.confine import confine
from ...devices.onboard.model.made_inputs import dtype_of
from ...devices.onboard.model.modelfile import Input
from ...devices.onboard.refusals import told
from ...devices.onboard.runtimes import load, row_of
from ...devices.onboard.runtimes.contract import LoadedModel
from ...devices.onboard.settings import Session
from ...errors import EdgestillError, ModelError
from ..isolation import wire

_MOST_WRITTEN = 1 << 24
"""Bytes: it writes nothing but its last words."""

Reply = tuple[dict[str, Any], list[NDArray[Any]]]


def main() -> int:
    """Answer until stdin ends."""
    parent, memory_limit_bytes = int(sys.argv[1]), int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    confine(parent, memory_limit_bytes)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_WRITTEN, _MOST_WRITTEN))
    serve(sys.stdin.buffer, answers, memory_limit_bytes)
    return 0


def serve(requests: BinaryIO, answers: BinaryIO, memory_limit_bytes: int) -> None:
    """One answer for each request, in order."""
    model = Path()
    loaded: LoadedModel | None = None
    while (request := wire.receive(requests)) is not None:
        arrays = [wire.array(requests, *one) for one in request["arrays"]]
        try:
            if request["do"] == "run" and loaded is not None:
                reply = _run(loaded, request, arrays)
            else:
                model = Path(request["model"])
                beside = [str(path) for path in row_of(model).files_beside(model)]
                reply = {"external": beside}, []
            if request["do"] == "open":
                loaded = load(model, Session(threads=request["threads"]))
                reply = _described(loaded), []
        except EdgestillError as error:
            reply = {"error": told(error)}, []
        except MemoryError:
            refusal = ModelError(
                f"a model that needs more than {memory_limit_bytes} bytes of memory",
                where=str(model),
                fix="ask it on a machine with more memory, and record its logits",
            )
            reply = {"error": told(refusal)}, []
        wire.send(answers, *reply)


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
            name: one if name in request["constant"] else one[start : start + step]
            for name, one in feed.items()
        }
        outputs = model.answer(part)
        shapes = shapes or [list(getattr(one, "shape", ())) or None for one in outputs]
        if request["want"] is not None:
            wanted.append(np.asarray(outputs[request["want"]], dtype=np.float32))
    return {"shapes": shapes}, [np.concatenate(wanted)] if wanted else []


if __name__ == "__main__":
    sys.exit(main())
