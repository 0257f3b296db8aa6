"""Every output of a model against the same output of the model that it was made from.

    >>> before = {"y": [np.float32([[1, 2], [3, 1]])]}
    >>> after = {"y": [np.float32([[1, 2], [1, 2]])]}
    >>> [(loss.measure, loss.changed, loss.rows) for loss in losses(before, after, [2])]
    [('classes', 1, 2)]

Each output has its own measure: classes where its last axis reads as logits, else numbers by their
error; integers, booleans and texts by equality; sequences and maps are not compared. Answers come
in batches, so that outputs without a batch axis, and ones whose shape depends on the samples, are
compared as well.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records import OutputLoss

Answers = Mapping[str, Sequence[Any]]
"""What a model answered: of each output, by name, what it gave to each batch."""

DESTROYED_SHARE = 0.5
"""More rows changed than this: the output is destroyed."""
DESTROYED_ERROR = 0.5
"""Error over spread from which numbers are destroyed: a quarter of their variance is then noise."""
_NO_BETTER_THAN_MEAN = 1.0
"""The same for classes, whose order may hold while their size does not."""
_CONSTANT = 1e-3
"""Spread over root mean square below which an output counts as the same for all samples."""
_CLASSES = re.compile(r"logit|prob|score|class|label|softmax", re.IGNORECASE)
_NO_CLASSES = re.compile(
    r"embed|hidden|feature|state|box|pool|coord|landmark|offset|anchor|mask|cache|latent",
    re.IGNORECASE,
)
_SUM_TOLERANCE = 1e-3


def losses(before: Answers, after: Answers, batches: Sequence[int]) -> tuple[OutputLoss, ...]:
    """The loss of each output that the source has, in its order.

    Args:
        before: of the source.
        after: of the model made from it.
        batches: the number of samples in each batch.
    """
    return tuple(
        _loss(name, blocks, after[name], batches)
        if name in after
        else OutputLoss(
            name=name, measure="none", rows=0, missing="absent", destroyed="it has no such output"
        )
        for name, blocks in before.items()
    )


def worst(found: Sequence[OutputLoss]) -> OutputLoss | None:
    """The output that lost most; a destroyed one before any other; None without outputs."""
    return max(found, key=lambda loss: (loss.destroyed is not None, loss.lost), default=None)


def reads_as_classes(name: str, blocks: Sequence[Any]) -> bool:
    """Whether the last axis of a float output holds a number for each class.

    Rows that are probabilities and names such as ``logits`` say so, names such as ``embedding`` say
    the opposite; of the others a matrix of two columns or more is taken for classes.

    Args:
        name: of the output.
        blocks: arrays, one a batch.
    """
    first = blocks[0]
    if (
        not isinstance(first, np.ndarray)
        or first.ndim < 2
        or first.shape[-1] < 2
        or not np.issubdtype(first.dtype, np.floating)
    ):
        return False
    if _CLASSES.search(name):
        return True
    if _NO_CLASSES.search(name):
        return False
    return first.ndim == 2 or _are_probabilities(first)


def _are_probabilities(array: NDArray[Any]) -> bool:
    sums = array.sum(axis=-1, dtype=np.float64)
    return bool((array >= 0).all() and (np.abs(sums - 1.0) < _SUM_TOLERANCE).all())


def _loss(
    name: str, before: Sequence[Any], after: Sequence[Any], batches: Sequence[int]
) -> OutputLoss:
    before, after = _arrays(before), _arrays(after)
    if not all(isinstance(block, np.ndarray) for block in (*before, *after)) or not before:
        what = "a sequence or a map" if before else "no batch was run"
        return OutputLoss(name=name, measure="none", rows=0, missing=what)
    pairs = list(zip(before, after, strict=True))
    for old, new in pairs:
        if old.shape != new.shape:
            return OutputLoss(
                name=name, measure="none", rows=0, missing="of another shape",
                destroyed=f"it has the shape {list(new.shape)}, the original {list(old.shape)}",
            )  # fmt: skip
    if before[0].dtype.kind not in "fV":
        return _equality(name, pairs)
    if reads_as_classes(name, before):
        return _classes(name, pairs, batches)
    return _numbers(name, pairs, batches)


def _arrays(blocks: Sequence[Any]) -> list[Any]:
    """A runtime gives a scalar as a number, which is an array without axes here."""
    return [np.asarray(one) if isinstance(one, np.generic) else one for one in blocks]


def _equality(name: str, pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> OutputLoss:
    rows = changed = 0
    for old, new in pairs:
        differ = np.atleast_1d(old != new)
        rows += len(differ)
        changed += int(differ.any(axis=tuple(range(1, differ.ndim))).sum())
    destroyed = _share_destroyed(changed, rows, "values")
    return OutputLoss(
        name=name, measure="equality", rows=rows, changed=changed, destroyed=destroyed
    )


def _classes(
    name: str, pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]], batches: Sequence[int]
) -> OutputLoss:
    numbers = _numbers(name, pairs, batches)
    if numbers.missing is not None:
        return numbers
    differ = [old.argmax(-1) != new.argmax(-1) for old, new in pairs]
    rows, changed = sum(one.size for one in differ), sum(int(one.sum()) for one in differ)
    error = numbers.error_over_spread
    destroyed = _share_destroyed(changed, rows, "classes")
    if destroyed is None and (error is None or error >= _NO_BETTER_THAN_MEAN):
        destroyed = numbers.destroyed
    return numbers.model_copy(
        update={"measure": "classes", "rows": rows, "changed": changed, "destroyed": destroyed}
    )


def _share_destroyed(changed: int, rows: int, what: str) -> str | None:
    if changed <= DESTROYED_SHARE * rows:
        return None
    return f"{changed} of {rows} {what} changed, more than {DESTROYED_SHARE:.0%}"


def _numbers(
    name: str, pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]], batches: Sequence[int]
) -> OutputLoss:
    total = _Sums()
    for (old, new), batch in zip(pairs, batches, strict=True):
        total.add(old, new, batch)
    if not total.comparable:
        return OutputLoss(
            name=name, measure="none", rows=0, missing="every value is infinite or not a number"
        )
    return OutputLoss(
        name=name,
        measure="numbers",
        rows=total.rows,
        relative_error=total.relative_error,
        error_over_spread=total.error_over_spread,
        max_abs_difference=total.largest,
        destroyed=total.destroyed,
    )


class _Sums:
    """Sums over batches of one output's values and differences, in float64.

    Values that are infinite or NaN in both files alike, as masks are, are left out.
    """

    def __init__(self) -> None:
        self.rows = self.not_finite = 0
        self.comparable = False
        self.largest = 0.0
        self._noise = self._power = 0.0
        # Of each element over the samples, for the spread; None once shapes differ by batch.
        self._by_element: tuple[NDArray[Any], NDArray[Any]] | None = None
        self._one_shape = True

    def add(self, before: NDArray[Any], after: NDArray[Any], batch: int) -> None:
        """One batch; an output without the batch as its first axis is one row."""
        old, new = before.astype(np.float64), after.astype(np.float64)
        if old.ndim == 0 or len(old) != batch:
            old, new = old[None], new[None]
        finite = np.isfinite(old) & np.isfinite(new)
        alike = (old == new) | (np.isnan(old) & np.isnan(new))
        self.not_finite += int((~finite & ~alike).sum())
        with np.errstate(invalid="ignore"):
            difference = np.where(finite, new - old, 0.0)
        kept = np.where(finite, old, 0.0)
        self.rows += len(old)
        self.comparable |= bool((finite | ~alike).any())
        self.largest = max(self.largest, float(np.abs(difference).max(initial=0.0)))
        self._noise += float(np.square(difference).sum())
        self._power += float(np.square(kept).sum())
        self._add_by_element(kept)

    def _add_by_element(self, values: NDArray[Any]) -> None:
        sums = values.sum(axis=0), np.square(values).sum(axis=0)
        if self._by_element is None:
            self._by_element = sums
        elif self._by_element[0].shape == sums[0].shape:
            self._by_element = self._by_element[0] + sums[0], self._by_element[1] + sums[1]
        else:
            self._one_shape = False

    @property
    def relative_error(self) -> float | None:
        """Root mean square difference over root mean square; None where all values are 0."""
        if not self._power:
            return None if self._noise else 0.0
        return float((self._noise / self._power) ** 0.5)

    @property
    def error_over_spread(self) -> float | None:
        """The same over the deviation across samples; None where there is (almost) none."""
        if self._by_element is None or not self._one_shape or self.rows < 2:
            return None
        total, squares = self._by_element
        spread = float((squares - np.square(total) / self.rows).clip(0.0).sum())
        if spread <= _CONSTANT**2 * self._power:
            return None
        return float((self._noise / spread) ** 0.5)

    @property
    def destroyed(self) -> str | None:
        """Why nothing of the output is to be trusted, or None."""
        if self.not_finite:
            return f"{self.not_finite} values are finite in one file only"
        error, of = self.error_over_spread, "its deviation over the samples"
        if error is None:
            error, of = self.relative_error, "its size"
        if error is None:
            return f"it is 0 in the original and up to {self.largest:.3g} here"
        if error < DESTROYED_ERROR:
            return None
        return f"its error is {error:.2g} times {of}, at least {DESTROYED_ERROR:g}"
