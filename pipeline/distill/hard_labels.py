"""The loss from labels alone, of any task, with mixed samples."""

from collections.abc import Callable

import torch

from .. import tasks
from ..recipe.training import Schedule
from ..records import DataRecord
from .batches import Batch

Loss = Callable[[torch.Tensor, Batch], torch.Tensor]
"""``loss(outputs, batch)``, a scalar."""


def hard_labels(data: DataRecord, schedule: Schedule | None = None) -> Loss:
    """The loss of a task from its labels alone; 0 for a task without labels.

    With mixup (Zhang et al. 2018, eq. 2 in its form as a mixed loss) the loss of a sample is that
    of its own label and that of its partner's label, weighted by their shares. It is the mean over
    what has a label, 0 where nothing has.

    Args:
        data: task and class counts.
        schedule: smoothing and weights; None for neither, as on validation.
    """
    hard_loss = tasks.of(data.task).hard_loss
    if hard_loss is None:
        return lambda outputs, _: outputs.new_zeros(())
    by_sample = hard_loss(data, schedule)

    def loss(outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        losses = by_sample(outputs, batch.y)
        known = None if batch.labelled is None else batch.labelled.to(losses.dtype)
        if batch.share is not None and batch.partners is not None:
            of_own, of_partner = batch.share, 1.0 - batch.share
            if known is not None and batch.labelled_partners is not None:
                of_own, of_partner = of_own * known, of_partner * batch.labelled_partners
                known = of_own + of_partner
            losses = of_own * losses + of_partner * by_sample(outputs, batch.partners)
        elif known is not None:
            losses = known * losses
        if known is None:
            return losses.mean()
        return losses.sum() / known.sum().clamp_min(torch.finfo(losses.dtype).tiny)

    return loss
