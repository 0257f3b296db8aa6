"""A figure beside its budget as a bar: where the budget lies, the interval, and the figure in it.

    bar = of_check(check, report.quality)
    bar.limit       # 41.7, percent of the bar's length

All places are percent of the length. The figure's scale begins at 0 where nothing is below it and
less is better; else it shows what lies around the figure and its budget.
"""

import math
from dataclasses import dataclass

from ..records import Check, VerifyRecord
from .gap import at_most

_AROUND = 0.25
"""Room on both sides, as a share of what is shown."""


@dataclass(frozen=True, slots=True)
class Bullet:
    """A bar.

    Attributes:
        limit: the budget.
        allowed: from where to where a figure is allowed.
        value: the figure; None where it is not known.
        interval: its ends; None where there is none.
    """

    limit: float
    allowed: tuple[float, float]
    value: float | None
    interval: tuple[float, float] | None


def of_check(check: Check, quality: VerifyRecord) -> Bullet:
    """The bar of one budget."""
    figure, less_is_better = check.figure, at_most(check, quality)
    known = [
        value
        for value in (check.budget, figure.value, figure.low, figure.high)
        if value is not None and math.isfinite(value)
    ]
    low, high = min(known), max(known)
    room = _AROUND * (high - low or abs(high) or 1.0)
    if less_is_better and low >= 0.0:
        low, high = 0.0, high + _AROUND * (high or 1.0)
    else:
        low, high = low - room, high + room

    def place(value: float) -> float:
        return round(100.0 * (value - low) / (high - low), 2)

    limit = place(check.budget)
    value = figure.value if figure.value is not None and math.isfinite(figure.value) else None
    ends = None
    if value is not None and figure.low != figure.high:
        least = low if figure.low is None else figure.low
        most = high if figure.high is None else figure.high
        ends = (place(least), place(most))
    return Bullet(
        limit,
        (0.0, limit) if less_is_better else (limit, 100.0),
        None if value is None else place(value),
        ends,
    )
