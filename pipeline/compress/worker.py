"""The fresh process that compresses an untrusted model.

    python -m edgestill.pipeline.compress.worker PARENT_PID MEMORY_LIMIT_BYTES

It replies to requests as ``isolation.server`` describes: first the model, its calibration data and
the options, then one method a request. It writes into the folder of the request.
"""

import sys
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...errors import ModelError
from ..isolation import server
from ..isolation.server import Reply
from .foreign_model import ForeignModel


class Worker:
    """The model of this process; the first request opens it."""

    def __init__(self) -> None:
        self._model: ForeignModel | None = None

    def reply(self, request: dict[str, Any], _: list[NDArray[Any]]) -> Reply:
        """Open the model, or compress it by one method."""
        if self._model is not None:
            return self._model.compress(request["method"], Path(request["target"])), []
        self._model = ForeignModel.open(request)
        opened = self._model
        facts = {
            "samples": opened.samples,
            "labels": opened.labels is not None,
            "bytes": opened.bytes,
            "warnings": opened.warnings,
        }
        return facts, []


def main() -> int:
    """Reply to requests until stdin ends."""
    return server.main(Worker().reply, _out_of_memory)


def _out_of_memory(limit_bytes: int) -> ModelError:
    return ModelError(
        f"a model that needs more than {limit_bytes} bytes of memory",
        fix="quantize it on a machine with more memory",
    )


if __name__ == "__main__":
    sys.exit(main())
