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
NEVER_FOUND = (0.0, "never found")
"""The recall at which nothing of a class was learned, and what is said of the class."""


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


def worst_drop(recalled: Sequence[Recalled], sampling: Sampling, noun: str) -> Estimate:
    """The largest drop of recall of any class, with an interval that holds for the largest.

    Args:
        recalled: of each class.
        sampling: of all of test.
        noun: what a class is called.
    """
    tested = [of_class for of_class in recalled if len(of_class.rows)]
    if not tested:
        return Estimate.unknown(f"test has no sample of any {noun}")

    def drops(how: Sampling) -> list[Estimate]:
        return [
            paired_difference(one.by_teacher, one.by_student, how.of(one.rows)) for one in tested
        ]

    family = sampling.at(together(sampling.confidence, len(tested)))
    n = _behind([of_class.rows for of_class in tested], sampling)
    return worst_of(drops(sampling), drops(family), n, unseen=len(recalled) - len(tested))


def worst_of(
    single: Sequence[Estimate], simultaneous: Sequence[Estimate], n: int, unseen: int = 0
) -> Estimate:
    """The largest of several shares, with an interval that holds for the largest.

    The upper end is the largest of the upper ends of intervals that hold one by one: that it lies
    below the largest true share takes an error of the interval of just that one. The lower end is
    the largest of the lower ends of intervals that hold simultaneously, for any of them may err.

    Args:
        single: the shares, at least one, with intervals at the confidence wanted.
        simultaneous: the same with intervals each at ``together``.
        n: independent observations behind all of them.
        unseen: how many more there are that may be anything.

    Returns:
        The value is the largest observed, which tends to lie above the largest true one: the more
        shares, the more so.
    """
    first, count = single[0], len(single)
    method = f"largest of {count}, from the largest lower to the largest upper end; "
    method += f"upper ends: {first.method}; lower ends: {simultaneous[0].method}"
    if unseen:
        method += f"; not available, so anything up to 1: {unseen}"
    value = max(one.value for one in single if one.value is not None)
    lows = [one.low for one in simultaneous if one.low is not None]
    highs = [one.high for one in single if one.high is not None]
    if min(len(lows), len(highs)) < count:
        reason = next((e.missing for e in single if e.missing), "an interval is missing")
        return replace(first, value=value, low=None, high=None, method=method, n=n, missing=reason)
    high = 1.0 if unseen else max(highs)
    return replace(first, value=value, low=min(max(lows), value), high=high, method=method, n=n)


def recalls(
    recalled: Sequence[tuple[NDArray[np.intp], NDArray[np.bool_]]], sampling: Sampling
) -> dict[str, Estimate]:
    """The recall of each class as ``recall[i]``, and the lowest one.

    Args:
        recalled: of each class, its samples in test, and which of them were recalled.
        sampling: of all of test.
    """
    seen = {i: of_class for i, of_class in enumerate(recalled) if len(of_class[0])}
    if not seen:
        return {}

    def each(how: Sampling) -> list[Estimate]:
        return [share(right, how.of(rows), "recall") for rows, right in seen.values()]

    single = each(sampling)
    family = each(sampling.at(together(sampling.confidence, len(seen))))
    n = _behind([rows for rows, _ in seen.values()], sampling)
    worst = worst_of([_complement(one) for one in single], [_complement(one) for one in family], n)
    by_class = {f"recall[{i}]": recall for i, recall in zip(seen, single, strict=True)}
    lowest = replace(_complement(worst), method=f"1 - share missed, {worst.method}")
    return {WORST_RECALL: lowest, **by_class}


def _behind(rows: Sequence[NDArray[np.intp]], sampling: Sampling) -> int:
    """How many independent observations some samples are, that may be of several classes."""
    every = np.unique(np.concatenate(rows))
    return sampling.of(every).n(len(every))


def _complement(share_: Estimate) -> Estimate:
    """1 minus a share."""
    low, high = (None if end is None else 1.0 - end for end in (share_.high, share_.low))
    value = None if share_.value is None else 1.0 - share_.value
    return replace(share_, value=value, low=low, high=high)
