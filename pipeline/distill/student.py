"""The student: from hard labels and soft targets, and again from hard labels alone."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.arrays import open_split
from ..flow import Made
from ..models import deployed, parameters
from ..models.weights import WEIGHTS, save
from ..progress import Progress
from ..recipe import Architecture, Schedule, Soft
from ..records import DataRecord, ModelRecord, TargetsRecord
from ..store import file_sha256
from . import losses
from .loop import Loss, fit, hard_labels
from .targets import LOGITS


def learn(
    out: Path,
    progress: Progress,
    *,
    architecture: Architecture,
    schedule: Schedule,
    soft: Soft | None = None,
    targets: Made[TargetsRecord] | None = None,
    data: Made[DataRecord],
    seed: int,
) -> ModelRecord:
    """Train one student.

    Args:
        out: ``weights.safetensors`` goes here.
        progress: told of each step.
        architecture: of the student.
        schedule: the same with and without soft targets, so that the two can be compared.
        soft: the soft losses and their weights; None trains without the teacher.
        targets: the targets stage's output; None trains without the teacher.
        data: the data stage's output.
        seed: of the first weights and the batch order.
    """
    torch.manual_seed(seed)
    model = deployed(architecture.model, architecture.width, data.record)
    distilled = soft is not None and targets is not None
    loss: Loss = hard_labels
    if soft is not None and targets is not None:
        loss = _soft_loss(np.load(targets.path / LOGITS, mmap_mode="r"), soft)
    fitted = fit(
        model,
        open_split(data.path, "train"),
        open_split(data.path, "validation"),
        schedule,
        loss,
        seed=seed,
        progress=progress,
        what=f"student {architecture.model} {'distilled' if distilled else 'plain'}, seed {seed}",
    )
    save(model, out / WEIGHTS)
    return ModelRecord(
        model=architecture.model,
        width=architecture.width,
        parameters=parameters(model),
        seed=seed,
        distilled=distilled,
        origin="trained",
        curve=fitted.curve,
        best_epoch=fitted.best.epoch,
        validation_accuracy=fitted.best.validation_accuracy,
        weights_sha256=file_sha256(out / WEIGHTS),
    )


def _soft_loss(stored: NDArray[Any], soft: Soft) -> Loss:
    def loss(logits: torch.Tensor, labels: torch.Tensor, rows: NDArray[np.int64]) -> torch.Tensor:
        return losses.distillation(logits, labels, torch.from_numpy(stored[rows]), soft)

    return loss
