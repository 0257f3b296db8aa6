"""The fresh process that compresses an untrusted model.

    python -m edgestill.pipeline.compress.worker PARENT_PID MEMORY_LIMIT_BYTES

It reads messages of ``wire`` from stdin: first the model, its calibration data and the options,
then one method a message. It writes into the folder of the request.
"""

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

from ...devices.onboard.machine.confine import confine
from ...devices.onboard.refusals import told
from ...errors import EdgestillError, ModelError
from ..isolation import wire
from .foreign_model import ForeignModel


def main() -> int:
    """Reply to requests until stdin ends."""
    parent, memory_limit_bytes = int(sys.argv[1]), int(sys.argv[2])
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    confine(parent, memory_limit_bytes)
    serve(sys.stdin.buffer, replies, memory_limit_bytes)
    return 0


def serve(requests: BinaryIO, replies: BinaryIO, memory_limit_bytes: int) -> None:
    """Send one reply for each request, in order; the first request opens the model."""
    model: ForeignModel | None = None
    while (request := wire.receive(requests)) is not None:
        try:
            if model is None:
                model = ForeignModel.open(request)
                reply: dict[str, Any] = {
                    "samples": model.samples,
                    "labels": model.labels is not None,
                }
            else:
                reply = model.compress(request["method"], Path(request["target"]))
        except EdgestillError as error:
            reply = {"error": told(error)}
        except MemoryError:
            refusal = ModelError(
                f"a model that needs more than {memory_limit_bytes} bytes of memory",
                fix="quantize it on a machine with more memory",
            )
            reply = {"error": told(refusal)}
        wire.send(replies, reply)


if __name__ == "__main__":
    sys.exit(main())
