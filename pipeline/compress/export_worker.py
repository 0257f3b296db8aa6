"""The fresh process that reads a model of unknown origin to export it.

    python -m edgestill.pipeline.compress.export_worker PARENT_PID MEMORY_LIMIT_BYTES

It replies to requests as ``isolation.server`` describes: ``precision`` of a model, and ``package``
with a package of one format, or why there is none. It writes beside the model of the request.
"""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from onnx import TensorProto

from ...devices.onboard.model.modelfile import load as load_graph
from ...errors import ModelError
from ...exporters import EXPORTERS
from ...exporters.package import Finished, Job, NotCarried
from ..isolation import server
from ..isolation.server import Reply
from ..judge.steadiness import answers_alone

_HALF = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


def reply(request: dict[str, Any], _: list[NDArray[Any]]) -> Reply:
    """Read the model as the request says."""
    model = Path(request["model"])
    if request["do"] == "precision":
        return {"reduced": _is_reduced(model)}, []
    job = Job(model.parent, (Finished(model.stem, model),), request["cpu"])
    made = EXPORTERS[request["format"]](job)[model.stem]
    if isinstance(made, NotCarried):
        return {"reason": made.reason}, []
    return {"package": asdict(made)}, []


def _is_reduced(model: Path) -> bool:
    """Whether a file computes in int8, or has weights of fewer bits than float32."""
    if not answers_alone(model):
        return True
    graph = load_graph(model).graph
    blocked = any(node.op_type.endswith("NBits") for node in graph.node)
    return blocked or any(stored.data_type in _HALF for stored in graph.initializer)


def main() -> int:
    """Reply to requests until stdin ends."""
    return server.main(reply, _out_of_memory)


def _out_of_memory(limit_bytes: int) -> ModelError:
    return ModelError(
        f"a model that needs more than {limit_bytes} bytes of memory",
        fix="export it on a machine with more memory",
    )


if __name__ == "__main__":
    sys.exit(main())
