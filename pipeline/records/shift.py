"""How far the answers of a file are from those of a reference, in the task's own terms."""

from typing import Literal

from .record import Record


class OutputShift(Record):
    """One number of a regression, one label, or the vector of an embedding."""

    name: str
    measure: Literal["difference", "cosine", "count"]
    """What ``typical`` and ``farthest`` are: absolute differences in the units of the number,
    cosines, or nothing, where an answer is only the same or another one."""
    changed: int
    """Samples in which this output is another answer."""
    tolerance: float | None = None
    """How far a number may move and count as the same answer, in its own units."""
    typical: float | None = None
    """The median over samples."""
    farthest: float | None = None
    """Of the sample that moved most: the largest difference, or the least cosine."""


class Shift(Record):
    """All outputs of a file against a reference, on all of test."""

    samples: int
    changed: int
    """Samples with another answer, by what the task counts as one."""
    outputs: tuple[OutputShift, ...]
    """Empty where the one answer of a sample is a class."""
