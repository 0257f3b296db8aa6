"""What a candidate takes of the device, worked out from candidates that were measured.

A file's size follows its parameters, its latency, energy and instructions its multiply-accumulates,
memory its parameters and the width of its layers, which the multiply-accumulates tell of, and the
arena of a microcontroller that width alone. Between
two measured candidates of a family the figure is on the straight line through both, beyond them on
the same line, but never below 0, and upwards never flat. A prediction says which candidate to
measure next, and is shown as one; a candidate is trained only after it was measured.
"""

import math
from collections.abc import Mapping, Sequence

from ...devices.onboard.stats.estimate import Estimate
from ..records import Cost

BY_PARAMETERS = frozenset({"max_size_kib"})
"""Budgets whose figure follows the number of parameters; the others follow the operations."""
BY_LAYER = frozenset({"max_arena_kib"})
"""Budgets whose figure follows the width of the layers: a microcontroller reads weights in place,
and its memory holds activations. Of one model the operations go with the square of the width."""

_LEAST_SLOPE = 0.5
"""Beyond the largest that was measured a figure grows at least by so much of its share an operation
there: two small models that differ by noise alone say nothing of one a hundred times as large."""

Figures = Mapping[str, Estimate]
"""Of one file, by the key of the budget."""


def predicted(
    cost: Cost, measured: Sequence[tuple[Cost, Figures]], keys: Sequence[str]
) -> dict[str, Estimate]:
    """The figures of a candidate that was not measured.

    Args:
        cost: of the candidate.
        measured: others, with the figures of one and the same variant; those of the candidate's
            own model count alone where there are two of them.
        keys: of the budgets.
    """
    own = [(other, figures) for other, figures in measured if other.model == cost.model]
    used = own if len(own) > 1 else measured
    found = {}
    for key in keys:
        points = [
            (_size(other, key), value)
            for other, figures in used
            if (figure := figures.get(key)) is not None and (value := figure.value) is not None
        ]
        unit = next((one[key].unit for _, one in used if key in one), "")
        found[key] = _estimate(_line(_size(cost, key), points), len(points), unit)
    return found


def _size(cost: Cost, key: str) -> float:
    if key in BY_LAYER:
        return math.sqrt(cost.macs)
    return float(cost.parameters if key in BY_PARAMETERS else cost.macs)


def _estimate(value: float | None, points: int, unit: str) -> Estimate:
    if value is None:
        return Estimate.unknown("no candidate has this figure", unit=unit)
    method = f"on a line through candidates that were measured ({points})"
    missing = "a line through other candidates has no interval"
    return Estimate(value, None, None, method, points, missing, unit, "predicted")


def _line(x: float, points: Sequence[tuple[float, float]]) -> float | None:
    """The value at x of the line through the two points that are nearest to it, from both sides."""
    unique = sorted(dict(sorted(points)).items())
    if not unique:
        return None
    if len(unique) == 1:
        ((at, value),) = unique
        return value * x / at if at else value
    above = next((i for i, (at, _) in enumerate(unique) if at >= x), len(unique) - 1)
    (left, low), (right, high) = unique[max(above - 1, 0)], unique[max(above, 1)]
    slope = (high - low) / (right - left)
    if x > right:
        return high + max(slope, _LEAST_SLOPE * high / right) * (x - right)
    return max(0.0, low + slope * (x - left))
