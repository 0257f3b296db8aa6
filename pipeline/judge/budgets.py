"""Budgets that a measurement must decide, and how a figure is held against its budget.

A figure decides a budget when its whole interval lies on one side of it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ...devices.bench.figures import Figures
from ...devices.onboard.stats.estimate import Estimate, Kind
from ..recipe.gate import Gate
from ..records import TEACHER, Outcome

MEASURED: dict[str, Callable[[Figures], Estimate]] = {
    "max_p50_ms": lambda f: f.p50_ms,
    "max_p90_ms": lambda f: f.p90_ms,
    "max_p99_ms": lambda f: f.p99_ms,
    "max_peak_memory_mib": lambda f: scaled(f.peak_memory_bytes, 2**-20, "MiB"),
}
"""Figures in their budget's own unit whose intervals more processes make narrower."""
OF_THE_MACHINE = frozenset({*MEASURED, "max_energy_uj"})
"""Budgets whose figures hold only for the device that they were measured on."""

UNDECIDING: dict[Kind, str] = {
    "declared": "the energy is computed by a declared model, not measured, and decides no budget; "
    "measure on a machine with a power sensor (`edgestill doctor` lists those of this machine)",
    "predicted": "the figure is predicted, not measured, and decides no budget; measure on the "
    "device",
    "unknown": "the record does not state whether the figure was measured; build again",
}
"""Kinds of figures that decide no budget: why, and the cheapest next step."""


def measured_budgets(gate: Gate) -> dict[str, float]:
    """The budgets of a gate that measuring longer may decide."""
    return {key: value for key, value in gate.budgets().items() if key in MEASURED}


def decided(budgets: Mapping[str, float], models: Sequence[Figures]) -> bool:
    """Whether every variant is known to keep or to miss each of these budgets.

    A figure that has no value stays without one however many processes there are, so nothing is
    waited for; the gate leaves it undecided. The teacher is not judged.
    """
    figures = (
        (key, budget, MEASURED[key](model))
        for model in models
        if model.name != TEACHER
        for key, budget in budgets.items()
    )
    return all(
        figure.value is None or hold(key, budget, figure)[0] != "undecided"
        for key, budget, figure in figures
    )


def hold(key: str, budget: float, figure: Estimate) -> tuple[Outcome, str]:
    """What one figure says of its budget, and why."""
    if figure.value is None:
        return "undecided", f"not measured: {figure.missing}"
    low, high = figure.low, figure.high
    if not all(math.isfinite(v) for v in (figure.value, low, high) if v is not None):
        return "not ready", "not a finite number"
    if figure.kind in UNDECIDING:
        return "undecided", UNDECIDING[figure.kind]
    if low is None or high is None:
        return "undecided", f"no interval: {figure.missing}"
    # Seen from the budget, the end of the interval that is worst and the one that is best.
    at_least = key.startswith("min_")
    worst, best = (low, high) if at_least else (-high, -low)
    limit = budget if at_least else -budget
    if worst >= limit:
        return "ready", "the whole interval is inside the budget"
    if best < limit:
        return "not ready", "the whole interval is outside the budget"
    return "undecided", "the budget lies inside the interval; measure more or on more samples"


def scaled(figure: Estimate, factor: float, unit: str | None = None) -> Estimate:
    """The figure times a factor, in another unit where one is given."""

    def scale(value: float | None) -> float | None:
        return None if value is None else value * factor

    return replace(
        figure,
        value=scale(figure.value),
        low=scale(figure.low),
        high=scale(figure.high),
        unit=figure.unit if unit is None else unit,
    )
