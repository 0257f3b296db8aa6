"""Learning from labels: one loss a task, with smoothing, class weights and mixed samples."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..recipe.data import Task
from ..recipe.training import Schedule
from ..records import DataRecord
from .batches import Lesson

Loss = Callable[[torch.Tensor, Lesson], torch.Tensor]
"""``loss(outputs, lesson)``, a scalar."""
BySample = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""``by_sample(outputs, answers)``, [n]."""


def classification(
    outputs: torch.Tensor, answers: torch.Tensor, smoothing: float, weights: torch.Tensor | None
) -> torch.Tensor:
    """Cross-entropy of each sample, float [n].

    Label smoothing (Szegedy et al. 2016, §7) gives the share ``smoothing`` of the label to all
    classes alike. Weighted, each sample counts by the weight of its class.

    Args:
        outputs: logits, float [n, classes].
        answers: int64 [n].
        smoothing: 0 to 1.
        weights: of each class, float [classes]; None: all 1.
    """
    found = F.cross_entropy(outputs, answers, reduction="none", label_smoothing=smoothing)
    return found if weights is None else found * weights[answers]


def multi_label(
    outputs: torch.Tensor, answers: torch.Tensor, smoothing: float, weights: torch.Tensor | None
) -> torch.Tensor:
    """Binary cross-entropy, the mean over the labels of each sample, float [n].

    Smoothing moves each answer towards one half; the weight of a label counts where it is set.

    Args:
        outputs: logits, float [n, labels].
        answers: 0 or 1, float [n, labels].
        smoothing: 0 to 1.
        weights: of each label where it is set, float [labels]; None: all 1.
    """
    target = answers * (1.0 - smoothing) + 0.5 * smoothing
    loss = F.binary_cross_entropy_with_logits(outputs, target, reduction="none", pos_weight=weights)
    return loss.mean(1)


def squared_error(
    outputs: torch.Tensor, answers: torch.Tensor, deviations: torch.Tensor
) -> torch.Tensor:
    """Squared error in deviations of each number, the mean over the numbers of a sample, float [n].

    In its own units a number counted in thousands would drown the others.
    """
    return F.mse_loss(outputs / deviations, answers / deviations, reduction="none").mean(1)


def hard_labels(data: DataRecord, schedule: Schedule | None = None) -> Loss:
    """The loss of a task from its labels alone.

    With mixup (Zhang et al. 2018, eq. 2 in its form as a mixed loss) a sample's loss is that of its
    own answer and that of its partner's, by their shares.

    Args:
        data: task and class counts.
        schedule: smoothing and weights; None for neither, as on validation.
    """
    if data.task == "embedding":
        return lambda outputs, _: outputs.new_zeros(())
    by_sample = _by_sample(data, schedule)

    def loss(outputs: torch.Tensor, lesson: Lesson) -> torch.Tensor:
        found = by_sample(outputs, lesson.y)
        if lesson.share is not None and lesson.partners is not None:
            others = by_sample(outputs, lesson.partners)
            found = lesson.share * found + (1.0 - lesson.share) * others
        return found.mean()

    return loss


def _by_sample(data: DataRecord, schedule: Schedule | None) -> BySample:
    smoothing = schedule.label_smoothing if schedule else 0.0
    weights = _weights(data) if schedule and schedule.class_weights else None
    deviations = torch.tensor(data.answer_std)
    known: dict[Task, BySample] = {
        "classification": lambda z, y: classification(z, y, smoothing, weights),
        "multi-label": lambda z, y: multi_label(z, y, smoothing, weights),
        "regression": lambda z, y: squared_error(z, y, deviations),
    }
    return known[data.task]


def _weights(data: DataRecord) -> torch.Tensor:
    """What each class counts in train.

    Classes: the inverse of their share, so that the mean weight of a sample is 1. Labels of a
    multi-label task: how many times rarer they are set than not.
    """
    counts = np.maximum(np.asarray(data.counts["train"], np.float64), 1.0)
    rows = data.samples("train")
    found: NDArray[np.float64]
    if data.task == "multi-label":
        found = np.maximum(rows - counts, 1.0) / counts
    else:
        found = rows / (len(counts) * counts)
    return torch.from_numpy(found.astype(np.float32))
