"""Where an axis begins, ends and has ticks, linear or logarithmic.

>>> scale = scale_of(Axis(), [0.0, 97.0], ticks=5)
>>> scale.ticks
((0.0, '0'), (20.0, '20'), (40.0, '40'), (60.0, '60'), (80.0, '80'), (100.0, '100'))
>>> scale_of(Axis(log=True), [0.03, 0.4], ticks=5).ticks
((0.05, '0.05'), (0.1, '0.1'), (0.2, '0.2'), (0.5, '0.5'))
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .plot import Axis

Ticks = tuple[tuple[float, str], ...]
_MARGIN = 0.06
"""Room beyond the outermost points, as a share of the axis."""
_SPARSE = ((1, 2, 5), (1, 3), (1,))
"""Steps within a decade, the densest first."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis with its ends and ticks.

    Attributes:
        low: the value at its beginning.
        high: that at its end; below ``low`` where it is reversed.
        log: whether it is logarithmic.
        ticks: places on it and their texts.
    """

    low: float
    high: float
    log: bool
    ticks: Ticks

    def has(self, value: float) -> bool:
        """Whether a value has a place: a logarithm of 0 has none."""
        return math.isfinite(value) and (value > 0.0 or not self.log)

    def share(self, value: float) -> float:
        """How far along the axis a value lies: 0 at its beginning, 1 at its end."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low * 1e-3))
        return (value - low) / (high - low)


def scale_of(axis: Axis, values: Sequence[float], ticks: int) -> Scale:
    """The scale that shows all values.

    Args:
        axis: what is fixed of it.
        values: that must have a place; of a logarithmic axis those above 0 count.
        ticks: about how many.
    """
    shown = [value for value in values if math.isfinite(value) and (value > 0.0 or not axis.log)]
    least, most = min(shown, default=1.0), max(shown, default=1.0)
    if axis.log:
        return _logarithmic(axis, least, most, ticks)
    if axis.span is not None:
        low, high = axis.span
        chosen = axis.ticks if axis.ticks is not None else _linear(low, high, ticks)
        return Scale(low, high, False, chosen)
    room = (most - least or abs(most) or 1.0) * _MARGIN
    # Bars begin at 0, and what lies on it needs no room beyond.
    low = least if least == 0.0 else least - room
    high = most + room
    return Scale(low, high, False, _linear(low, high, ticks) if axis.ticks is None else axis.ticks)


def _linear(low: float, high: float, count: int) -> Ticks:
    """Round values between two ends."""
    low, high = min(low, high), max(low, high)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * of for of in (1, 2, 5, 10) if power * of >= rough * 0.999)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple((at * step, f"{at * step:,.{decimals}f}") for at in range(first, last + 1))


def _logarithmic(axis: Axis, least: float, most: float, count: int) -> Scale:
    if axis.span is not None:
        low, high = axis.span
    else:
        room = math.log(most / least) * _MARGIN or 0.05
        low, high = least * math.exp(-room), most * math.exp(room)
    if axis.ticks is not None:
        inside = tuple((at, text) for at, text in axis.ticks if low <= at <= high)
        return Scale(low, high, True, inside)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in _SPARSE:
        every = [step * 10.0**power for power in powers for step in steps]
        found = [value for value in every if low <= value <= high]
        if len(found) <= count + 1:
            break
    # Within one decade round steps of a linear axis are more than one tick, and as readable.
    if len(found) < 2:
        return Scale(low, high, True, _linear(low, high, 3))
    thinned = found[:: math.ceil(len(found) / (count + 2))]
    return Scale(low, high, True, tuple((value, f"{value:,.10g}") for value in thinned))
