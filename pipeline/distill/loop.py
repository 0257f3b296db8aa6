"""The one training loop: teacher, student with soft targets, student without.

Batches are drawn by index from memory maps; the order depends on the seed alone, so that a student
with and one without soft targets see the same batches from the same first weights.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ...errors import ModelError
from ..data.arrays import Arrays
from ..models.deployed import Deployed
from ..progress import Progress
from ..recipe import Schedule
from ..records import Epoch

Loss = Callable[[torch.Tensor, torch.Tensor, NDArray[np.int64]], torch.Tensor]
"""``loss(logits, labels, rows)``, where ``rows`` are the batch's places in train."""
EVALUATION_BATCH = 512


class Fitted(NamedTuple):
    """A model restored to its best epoch on validation, and its curve."""

    curve: tuple[Epoch, ...]
    best: Epoch


def hard_labels(logits: torch.Tensor, labels: torch.Tensor, _: NDArray[np.int64]) -> torch.Tensor:
    """Cross-entropy with the labels alone."""
    return F.cross_entropy(logits, labels)


def fit(
    model: Deployed,
    train: Arrays,
    validation: Arrays,
    schedule: Schedule,
    loss: Loss,
    *,
    seed: int,
    progress: Progress,
    what: str,
) -> Fitted:
    """Train, and leave the model at its best epoch on validation: accuracy, then loss.

    Raises:
        ModelError: the loss is no longer finite.
    """
    order = np.random.default_rng(seed)
    per_epoch = len(train.y) // schedule.batch_size
    total = schedule.epochs * per_epoch
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=schedule.learning_rate, total_steps=max(total, 2)
    )
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    curve: list[Epoch] = []
    best: Epoch | None = None
    kept: dict[str, torch.Tensor] = {}
    with progress.steps(what, total) as steps:
        said = ""
        for number in range(1, schedule.epochs + 1):
            began = time.monotonic()
            model.train()
            mean = 0.0
            for step, rows in enumerate(_batches(len(train.y), schedule.batch_size, order)):
                x, y = _batch(train, rows)
                value = loss(model(x), y, rows)
                optimizer.zero_grad(set_to_none=True)
                value.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                rates.step()
                found = _finite(value.item(), f"epoch {number}, step {step + 1}", what)
                mean += (found - mean) / (step + 1)
                steps.advance(f"loss {mean:.4f}{said}")
            validation_loss, accuracy = evaluate(model, validation)
            _finite(validation_loss, f"epoch {number}, on validation", what)
            said = f"  validation accuracy {accuracy:.4f}"
            epoch = Epoch(
                epoch=number,
                loss=mean,
                validation_loss=validation_loss,
                validation_accuracy=accuracy,
                seconds=time.monotonic() - began,
            )
            curve.append(epoch)
            if best is None or _merit(epoch) > _merit(best):
                best = epoch
                kept = {key: value.clone() for key, value in model.state_dict().items()}
    assert best is not None  # noqa: S101 - a schedule has at least one epoch
    model.load_state_dict(kept)
    progress.note(
        f"  {what}: best epoch {best.epoch}, accuracy {best.validation_accuracy:.4f} on validation"
    )
    return Fitted(tuple(curve), best)


def evaluate(model: Deployed, split: Arrays) -> tuple[float, float]:
    """Mean cross-entropy and accuracy over a split, the model in eval mode."""
    loss, right = 0.0, 0
    for logits, part in logits_of(model, split.x):
        labels = torch.from_numpy(split.y[part])
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        right += int((logits.argmax(1) == labels).sum())
    return loss / len(split.y), right / len(split.y)


@torch.no_grad()
def logits_of(model: Deployed, x: NDArray[Any]) -> Iterator[tuple[torch.Tensor, slice]]:
    """Logits of all samples in order, a block at a time, the model in eval mode."""
    model.eval()
    for start in range(0, len(x), EVALUATION_BATCH):
        part = slice(start, min(start + EVALUATION_BATCH, len(x)))
        yield model(torch.from_numpy(np.array(x[part]))), part


def _batches(rows: int, batch: int, order: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    shuffled = order.permutation(rows)
    for start in range(0, rows - batch + 1, batch):
        yield shuffled[start : start + batch]


def _batch(split: Arrays, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(split.x[rows]), torch.from_numpy(split.y[rows])


def _finite(value: float, when: str, what: str) -> float:
    if not np.isfinite(value):
        raise ModelError(
            found=f"a loss of {value} in {when}",
            expected="a finite loss",
            where=what,
            fix="lower learning_rate, or look for outliers in the data",
        )
    return value


def _merit(epoch: Epoch) -> tuple[float, float]:
    return epoch.validation_accuracy, -epoch.validation_loss
