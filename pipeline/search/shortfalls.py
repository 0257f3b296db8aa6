"""Which budgets a file is expected to miss, before test has been looked at.

    expected(verdict, quality, test_samples=450)["int8-static"]   # (Shortfall(key='min_accuracy'…

A verdict needs the whole interval inside the budget. On validation the same is asked of an interval
as wide as test's will be (``Narrower``).
A figure of a short measurement has no interval; it has to be inside by ``MARGIN``.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Figures
from ..judge import promise, task_budgets
from ..judge.budgets import BUDGETS, Budget
from ..judge.gate import check, check_elsewhere
from ..judge.shortfall import MARGIN
from ..recipe.gate import Gate
from ..records import (
    AT,
    TEACHER,
    BenchmarkRecord,
    Check,
    DataRecord,
    Shortfall,
    Split,
    Verdict,
    VerifyRecord,
)

_LOSSES = frozenset({"score difference", "points"})
"""Units of what is lost to a reference; nothing lost is the best."""
_SCORES = frozenset({"score", "share", "none"})
"""Units of scores whose best is 1: shares, R², cosine."""
ARENA = "max_arena_kib"
"""The budget of which files for microcontrollers alone have the figure."""
_OF_FILE = frozenset({ARENA, "max_size_kib"})
"""Budgets of which the file tells, without being run here."""
_BY_ONNX = frozenset({"onnx", "ort"})
"""Formats whose figures are those of the ``.onnx`` file."""


@dataclass(frozen=True, slots=True)
class Narrower:
    """Half of an interval on test, of half of the same on validation.

    An interval narrows with the square root of the samples. Of a share that is all but 0 or 1 it
    narrows with the samples themselves: of 180 without a change the share that changes may be 4 %,
    of 450 without one 1.7 %. Wilson's interval (1927) has both parts: its half is about
    ``e z² / 2n + z √(v / n + z² / 4n²)``, where v is the variance of one sample and e its ``edge``.
    What validation says of v says how wide test's will be.

    Attributes:
        validation: independent samples.
        test: the same of the other split.
        confidence: of both intervals.
        counts: whether the figures are shares of samples; those of other tasks narrow with the
            square root.
    """

    validation: int
    test: int
    confidence: float
    counts: bool

    def __call__(self, half: float, edge: float) -> float:
        """Half of test's interval.

        Args:
            half: of validation's.
            edge: 1 where the share is at the end of what there can be and the interval goes from
                there; 0 in the middle.
        """
        if not self.counts:
            return half * math.sqrt(self.validation / self.test)
        z, n = NormalDist().inv_cdf((1.0 + self.confidence) / 2.0), self.validation
        spread = max(0.0, half - edge * z**2 / (2.0 * n))
        variance = max(0.0, n * (spread**2 / z**2 - z**2 / (4.0 * n**2)))
        return half * _half_of(self.test, z, variance, edge) / _half_of(n, z, variance, edge)


def _half_of(n: int, z: float, variance: float, edge: float) -> float:
    return edge * z**2 / (2.0 * n) + z * math.sqrt(variance / n + z**2 / (4.0 * n**2))


def keys_of_resources(gate: Gate) -> tuple[str, ...]:
    """The budgets of what a file takes of the device; those of quality are left out."""
    return tuple(
        key for key in gate.budgets() if key in BUDGETS and BUDGETS[key].measured is not None
    )


def needs_measuring(gate: Gate) -> bool:
    """Whether a budget of resources asks for more than the file tells, which is run for it."""
    return not _OF_FILE.issuperset(keys_of_resources(gate))


def tells_size(gate: Gate) -> bool:
    """Whether a budget is one of which the file tells."""
    return not _OF_FILE.isdisjoint(keys_of_resources(gate))


def may_fit(gate: Gate, measured: BenchmarkRecord) -> bool:
    """Whether a file is inside all budgets of which the file tells."""
    budgets = [key for key in keys_of_resources(gate) if key in _OF_FILE]
    return any(
        not missed(tuple(one for one in checks if one.key in budgets))
        for checks in of_resources(gate, measured).values()
    )


def of_resources(gate: Gate, measured: BenchmarkRecord) -> dict[str, tuple[Check, ...]]:
    """These budgets for every file that the app can take and that can meet them, by its name."""
    found = {
        figures.name: tuple(_resources(gate, figures, measured))
        for figures in measured.benchmark.models
        if figures.name != TEACHER and _is_taken(figures.name, gate.runtimes)
    }
    return {name: checks for name, checks in found.items() if not lacks_arena(checks)}


def lacks_arena(checks: Sequence[Check]) -> bool:
    """Whether a file has to have an arena and has none: it is never READY, whatever is tried."""
    return any(one.key == ARENA and one.figure.value is None for one in checks)


def _is_taken(name: str, runtimes: Sequence[str] | None) -> bool:
    """Whether the app takes a file; an ``.ort`` file is the ``.onnx`` file that was measured."""
    format_ = name.partition(AT)[2]
    return runtimes is None or bool({format_} & {*runtimes} if format_ else {*runtimes} & _BY_ONNX)


def _resources(gate: Gate, figures: Figures, measured: BenchmarkRecord) -> Iterator[Check]:
    budgets = gate.budgets()
    for key in keys_of_resources(gate):
        budget = BUDGETS[key]
        if budget.of_machine and not measured.on_target:
            yield check_elsewhere(key, budgets[key], figures.name, measured)
        elif budget.measured is not None:
            yield check(key, budgets[key], budget.measured(figures))


def missed(checks: tuple[Check, ...]) -> tuple[Shortfall, ...]:
    """The budgets of resources that a file misses; one whose figure is unknown is not missed."""
    found = (shortfall(one, BUDGETS[one.key]) for one in checks)
    return tuple(one for one in found if one is not None)


def observations(data: DataRecord, split: Split) -> int:
    """What an interval of a split counts: its samples, or its groups where it has such."""
    return len(data.groups.get(split, ())) or data.samples(split)


def expected(
    verdict: Verdict,
    quality: VerifyRecord,
    test_samples: int,
    validation_samples: int | None = None,
) -> dict[str, tuple[Shortfall, ...]]:
    """What each file that could ship is expected to miss in a verdict on test.

    Args:
        verdict: on validation.
        quality: that it was made of.
        test_samples: of test; see ``observations``.
        validation_samples: of validation; None: as many as its record has.

    Returns:
        By file. Left out are files with a fault, files that the app cannot take and, where the
        arena has a budget, files that have none.
    """
    narrower = Narrower(
        validation_samples or quality.test_samples,
        test_samples,
        promise.confidence(max(1, len(quality.variants))),
        counts=quality.task == "classification",
    )
    found = {}
    for judged in verdict.variants:
        if judged.faults or judged.cannot_ship or lacks_arena(judged.checks):
            continue
        misses = (
            shortfall(one, task_budgets.of_record(one.key, quality), narrower)
            for one in judged.checks
        )
        found[judged.name] = tuple(miss for miss in misses if miss is not None)
    return found


def shortfall(
    one: Check, budget: Budget, narrower: Callable[[float, float], float] = lambda half, _: half
) -> Shortfall | None:
    """How far a figure is outside the part of its budget that a verdict needs; None: inside.

    Args:
        one: the check; a figure without a value, which nothing that is tried would bring, is taken
            for one inside.
        budget: what it limits.
        narrower: half of test's interval, of half of validation's; see ``Narrower``.
    """
    value = one.figure.value
    if value is None or not math.isfinite(value):
        return None
    upper = budget.direction == "at most"
    # The lower end of a score goes to the middle of what there can be, the upper of a loss from 0.
    edge = max(0.0, 1.0 - 2.0 * abs(value)) if upper else 0.0
    needed = narrower(_half_width(one.figure, upper=upper), edge)
    if budget.of_machine:
        needed = max(needed, MARGIN * abs(one.budget))
    limit = _attainable(one.budget - needed if upper else one.budget + needed, one.budget, budget)
    outside = value - limit if upper else limit - value
    if outside < 0.0 or (outside == 0.0 and budget.direction != "above"):
        return None
    excess = outside / abs(one.budget) if budget.measured is not None and one.budget else outside
    return Shortfall(key=one.key, budget=one.budget, value=value, needed=limit, excess=excess)


def _attainable(limit: float, value: float, budget: Budget) -> float:
    """A limit no stricter than the best figure that there is.

    Where test is so small that its interval cannot lie inside, whatever the student answers, more
    samples would help and nothing that a search tries.

    Args:
        limit: that a figure would have to keep.
        value: of the budget.
        budget: what it limits.
    """
    if budget.direction == "at most" and budget.unit in _LOSSES and value >= 0.0:
        return max(limit, 0.0)
    if budget.direction == "at least" and budget.unit in _SCORES and value <= 1.0:
        return min(limit, 1.0)
    return limit


def _half_width(figure: Estimate, *, upper: bool) -> float:
    """From the value to the end of the interval that a verdict looks at; 0 without an interval."""
    end = figure.high if upper else figure.low
    if end is None or figure.value is None or not math.isfinite(end):
        return 0.0
    return abs(end - figure.value)


def nearest(found: Mapping[str, tuple[Shortfall, ...]]) -> str | None:
    """The file that misses the fewest budgets, by the least; None where there is no file."""
    return min(found, key=lambda name: distance(found[name]), default=None)


def distance(misses: tuple[Shortfall, ...]) -> tuple[int, float]:
    """How far from all budgets: how many are missed, and by how much in all."""
    return len(misses), sum(miss.excess for miss in misses)
