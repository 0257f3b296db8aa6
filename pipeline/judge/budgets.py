"""The budgets that a build of any task may set, and how a figure is compared with its budget.

    BUDGETS["max_p90_ms"].direction     # 'at most'
    hold("at most", 2.0, figure)        # ('ready', 'the whole interval is inside the budget')

A figure decides a budget when its whole interval lies on one side of it. A new budget is a key of
``recipe.Gate`` and a line of ``BUDGETS``; those of the metrics of a task are in ``task_budgets``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...devices.onboard.stats.estimate import Estimate, Kind
from ...devices.scenarios.figures import Figures
from ..recipe.gate import Gate
from ..records import TEACHER, Outcome, Predicted, VariantQuality
from ..tasks import MetricUnit

Direction = Literal["at least", "at most", "above"]
"""A figure that has to be above its budget may not be equal to it."""
Unit = (
    MetricUnit
    | Literal["ms", "MiB", "KiB", "uJ", "instructions", "points", "score", "score difference"]
)
"""What a budget is given in; a share of 0.05 is 5 %, as points it is 5 points."""


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget that a recipe may set.

    Attributes:
        unit: of the budget and of its figure.
        direction: on which side of the budget the figure has to lie.
        title: what it limits; ``{metric}`` stands for the task's score, ``{same}`` for what counts
            as the same answer.
        short: the same for a narrow table; empty: the title.
        quality: its figure, where the verify stage finds it.
        measured: its figure, where the benchmark stage finds it.
        predicted: its figure where only a prediction exists.
        of_machine: whether the figure holds only for the device that it was measured on.
        repeats: whether more measuring processes make its interval narrower.
        with_method: whether the verdict names how the figure was computed.
        percentile: of latency, in percent, where it limits one.
    """

    unit: Unit
    direction: Direction
    title: str
    quality: Callable[[VariantQuality], Estimate] | None = None
    measured: Callable[[Figures], Estimate] | None = None
    predicted: Callable[[Predicted], Estimate] | None = None
    short: str = ""
    of_machine: bool = False
    repeats: bool = False
    with_method: bool = False
    percentile: float | None = None

    def figure(self, quality: VariantQuality, measured: Figures) -> Estimate:
        """The figure of one variant, in the budget's unit."""
        if self.quality is not None:
            return self.quality(quality)
        if self.measured is not None:
            return self.measured(measured)
        return Estimate.unknown(f"no stage finds {self.title}")


def scaled(figure: Estimate, factor: float, unit: str | None = None) -> Estimate:
    """The figure times a factor, in another unit where one is given.

    A factor below 0 turns the interval around.
    """

    def scale(value: float | None) -> float | None:
        return None if value is None else value * factor

    low, high = (figure.high, figure.low) if factor < 0.0 else (figure.low, figure.high)
    return replace(
        figure,
        value=scale(figure.value),
        low=scale(low),
        high=scale(high),
        unit=figure.unit if unit is None else unit,
    )


def size_kib(measured: Figures) -> Estimate:
    """Size of the model file."""
    return Estimate.exact(measured.file_bytes / 1024, "file size", "KiB")


def _worst_class_drop(quality: VariantQuality) -> Estimate:
    if quality.fidelity is None:
        return Estimate.unknown("the teacher's answers on test are not known")
    return quality.fidelity.worst_drop


