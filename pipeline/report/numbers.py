"""Numbers as people read them: SI inside, a unit, an interval or a reason at print time.

    >>> show(Estimate(0.0234, 0.0231, 0.0239, "bootstrap", 9, None), MILLISECONDS)
    '23.4 µs (23.1 to 23.9)'
    >>> show(Estimate(None, None, None, "RAPL", 0, "no energy counter here"), MICROJOULES)
    'unknown: no energy counter here'

An interval shares its value's unit and decimals. NaN and infinity are shown as unknown, never as
numbers.
"""

import math
from dataclasses import dataclass, replace

from ...devices.onboard.stats.estimate import Estimate
from .. import tasks
from ..judge.task_budgets import of_record
from ..printable import how_many as how_many
from ..printable import printable as printable
from ..records import Check, VerifyRecord
from ..tasks import MetricUnit

NO_INTERVAL = "no interval"


@dataclass(frozen=True, slots=True)
class Unit:
    """How a quantity is printed.

    Attributes:
        steps: (factor, name), the largest first; the first that a value reaches is used.
        decimals: fixed decimals; None: three significant digits.
    """

    steps: tuple[tuple[float, str], ...]
    decimals: int | None = None


MILLISECONDS = Unit(((1e3, "s"), (1.0, "ms"), (1e-3, "µs")))
BYTES = Unit(((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")))
MICROJOULES = Unit(((1e6, "J"), (1e3, "mJ"), (1.0, "µJ"), (1e-3, "nJ")))
PERCENT = Unit(((0.01, "%"),), decimals=1)
POINTS = Unit(((0.01, "points"),), decimals=1)
RATIO = Unit(((1.0, ""),))
NATS = Unit(((1.0, "nats"),))
COUNT = Unit(((1.0, ""),), decimals=0)
PLAIN = Unit(((1.0, ""),), decimals=3)
_SINGULAR = {"points": "point", "nats": "nat"}
"""Names of units that are words, for one of them."""
_METRIC_UNITS: dict[str, Unit] = {
    "share": PERCENT,
    "label unit": RATIO,
    "label deviations": RATIO,
    "nats": NATS,
    "none": PLAIN,
}

_BUDGETS: dict[str, Unit] = {
    **_METRIC_UNITS,
    "ms": Unit(((1.0, "ms"),)),
    "MiB": Unit(((1.0, "MiB"),)),
    "KiB": Unit(((1.0, "KiB"),)),
    "uJ": Unit(((1.0, "µJ"),)),
    "instructions": COUNT,
    "points": POINTS,
}
"""By a budget's unit; a budget is shown in its own, not in the one that its value reads best in."""


def metric_unit(unit: MetricUnit) -> Unit:
    """How a unit of a metric is printed."""
    return _METRIC_UNITS[unit]


def score_unit(metric: str) -> Unit:
    """The unit of a score: percent of what is a share, else a plain number (R², cosine)."""
    return _METRIC_UNITS[tasks.metric_unit(metric)]


def figure_unit(metric: str, label_unit: str) -> Unit:
    """As ``score_unit``; a figure in the labels' unit has its name: ``3.1 USD``."""
    if label_unit and tasks.metric_unit(metric) == "label unit":
        return Unit(((1.0, label_unit),))
    return score_unit(metric)


def lost_unit(metric: str) -> Unit:
    """The unit of a difference of scores: percentage points, or a plain number."""
    return POINTS if tasks.metric_unit(metric) == "share" else PLAIN


def lost_or_gained(lost: Estimate, metric: str) -> tuple[str, str | None]:
    """A known loss of score and its interval, in the direction of its value.

    >>> lost_or_gained(Estimate(-0.07, -0.13, 0.01, "paired", 450, None), "accuracy")
    ('7.0 points gained', '-1.0 to 13.0')
    """
    gained = (lost.value or 0.0) < 0.0
    if gained:
        low, high = (None if end is None else -end for end in (lost.high, lost.low))
        lost = replace(lost, value=-(lost.value or 0.0), low=low, high=high)
    value, interval = parts(lost, lost_unit(metric))
    return f"{value} {'gained' if gained else 'lost'}", interval


def budget_unit(key: str, quality: VerifyRecord) -> Unit:
    """The unit a budget is read in: ``max_p90_ms`` in ms, ``min_score`` in that of the metric."""
    unit = of_record(key, quality).unit
    if unit == "score":
        return score_unit(quality.metric)
    if unit == "score difference":
        return lost_unit(quality.metric)
    if unit == "label unit" and quality.label_unit:
        return Unit(((1.0, quality.label_unit),))
    return _BUDGETS[unit]


def show(estimate: Estimate, unit: Unit) -> str:
    """A value with its interval on one line, or ``unknown:`` and the reason."""
    value, interval = parts(estimate, unit)
    return f"{value} ({interval})" if interval else value


def parts(estimate: Estimate, unit: Unit) -> tuple[str, str | None]:
    """A value with its unit, and its interval (None where the value is exact or unknown).

    Where an end of the interval is missing, the reason follows.
    """
    value, interval = without_reason(estimate, unit)
    missing = estimate.missing if estimate.value is not None else None
    return value, f"{interval}: {missing}" if interval and missing else interval


def without_reason(estimate: Estimate, unit: Unit) -> tuple[str, str | None]:
    """As `parts`, but without the reason why an end of the interval is missing."""
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or not math.isfinite(value):
        return f"unknown: {estimate.missing or 'no reason was recorded'}", None
    factor, name = _step(value, unit)
    decimals = _decimals(value / factor, unit)
    ends = [end for end in (low, high) if end is not None]
    if not ends or not all(map(math.isfinite, ends)):
        return _with_unit(_fixed(value / factor, decimals), name), NO_INTERVAL
    if low is None or high is None:
        side = "more" if high is None else "less"
        interval = f"{_fixed(ends[0] / factor, decimals)} or {side}"
        return _with_unit(_fixed(value / factor, decimals), name), interval
    if low < high:
        most = decimals + 3
        while decimals < most and _fixed(low / factor, decimals) == _fixed(high / factor, decimals):
            decimals += 1
    value_text, low_text, high_text = (_fixed(v / factor, decimals) for v in (value, low, high))
    exact = low == high and estimate.n <= 1
    return _with_unit(value_text, name), None if exact else f"{low_text} to {high_text}"


def amount(value: float, unit: Unit) -> str:
    """A bare value with its unit, for what is known exactly: a file's size, a budget."""
    factor, name = _step(value, unit)
    scaled = value / factor
    decimals = 0 if scaled.is_integer() else _decimals(scaled, unit)
    return _with_unit(_fixed(scaled, decimals), name)


def budget(check: Check, quality: VerifyRecord) -> str:
    """A budget as the reader compares it: ``at most 2 ms``, ``at least 94 %``."""
    factor, name = _step(check.budget, budget_unit(check.key, quality))
    amount = _with_unit(f"{check.budget / factor:,.10g}", name)
    return f"{of_record(check.key, quality).direction} {amount}"


def count(value: int | None, missing: str = "not counted") -> str:
    """A whole number with its thousands apart, or why there is none."""
    return f"{value:,}" if value is not None else f"unknown: {missing}"


def capital(text: str) -> str:
    """A word as it begins a sentence; a name with capitals of its own (mAP) stays as it is."""
    return text if text != text.lower() else f"{text[:1].upper()}{text[1:]}"


def _step(value: float, unit: Unit) -> tuple[float, str]:
    for factor, name in unit.steps:
        if abs(value) >= factor:
            return factor, name
    return unit.steps[-1]


def _decimals(scaled: float, unit: Unit) -> int:
    if unit.decimals is not None:
        return unit.decimals
    return 0 if scaled == 0 else max(0, 2 - math.floor(math.log10(abs(scaled))))


def _fixed(scaled: float, decimals: int) -> str:
    text = f"{scaled:,.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def _with_unit(number: str, name: str) -> str:
    name = _SINGULAR.get(name, name) if number.removeprefix("-") == "1" else name
    return f"{number} {name}" if name else number
