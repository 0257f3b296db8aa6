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
from ...devices.onboard.model.modelfile import Input, check_external_data
from ...devices.onboard.refusals import told
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
    session: Any = None
    while (request := wire.receive(requests)) is not None:
        arrays = [wire.array(requests, *one) for one in request["arrays"]]
        try:
            if request["do"] == "run":
                reply = _run(session, model, request, arrays)
            else:
                model = Path(request["model"])
                external = [str(one) for one in check_external_data(model)]
                reply = {"external": external}, []
            if request["do"] == "open":
                session, described = _open(model, request["threads"])
                reply = described, []
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


def _open(path: Path, threads: int) -> tuple[Any, dict[str, Any]]:
    from ...devices.onboard.runtimes import onnxruntime as runtime

    session = runtime.open_session(path, Session(threads=threads))
    return session, {
        "inputs": [_described(one) for one in runtime.inputs_of(session)],
        "outputs": [_described(one) for one in runtime.outputs_of(session)],
    }


def _described(one: Input) -> dict[str, Any]:
    from ...devices.onboard.runtimes.onnxruntime import dtype_of

    try:
        dtype = dtype_of(one).str
    except EdgestillError:
        dtype = None
    return {"name": one.name, "type": one.type, "shape": list(one.shape), "dtype": dtype}


def _run(session: Any, model: Path, request: dict[str, Any], arrays: list[NDArray[Any]]) -> Reply:
    """Run in slices of ``batch`` samples (None: all at once).

    Answers the shapes of every output of the first slice, and the one that is wanted, whole.
    """
    from ...devices.onboard.runtimes.onnxruntime import run_once

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
        outputs = run_once(session, part, model)
        shapes = shapes or [list(getattr(one, "shape", ())) or None for one in outputs]
        if request["want"] is not None:
            wanted.append(np.asarray(outputs[request["want"]], dtype=np.float32))
    return {"shapes": shapes}, [np.concatenate(wanted)] if wanted else []


if __name__ == "__main__":
    sys.exit(main())
