"""Recall that each class lost to the teacher, and the class that lost the most.

Intervals of all classes hold together (Bonferroni), so that the worst one may be picked out.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..records import ClassDrop
from .proportions import paired_difference, share
from .sampling import Sampling

WORST_RECALL = "worst-class recall"
"""The name of the lowest recall of any class or label among a task's metrics."""


class Recalled(NamedTuple):
    """What was recalled of one class.

    Attributes:
        rows: its samples in test, int64 [n].
        by_teacher: which of them the teacher recalls, bool [n].
        by_student: which of them the student recalls, bool [n].
    """

    rows: NDArray[np.intp]
    by_teacher: NDArray[np.bool_]
    by_student: NDArray[np.bool_]


def together(confidence: float, count: int) -> float:
    """The confidence of each of several intervals that hold together at another (Bonferroni)."""
    return 1.0 - (1.0 - confidence) / max(1, count)


def class_drops(
    names: Sequence[str], recalled: Sequence[Recalled], sampling: Sampling
) -> tuple[ClassDrop, ...]:
    """Recall lost by each class; the intervals of all classes hold together.

    Args:
        names: of the classes.
        recalled: of each class.
        sampling: of all of test.

    Raises:
        ValueError: another number of names than of classes.
    """
    if len(names) != len(recalled):
        raise ValueError(f"{len(names)} names for {len(recalled)} classes")
    tested = sum(len(of_class.rows) > 0 for of_class in recalled)
    family = sampling.at(together(sampling.confidence, tested))
    return tuple(
        ClassDrop(
            name=name,
            samples=len(rows),
            teacher_recall=float(by_teacher.mean()) if len(rows) else None,
            student_recall=float(by_student.mean()) if len(rows) else None,
            drop=paired_difference(by_teacher, by_student, family.of(rows))
            if len(rows)
            else Estimate.unknown(f"test has no sample of {name!r}"),
        )
        for name, (rows, by_teacher, by_student) in zip(names, recalled, strict=True)
    )


def worst_class(drops: Sequence[ClassDrop]) -> str | None:
    """The class with the largest drop observed; None where no class has a sample."""
    pairs = [(lost.drop.value, lost.name) for lost in drops if lost.drop.value is not None]
    return max(pairs, key=lambda pair: pair[0])[1] if pairs else None


def worst_drop(classes: Sequence[ClassDrop], noun: str) -> Estimate:
    """The largest drop of any class, with an interval that holds for the largest."""
    drops = [lost.drop for lost in classes]
    if all(drop.value is None for drop in drops):
        return Estimate.unknown(f"test has no sample of any {noun}")
    return worst_of(drops, most=1.0)


def worst_of(estimates: Sequence[Estimate], most: float) -> Estimate:
    """The largest of several figures, with an interval that holds for the largest.

    Where intervals hold simultaneously, each at ``together`` (Bonferroni), the largest
    true figure lies between the largest of their lower and of their upper ends. A figure that is
    not available may be anything up to ``most``, and so may the largest.

    Args:
        estimates: figures whose intervals hold simultaneously.
        most: the largest a figure can be.

    Returns:
        Unknown where all are. The value is the largest observed, which tends to lie above the
        largest true one: the more figures, the more so.
    """
    present = [estimate for estimate in estimates if estimate.value is not None]
    method = f"largest of {len(present)}, from the largest lower to the largest upper end"
    n = sum(estimate.n for estimate in present)
    if not present:
        reason = next((e.missing for e in estimates if e.missing), "there are none")
        return Estimate.unknown(reason, method, n)
    method += f"; each: {present[0].method}"
    unseen = len(estimates) - len(present)
    if unseen:
        method += f"; not available, so anything up to {most:g}: {unseen}"
    value = max(estimate.value for estimate in present if estimate.value is not None)
    lows = [estimate.low for estimate in present if estimate.low is not None]
    highs = [estimate.high for estimate in present if estimate.high is not None]
    if min(len(lows), len(highs)) < len(present):
        reason = next((e.missing for e in present if e.missing), "an interval is missing")
        return replace(
            present[0], value=value, low=None, high=None, method=method, n=n, missing=reason
        )
    high = most if unseen else max(highs)
    return replace(present[0], value=value, low=max(lows), high=high, method=method, n=n)


def recalls(
    recalled: Sequence[tuple[NDArray[np.intp], NDArray[np.bool_]]], sampling: Sampling
) -> dict[str, Estimate]:
    """The recall of each class as ``recall[i]``, and the lowest one.

    Args:
        recalled: of each class, its samples in test, and which of them were recalled.
        sampling: of all of test.
    """
    seen = {i: of_class for i, of_class in enumerate(recalled) if len(of_class[0])}
    single = {
        f"recall[{i}]": share(right, sampling.of(rows), "recall")
        for i, (rows, right) in seen.items()
    }
    if not single:
        return {}
    family = sampling.at(together(sampling.confidence, len(seen)))
    missed = [share(~right, family.of(rows), "recall") for rows, right in seen.values()]
    return {WORST_RECALL: _complement(worst_of(missed, most=1.0)), **single}


def _complement(missed: Estimate) -> Estimate:
    """1 minus a share."""
    low, high = (None if end is None else 1.0 - end for end in (missed.high, missed.low))
    value = None if missed.value is None else 1.0 - missed.value
    method = missed.method.replace("largest", "lowest", 1)
    return replace(missed, value=value, low=low, high=high, method=method)
