"""Soft targets: the teacher's logits on train, computed once and stored in train order.

Logits, not probabilities, are stored: the temperature can change without asking the teacher again.
"""

from pathlib import Path

import numpy as np
import torch

from ...errors import ModelError
from ..data.arrays import create, open_split
from ..flow import Made
from ..models import deployed
from ..models.weights import WEIGHTS, restore
from ..progress import Progress
from ..records import DataRecord, ModelRecord, TargetsRecord
from .loop import EVALUATION_BATCH, logits_of

LOGITS = "logits.npy"


def ask(
    out: Path, progress: Progress, *, teacher: Made[ModelRecord], data: Made[DataRecord]
) -> TargetsRecord:
    """Run the teacher once over train.

    Args:
        out: ``logits.npy``, float32 [samples, classes], goes here.
        progress: told of each block.
        teacher: the teacher stage's output.
        data: the data stage's output.

    Raises:
        ModelError: a logit that is not finite, which would teach NaN.
    """
    model = deployed(teacher.record.model, teacher.record.width, data.record)
    restore(model, teacher.path / WEIGHTS)
    train = open_split(data.path, "train")
    shape = (len(train.y), data.record.classes)
    stored = create(out / LOGITS, np.float32, shape)
    right = 0
    with progress.steps("soft targets", -(-len(train.y) // EVALUATION_BATCH)) as steps:
        for logits, part in logits_of(model, train.x):
            if not torch.isfinite(logits).all():
                row = part.start + int((~torch.isfinite(logits)).any(1).nonzero()[0])
                raise ModelError(
                    found=f"logits of the teacher that are not finite, for row {row} of train",
                    where="targets",
                    fix="look for outliers in the data, or give data.mean and data.std",
                )
            stored[part] = logits.numpy()
            right += int((stored[part].argmax(1) == train.y[part]).sum())
            steps.advance()
    return TargetsRecord(
        rows=len(train.y), classes=data.record.classes, train_accuracy=right / len(train.y)
    )
