"""How far a figure is from its budget.

    gap(check, report.quality)      # '1.78× its budget (1.70 to 1.85)'
    gap(check, report.quality)      # '0.8 points (0.1 to 1.5) outside its budget'

A budget of time, memory, size or a count is compared by a ratio, one of answers by a difference:
the ratio of two accuracies says little.
"""

import math
from dataclasses import replace

from ...devices.bench import ratio_text
from ...devices.onboard.stats.estimate import Estimate
from ..judge.budgets import scaled
from ..judge.task_budgets import of_record
from ..records import Check, VerifyRecord
from . import numbers


def gap(check: Check, quality: VerifyRecord) -> str:
    """The distance to the budget with its interval, or that it is not known."""
    figure = check.figure
    if figure.value is None:
        return "unknown"
    if as_ratio(check, quality):
        ratio = scaled(figure, 1.0 / check.budget, "ratio")
        interval = ratio_text.interval(ratio) if ratio.low != ratio.high else None
        # That a ratio may be 1 is said by the verdict beside it.
        shown = (interval or "").removesuffix(f", {ratio_text.UNSHOWN}")
        return f"{ratio_text.times(figure.value / check.budget)} its budget" + (
            f" ({shown})" if shown else ""
        )
    if figure.value == check.budget and figure.low == figure.high:
        return f"not above {numbers.budget(check, quality).removeprefix('above ')}"
    outside = numbers.show(_outside(check, quality), _unit(check, quality))
    return f"{outside} outside its budget"


def room(check: Check, quality: VerifyRecord) -> float | None:
    """How far the worse end of the interval lies inside the budget; below 0 outside of it."""
    worse = worst(check, quality)
    if worse is None:
        return None
    return check.budget - worse if at_most(check, quality) else worse - check.budget


def tightness(check: Check, quality: VerifyRecord) -> float:
    """The room in points of a share, and of other figures in percent of the budget."""
    inside = room(check, quality)
    if inside is None:
        return math.inf
    if _unit(check, quality) is numbers.POINTS:
        return inside
    return inside / (abs(check.budget) or _width(check.figure) or 1.0)


def worst(check: Check, quality: VerifyRecord) -> float | None:
    """The end of the interval that is worse for the budget; None where it is not known."""
    return check.figure.high if at_most(check, quality) else check.figure.low


def best(check: Check, quality: VerifyRecord) -> float | None:
    """The end of the interval that is better for the budget; None where it is not known."""
    return check.figure.low if at_most(check, quality) else check.figure.high


def at_most(check: Check, quality: VerifyRecord) -> bool:
    """Whether a smaller figure is better."""
    return of_record(check.key, quality).direction == "at most"


def more_samples(check: Check, quality: VerifyRecord) -> float | None:
    """About how many times as many samples decide a budget, should the figure stay.

    An interval is as wide as the square root of one over the samples. None where the figure lies
    on the budget, or has no interval that reaches over it.
    """
    value, worse = check.figure.value, worst(check, quality)
    if value is None or worse is None:
        return None
    end = worse if _is_inside(check, quality) else best(check, quality)
    if end is None or value == check.budget:
        return None
    times = ((end - value) / (check.budget - value)) ** 2
    return times if 1.0 < times <= 1000.0 else None


def as_ratio(check: Check, quality: VerifyRecord) -> bool:
    """Whether the budget is one of time, memory, size, energy or a count."""
    return of_record(check.key, quality).measured is not None and check.budget > 0.0


def amount(check: Check, value: float, quality: VerifyRecord) -> str:
    """A value of the figure, in the budget's unit."""
    return numbers.amount(value, numbers.budget_unit(check.key, quality))


def difference(check: Check, value: float, quality: VerifyRecord) -> str:
    """A difference of two values of the figure: of shares in points."""
    return numbers.amount(value, _unit(check, quality))


def _is_inside(check: Check, quality: VerifyRecord) -> bool:
    value = check.figure.value or 0.0
    return value < check.budget if at_most(check, quality) else value > check.budget


def _outside(check: Check, quality: VerifyRecord) -> Estimate:
    """By how much the figure misses its budget."""
    figure = check.figure
    if at_most(check, quality):
        return _moved(figure, -check.budget)
    return _moved(scaled(figure, -1.0), check.budget)


def _moved(figure: Estimate, by: float) -> Estimate:
    value, low, high = (
        None if one is None else one + by for one in (figure.value, figure.low, figure.high)
    )
    return replace(figure, value=value, low=low, high=high)


def _width(figure: Estimate) -> float:
    if figure.low is None or figure.high is None:
        return 0.0
    return figure.high - figure.low


def _unit(check: Check, quality: VerifyRecord) -> numbers.Unit:
    """Of a difference of two figures."""
    unit = numbers.budget_unit(check.key, quality)
    return numbers.POINTS if unit is numbers.PERCENT else unit
