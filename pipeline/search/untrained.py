"""Candidates before training: their costs, and one of them as a model that can be exported.

What a file takes of a device does not depend on its weights, so that none is trained to find out.
"""

from pathlib import Path

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from .. import tasks
from ..engine.stage import Made
from ..engine.store import file_sha256
from ..models import deployed, example, parameters
from ..models.deployed import Deployed
from ..models.macs import macs_of
from ..models.weights import WEIGHTS, save
from ..progress import Progress
from ..recipe.architecture import Architecture
from ..records import Cost, CostsRecord, DataRecord, ModelRecord, TargetsRecord
from .inputs import CostsInputs, UntrainedInputs

_SAMPLES = 2
_MOVED = 0.1
"""By so much at the most; variances stay positive."""


def weigh(out: Path, progress: Progress, inputs: CostsInputs) -> CostsRecord:
    """Count the parameters and the multiply-accumulates of each candidate.

    Args:
        out: nothing is kept there.
        progress: gets each candidate.
        inputs: of the costs stage.
    """
    del out
    costs = []
    data, outputs = inputs.data.record, _outputs(inputs.data.record, inputs.targets)
    with progress.steps("candidates", len(inputs.architectures)) as steps:
        for architecture in inputs.architectures:
            model = _made(architecture, data, outputs)
            cost = Cost(
                model=architecture.model,
                width=architecture.width,
                parameters=parameters(model),
                macs=macs_of(model, example(data, _SAMPLES)),
            )
            costs.append(cost)
            steps.advance(cost.name)
    return CostsRecord(costs=tuple(sorted(costs, key=lambda cost: (cost.macs, cost.parameters))))


def make_untrained(out: Path, progress: Progress, inputs: UntrainedInputs) -> ModelRecord:
    """Write a candidate with random weights, as a training would write it with its own.

    Args:
        out: ``weights.safetensors`` goes here.
        progress: gets nothing.
        inputs: of the untrained stage.
    """
    del progress
    data, architecture = inputs.data.record, inputs.architecture
    outputs = _outputs(data, inputs.targets)
    model = _made(architecture, data, outputs)
    _as_if_trained(model)
    save(model, out / WEIGHTS)
    return ModelRecord(
        model=architecture.model,
        width=architecture.width,
        arguments=architecture.arguments,
        outputs=outputs,
        parameters=parameters(model),
        seed=0,
        distilled=False,
        origin="untrained",
        curve=(),
        best_epoch=None,
        validation_score=0.0,
        weights_sha256=file_sha256(out / WEIGHTS),
    )


def _outputs(data: DataRecord, targets: Made[TargetsRecord] | None) -> int:
    """Numbers that a student gives for a sample."""
    own = tasks.of(data.task).outputs(data)
    if own is not None:
        return own
    assert targets is not None  # noqa: S101 - `budgeted.flow` asks the teacher first
    return targets.record.outputs


@torch.no_grad()
def _as_if_trained(model: torch.nn.Module) -> None:
    """Move what stands at 0 or 1 before a training, such as biases and what batch norm has seen.

    A converter leaves a bias of zeros out, and the file has fewer bytes and operators than it will
    have: 57,205 instead of 62,816 of a ResNet-8 of width 12 in int8.
    """
    random = torch.Generator().manual_seed(0)
    norms = (part for part in model.modules() if isinstance(part, _BatchNorm))
    seen = (tensor for norm in norms for tensor in norm.buffers() if tensor.is_floating_point())
    for tensor in (*model.parameters(), *seen):
        if tensor.numel() and bool((tensor == tensor.flatten()[0]).all()):
            tensor += _MOVED * torch.rand(tensor.shape, generator=random)


def _made(architecture: Architecture, data: DataRecord, outputs: int) -> Deployed:
    torch.manual_seed(0)
    return deployed(architecture, data, outputs).eval()
