"""What all charts have in common: colours, symbols, intervals, ticks of named lines, short names.

Series(label(model.name), look(1), (Point(0.03, 97.6, x_ends=ends(model.p50_ms)),))
"""

from collections.abc import Sequence

from ...devices.onboard.stats.estimate import Estimate
from . import numbers
from .numbers import Unit
from .plot import Axis, Ends, Look

# Symbol and dash say again what the colours of the style sheet say.
_SYMBOLS = ("diamond", "square", "triangle", "cross", "star")
_DASHES = ("", "7 4", "2 3", "7 3 2 3", "12 4")
_LONGEST_NAME = 28


def ends(estimate: Estimate, factor: float = 1.0) -> Ends | None:
    """Both ends of an interval; where one is not known, the figure itself stands for it."""
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or (low is None and high is None):
        return None
    return (value if low is None else low) * factor, (value if high is None else high) * factor


def lines(names: Sequence[str]) -> Axis:
    """An axis of named lines, the first at the top; by number, for two short names may be alike."""
    return Axis(
        ticks=tuple((float(at), label(name)) for at, name in enumerate(names)),
        span=(len(names) - 0.5, -0.5),
    )


def label(name: str) -> str:
    """A name as a chart has room for it."""
    name = numbers.printable(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def scale(unit: Unit) -> float:
    """What a value is multiplied with to stand in the unit."""
    return 1.0 / unit.steps[-1][0]


def title(what: str, unit: Unit) -> str:
    """The title of an axis, with its unit."""
    name = unit.steps[-1][1]
    return f"{numbers.capital(what)}{', ' if name else ''}{name}"


def look(index: int, kind: int | None = None) -> Look:
    """The look of the model in this place; place 0 is the teacher's.

    Args:
        index: the place, which gives the colour.
        kind: the place that gives symbol and dash, where it is another.
    """
    if index == 0:
        return Look(0, "circle", "")
    colour = (index - 1) % len(_SYMBOLS)
    at = ((index if kind is None else kind) - 1) % len(_SYMBOLS)
    return Look(colour + 1, _SYMBOLS[at], _DASHES[at])
