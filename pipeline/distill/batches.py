"""Batches of training: rows in an order, one view of each, and their labels."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.arrays import Arrays
from ..data.checks import chunks
from ..engine.ranks import ALONE, Ranks
from ..recipe.augment import Augment
from ..records import DataRecord
from .views import Views

ViewOf = Callable[[int], int]
"""The view that an epoch (from 0) shows."""
_POOL = 64
"""Batches of text that are sorted by length together: enough of them that little is padded, few
enough that the order stays random."""
_MULTIPLE = 8
"""Text is cut to a multiple of this number of tokens, so that few shapes occur."""


class Batch(NamedTuple):
    """One batch.

    Attributes:
        x: samples as the model takes them, [n, *sample_shape]; of a training that several
            processes share, the own ones alone.
        y: their labels, [n] or [n, k]; [n, 0] where a task has none.
        rows: their places in train, int64 [n].
        view: which view of them this is.
        partners: with mixup, labels of the samples blended in.
        share: with mixup, the share of the own sample, float32 [n].
        labelled: which samples have a label, bool [n]; ``y`` means nothing for the others. None:
            all.
        labelled_partners: with mixup, the same of the samples blended in.
        ranks: the processes that share the batch.
    """

    x: torch.Tensor
    y: torch.Tensor
    rows: NDArray[np.int64]
    view: int
    partners: torch.Tensor | None = None
    share: torch.Tensor | None = None
    labelled: torch.Tensor | None = None
    labelled_partners: torch.Tensor | None = None
    ranks: Ranks = ALONE

    @property
    def own(self) -> slice:
        """Which of the samples ``x`` has."""
        return self.ranks.own(len(self.rows))

    def whole(self, part: torch.Tensor) -> torch.Tensor:
        """A tensor [n, ...] of all samples, from that of the own ones."""
        return self.ranks.gather(part, len(self.rows))

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        if device.type == "cpu":
            return self
        fields: tuple[Any, ...] = self
        return Batch._make(
            one.to(device) if isinstance(one, torch.Tensor) else one for one in fields
        )


class Batches:
    """Train as a sequence of batches, each a function of the seed, the epoch and its place.

    Args:
        data: the data stage's record.
        train: its train split, unlabelled samples last or left out.
        augment: how samples are varied.
        seed: of the variation; students that share stored targets share it.
    """

    def __init__(self, data: DataRecord, train: Arrays, augment: Augment, seed: int) -> None:
        self.train = train
        floats = data.dtype == "float32"
        self.views = Views(
            train.x,
            augment,
            layout=data.layout,
            seed=seed,
            # A blank is the mean of what float features hold, and black in whole numbers.
            fill=np.asarray(data.mean, np.float32) if floats else 0,
            std=np.asarray(data.std, np.float32) if data.std else 1.0,
            pad=data.pad,
            hide=data.unknown,
        )
        self._pad = data.pad
        self._lengths = lengths_of(train.x, data.pad) if data.layout == "tokens" else None

    def __len__(self) -> int:
        return len(self.train.x)

    def order(self, batch: int, seed: int, epoch: int) -> NDArray[np.int64]:
        """Rows of each step of an epoch, int64 [steps, batch]; the rest waits for another epoch."""
        random = np.random.default_rng((seed, epoch))
        # Cut before it is sorted: otherwise it would always be the longest texts that wait.
        shuffled = random.permutation(len(self))[: len(self) // batch * batch]
        if self._lengths is None:
            return shuffled.reshape(-1, batch)
        steps = _by_length(shuffled, self._lengths, batch).reshape(-1, batch)
        return steps[random.permutation(len(steps))]

    def __call__(self, rows: NDArray[np.int64], view: int, ranks: Ranks = ALONE) -> Batch:
        """One view of some rows, as a batch.

        Args:
            rows: of train, int64 [n].
            view: which.
            ranks: the processes that share it: own samples are read, and the labels of all.
        """
        own = rows[ranks.own(len(rows))]
        x = torch.from_numpy(self._cut(self.views(own, view).x, rows))
        batch = Batch(
            x, self._answers(rows), rows, view, labelled=self._labelled(rows), ranks=ranks
        )
        mixed = self.views.mixed(rows, view)
        if mixed is None:
            return batch
        return batch._replace(
            partners=self._answers(mixed.partners),
            share=torch.from_numpy(mixed.share),
            labelled_partners=self._labelled(mixed.partners),
        )

    def _answers(self, rows: NDArray[np.int64]) -> torch.Tensor:
        """Labels of some rows; those of unlabelled ones are another row's and mean nothing."""
        return torch.from_numpy(self.train.y[rows % len(self.train.y)])

    def _labelled(self, rows: NDArray[np.int64]) -> torch.Tensor | None:
        if len(self.train.y) == len(self):
            return None
        return torch.from_numpy(rows < len(self.train.y))

    def _cut(self, x: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
        """Texts without the padding that all of the batch have; others as they are."""
        return x if self._lengths is None else _first(x, int(self._lengths[rows].max(initial=1)))


def lengths_of(x: NDArray[Any], pad: int) -> NDArray[np.int64]:
    """Tokens of each text before its padding, int64 [n]."""
    lengths = np.empty(len(x), np.int64)
    for part in chunks(len(x), x.shape[1]):
        lengths[part] = _lengths(x[part], pad)
    return lengths


def trimmed(x: NDArray[Any], pad: int) -> NDArray[Any]:
    """Texts without the padding that all of them have."""
    return _first(x, int(_lengths(x, pad).max(initial=1)))


def _first(x: NDArray[Any], tokens: int) -> NDArray[Any]:
    return np.array(x[:, : -(-tokens // _MULTIPLE) * _MULTIPLE])


def as_model_input(x: NDArray[Any], data: DataRecord) -> NDArray[Any]:
    """Samples in memory as a model takes them: texts without the padding that all of them have."""
    return trimmed(x, data.pad) if data.layout == "tokens" else np.array(x)


def _lengths(x: NDArray[Any], pad: int) -> NDArray[np.int64]:
    """The place behind the last token that is no padding."""
    words = x != pad
    return np.where(words.any(1), x.shape[1] - words[:, ::-1].argmax(1), 0)


def _by_length(
    shuffled: NDArray[np.int64], lengths: NDArray[np.int64], batch: int
) -> NDArray[np.int64]:
    """Rows sorted by length within pools of batches, so that a batch pads little."""
    pools = [shuffled[i : i + _POOL * batch] for i in range(0, len(shuffled), _POOL * batch)]
    return np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
