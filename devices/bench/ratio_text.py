"""The one way in which a ratio of two measurements is stated.

>>> stated(Estimate(1.27, 1.25, 1.28, "m", 9), "latency", "fp32")
'1.27× the latency of fp32 (1.25 to 1.28)'
>>> stated(Estimate(0.98, 0.95, 1.02, "m", 9), "latency")
'0.98× the latency (0.95 to 1.02, no difference shown)'
"""

from ..onboard.stats.estimate import Estimate

NO_INTERVAL = "no interval"
UNSHOWN = "no difference shown"
"""What is said where the interval of a ratio contains 1."""


def stated(ratio: Estimate, what: str, reference: str = "") -> str:
    """A ratio as a phrase with its interval.

    Args:
        ratio: a figure of one model over the same figure of another.
        what: the figure, such as ``latency``.
        reference: the model that it is divided by; empty where the sentence has named it.
    """
    of = f" of {reference}" if reference else ""
    if ratio.value is None:
        return f"{what}{of} unknown ({ratio.missing or 'no reason was recorded'})"
    detail = interval(ratio)
    return f"{times(ratio.value)} the {what}{of}" + (f" ({detail})" if detail else "")


def interval(ratio: Estimate) -> str | None:
    """The interval of a ratio and whether it shows a difference; None for an exact ratio."""
    if ratio.low is None or ratio.high is None:
        return f"{NO_INTERVAL}: {ratio.missing}" if ratio.missing else NO_INTERVAL
    if ratio.low == ratio.high:
        return None
    ends = f"{_number(ratio.low, ratio.value)} to {_number(ratio.high, ratio.value)}"
    return f"{ends}, {UNSHOWN}" if ratio.low <= 1.0 <= ratio.high else ends


def times(value: float) -> str:
    """A factor with its sign of multiplication: ``1.27×``."""
    return f"{_number(value)}×"


def _number(value: float, like: float | None = None) -> str:
    """A factor with the decimals that suit ``like``, so that an interval shares its value's."""
    scale = abs(value if like is None else like)
    decimals = 0 if scale >= 100 else 1 if scale >= 10 else 2 if scale >= 0.1 else 3
    return f"{value:,.{decimals}f}"
