"""The stages of a search besides those of a build."""

from ..engine.stage import Stage
from ..records import CostsRecord, ModelRecord
from .inputs import CostsInputs, UntrainedInputs

COSTS = Stage(
    "costs",
    "pipeline.search.untrained:weigh",
    CostsInputs,
    CostsRecord,
    libraries=("torch",),
)
UNTRAINED = Stage(
    "untrained",
    "pipeline.search.untrained:make_untrained",
    UntrainedInputs,
    ModelRecord,
    libraries=("torch", "safetensors"),
)
