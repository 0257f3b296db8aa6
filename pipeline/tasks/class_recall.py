"""Recall that each class lost to the teacher, and the class that lost the most.

Intervals of all classes hold together (Bonferroni), so that the worst one may be picked out.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..records import ClassDrop
from .proportions import paired_difference

FAMILY_CONFIDENCE = 0.95
"""With which the drops of all classes lie within their intervals together."""


def class_drops(
    names: Sequence[str], recalled: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]]
) -> tuple[ClassDrop, ...]:
    """Recall lost by each class.

    Args:
        names: of the classes.
        recalled: of each class, which of its samples the teacher and the student recall, bool [n].

    Raises:
        ValueError: another number of names than of classes.
    """
    if len(names) != len(recalled):
        raise ValueError(f"{len(names)} names for {len(recalled)} classes")
    tested = sum(len(by_teacher) > 0 for by_teacher, _ in recalled)
    confidence = 1.0 - (1.0 - FAMILY_CONFIDENCE) / max(1, tested)
    return tuple(
        ClassDrop(
            name=name,
            samples=len(by_teacher),
            teacher_recall=float(by_teacher.mean()) if len(by_teacher) else None,
            student_recall=float(by_student.mean()) if len(by_student) else None,
            drop=paired_difference(by_teacher, by_student, confidence)
            if len(by_teacher)
            else Estimate.unknown(f"test has no sample of {name!r}"),
        )
        for name, (by_teacher, by_student) in zip(names, recalled, strict=True)
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

    Where intervals hold simultaneously, each at confidence 1 - 0.05 / k (Bonferroni), the largest
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