BUDGETS: dict[str, Budget] = {
    "min_score": Budget(
        "score", "at least", "{metric} on test", quality=lambda quality: quality.score
    ),
    "max_drop_vs_teacher": Budget(
        "score difference",
        "at most",
        "{metric} lost to the teacher",
        quality=lambda quality: quality.drop_vs_teacher,
    ),
    "max_drop_vs_fp32": Budget(
        "score difference",
        "at most",
        "{metric} lost to the fp32 student",
        quality=lambda quality: quality.drop_vs_fp32,
        short="lost to fp32",
    ),
    "min_agreement": Budget(
        "share",
        "at least",
        "same answer as the teacher ({same})",
        quality=lambda quality: quality.agreement_with_teacher,
        short="same answers",
    ),
    "max_worst_class_drop": Budget(
        "points",
        "at most",
        "recall lost by the worst hit class",
        quality=_worst_class_drop,
        short="lost by the worst class",
    ),
    "max_p50_ms": Budget(
        "ms",
        "at most",
        "latency p50",
        measured=lambda measured: measured.p50_ms,
        percentile=50.0,
        predicted=lambda predicted: predicted.p50_ms,
        of_machine=True,
        repeats=True,
    ),
    "max_p90_ms": Budget(
        "ms",
        "at most",
        "latency p90",
        measured=lambda measured: measured.p90_ms,
        percentile=90.0,
        of_machine=True,
        repeats=True,
    ),
    "max_p99_ms": Budget(
        "ms",
        "at most",
        "latency p99",
        measured=lambda measured: measured.p99_ms,
        percentile=99.0,
        short="p99",
        of_machine=True,
        repeats=True,
    ),
    "max_peak_memory_mib": Budget(
        "MiB",
        "at most",
        "peak memory",
        measured=lambda measured: scaled(measured.peak_memory_bytes, 2**-20, "MiB"),
        of_machine=True,
        repeats=True,
    ),
    "max_arena_kib": Budget(
        "KiB",
        "at most",
        "memory of a microcontroller",
        measured=lambda measured: scaled(measured.arena_bytes, 2**-10, "KiB"),
        short="arena",
    ),
    "max_size_kib": Budget("KiB", "at most", "file size", measured=size_kib),
    "max_energy_uj": Budget(
        "uJ",
        "at most",
        "energy proxy per query",
        measured=lambda measured: measured.energy_uj,
        of_machine=True,
        with_method=True,
    ),
    "max_instructions": Budget(
        "instructions",
        "at most",
        "instructions per query (a count, not a time)",
        measured=lambda measured: measured.instructions,
        short="instructions",
    ),
}
"""By the key that a recipe's ``[gate]`` sets; ``task_budgets.find`` has those of metrics, too."""
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
    return {
        key: value
        for key, value in gate.budgets().items()
        if key in BUDGETS and BUDGETS[key].repeats
    }


def decided(budgets: Mapping[str, float], models: Sequence[Figures]) -> bool:
    """Whether the intervals of every variant decide each of these budgets; see `undecided`."""
    return not undecided(budgets, models)


def undecided(budgets: Mapping[str, float], models: Sequence[Figures]) -> frozenset[str]:
    """Names of the variants that longer measuring may still decide.

    A figure that has no value stays without one however many processes there are, so nothing is
    waited for; the gate leaves it undecided. Neither is anything for a variant that misses a
    budget. The teacher is not judged.

    Args:
        budgets: of what the benchmark stage measures, by key.
        models: the figures of each model so far.
    """
    return frozenset(
        model.name for model in models if model.name != TEACHER and _open(budgets, model)
    )


def _open(budgets: Mapping[str, float], model: Figures) -> bool:
    """Whether one variant is undecided on a figure that was measured, and misses no budget."""
    outcomes = set()
    for key, value in budgets.items():
        budget = BUDGETS[key]
        figure = budget.measured(model) if budget.measured is not None else None
        if figure is not None and figure.value is not None:
            outcomes.add(hold(budget.direction, value, figure)[0])
    return "undecided" in outcomes and "not ready" not in outcomes


def percentiles(budgets: Mapping[str, float]) -> list[float]:
    """The percentiles of latency that these budgets limit, in percent."""
    limited = (BUDGETS[key].percentile for key in budgets)
    return [percentile for percentile in limited if percentile is not None]


def hold(direction: Direction, budget: float, figure: Estimate) -> tuple[Outcome, str]:
    """What one figure says of its budget, and why.

    Args:
        direction: on which side of the budget the figure has to lie.
        budget: in the figure's unit.
        figure: with its interval.
    """
    if figure.value is None:
        return "undecided", f"not measured: {figure.missing}"
    low, high = figure.low, figure.high
    if not all(math.isfinite(v) for v in (figure.value, low, high) if v is not None):
        return "not ready", "not a finite number"
    if figure.kind in UNDECIDING:
        return "undecided", UNDECIDING[figure.kind]
    # Seen from the budget, the end of the interval that is worst and the one that is best.
    worst, best = (_negative(high), _negative(low)) if direction == "at most" else (low, high)
    limit = -budget if direction == "at most" else budget
    if best is not None and (best < limit or (best == limit and direction == "above")):
        return "not ready", "the whole interval is outside the budget"
    if low is None or high is None:
        return "undecided", f"no interval: {figure.missing}"
    if worst is not None and (worst > limit or (worst == limit and direction != "above")):
        return "ready", "the whole interval is inside the budget"
    why = "the budget lies inside the interval; measure more or on more samples"
    return "undecided", why if figure.caution is None else f"{why}: {figure.caution}"


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
