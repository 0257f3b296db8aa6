"""The gate: every figure against its budget, by interval.

A variant is READY when every whole interval lies inside its budget, NOT READY when one lies wholly
outside (or a fault stands), UNDECIDED otherwise. A missing figure is never a pass, and neither is
NaN. A prediction and a declared model decide nothing (``budgets.UNDECIDING``): where the target is
not the machine measured on, its latency, peak memory and energy were not measured and their budgets
are undecided. The verdict is the best any variant got.
Of the READY variants the best in ``gate.prefer`` ships; of those that intervals cannot tell apart,
the smallest file. Latencies are told apart by their ratios to fp32, paired by repetition, in which
what disturbed both cancels; and a variant whose ratio is above 1, however wide its interval, does
not take fp32's place for being smaller.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Figures
from ..recipe.gate import Gate
from ..records import (
    BenchmarkRecord,
    Check,
    Outcome,
    VariantQuality,
    VariantVerdict,
    Verdict,
    VerifyRecord,
)
from . import packages
from .budgets import BUDGETS, hold, scaled, size_kib

SAME_SIZE = 1.02
"""Files no more than this factor apart are of one size; of those the first made, the plainest, is
taken."""
FP32 = "fp32"
EXIT_CODES: dict[Outcome, int] = {"ready": 0, "not ready": 1, "undecided": 5}


class Subject(NamedTuple):
    """One variant's figures, together."""

    quality: VariantQuality
    figures: Figures
    time_over_fp32: Estimate

    @property
    def name(self) -> str:
        """The variant's."""
        return self.quality.name


def judge(gate: Gate, quality: VerifyRecord, measured: BenchmarkRecord) -> Verdict:
    """Judge every variant and name the one to ship."""
    subjects = _subjects(quality, measured)
    verdicts = tuple(_variant(subject, gate, measured) for subject in subjects)
    ready = [s for s, v in zip(subjects, verdicts, strict=True) if v.outcome == "ready"]
    outcome: Outcome
    if ready:
        best, why = _choose(gate.prefer, quality.metric, ready)
        outcome, ship, nearest = "ready", best.quality.name, best.quality.name
    else:
        close = _nearest(verdicts)
        undecided = any(v.outcome == "undecided" for v in verdicts)
        outcome, ship, nearest = "undecided" if undecided else "not ready", None, close.name
        why = _why_not(close)
    return Verdict(
        outcome=outcome,
        ship=ship,
        nearest=nearest,
        why=why,
        prefer=gate.prefer,
        variants=verdicts,
    )


def check(key: str, value: float, figure: Estimate) -> Check:
    """One budget against one figure."""
    budget = BUDGETS[key]
    outcome, why = hold(budget.direction, value, figure)
    if budget.with_method and figure.method:
        why = f"{why}; {figure.method}"
    return Check(key=key, budget=value, figure=figure, outcome=outcome, why=why)


def _subjects(quality: VerifyRecord, measured: BenchmarkRecord) -> list[Subject]:
    figures = {model.name: model for model in measured.benchmark.models}
    ratios = {one.of: one.p50 for one in measured.benchmark.ratios if one.over == FP32}
    ratios[FP32] = Estimate.exact(1.0, "fp32 itself", "ratio")

    def time(name: str) -> Estimate:
        if figures[name].p50_ms.value is None:
            return figures[name].p50_ms
        return ratios.get(name, Estimate.unknown("not measured beside fp32", unit="ratio"))

    return [Subject(q, figures[q.name], time(q.name)) for q in quality.variants]


def check_elsewhere(key: str, value: float, name: str, measured: BenchmarkRecord) -> Check:
    """A budget of a device on which nothing was measured: undecided, whatever another one took."""
    if measured.on_target is None:
        nothing = "this run does not say whether it was measured on the device to ship to"
        fix = "build it again"
    else:
        nothing = f"nothing was measured on {measured.target}, only on {measured.measured_on}"
        fix = "measure it there"
    of, predicted = (
        BUDGETS[key].predicted,
        next((prediction for prediction in measured.predicted if prediction.name == name), None),
    )
    if of is not None and predicted is not None:
        figure = of(predicted)
        why = f"PREDICTED, and {nothing}: a prediction decides nothing; {fix}"
    else:
        figure, why = Estimate.unknown(nothing), f"{nothing}; {fix}"
    return Check(key=key, budget=value, figure=figure, outcome="undecided", why=why)


def _variant(subject: Subject, gate: Gate, measured: BenchmarkRecord) -> VariantVerdict:
    checks = tuple(
        check_elsewhere(key, value, subject.name, measured)
        if BUDGETS[key].of_machine and not measured.on_target
        else check(key, value, BUDGETS[key].figure(subject.quality, subject.figures))
        for key, value in gate.budgets().items()
    )
    faults = _faults(subject.quality)
    outcomes = {c.outcome for c in checks}
    outcome: Outcome = "ready"
    if "undecided" in outcomes:
        outcome = "undecided"
    if faults or "not ready" in outcomes:
        outcome = "not ready"
    return VariantVerdict(
        name=subject.quality.name,
        outcome=outcome,
        checks=checks,
        faults=faults,
        packages=packages.verdicts(subject.quality, gate.budgets(), outcome),
    )


def _faults(quality: VariantQuality) -> tuple[str, ...]:
    faults = [
        f"differs from PyTorch by {p.max_abs_difference:.3g} (at most {p.tolerance:.3g}) at batch "
        f"{p.batch}, optimization {p.optimization}"
        for p in quality.parity
        if not p.holds
    ]
    if quality.checker is not None:
        faults.append(f"onnx.checker: {quality.checker}")
    return (*faults, *packages.faults(quality))


PREFERENCES: dict[str, Callable[[Subject], Estimate]] = {
    "latency": lambda s: s.time_over_fp32,
    "size": lambda s: size_kib(s.figures),
    # The interval of a declared model is what all variants' energies share; it does not part them.
    "energy": lambda s: _point(s.figures.energy_uj),
    "accuracy": lambda s: scaled(s.quality.score, -1.0),
}
"""What ``gate.prefer`` compares; smaller is better."""


def preferred(prefer: str, metric: str) -> str:
    """What the preferred figure is called where ``metric`` is the score on test."""
    return metric if prefer == "accuracy" else prefer


def _choose(prefer: str, metric: str, ready: Sequence[Subject]) -> tuple[Subject, str]:
    """The best in the preferred figure, or the smallest of those not told from it by interval."""
    if len(ready) == 1:
        return ready[0], f"{ready[0].name} is inside every budget"
    figures = {s.name: PREFERENCES[prefer](s) for s in ready}
    best = min(ready, key=lambda s: _or_infinity(figures[s.name].value))
    reach = _or_infinity(figures[best.name].high)
    equals = [s for s in ready if _or_infinity(figures[s.name].low) <= reach < math.inf] or [best]
    slower = _slower(equals) if prefer == "latency" else []
    equals = [s for s in equals if s not in slower]
    least = min(s.figures.file_bytes for s in equals)
    ship = next(s for s in equals if s.figures.file_bytes <= SAME_SIZE * least)
    what = preferred(prefer, metric)
    if len(equals) > 1:
        others = ", ".join(s.name for s in equals if s is not ship)
        why = (
            f"{ship.name} is inside every budget; in {what} it cannot be told from {others} within "
            "their intervals, and no file of these is smaller by more than 2 %"
        )
    else:
        why = f"{ship.name} is inside every budget, the best of {len(ready)} in {what}"
    return ship, why + (_compared(ready, slower) if prefer == "latency" else "")


def _slower(equals: Sequence[Subject]) -> list[Subject]:
    """Of those not told from fp32, where it is among them: what seems slower than it."""
    if all(s.name != FP32 for s in equals):
        return []
    others = [s for s in equals if s.name != FP32]
    return [s for s in others if _or_infinity(s.time_over_fp32.value) > 1.0]


def _compared(ready: Sequence[Subject], slower: Sequence[Subject]) -> str:
    """What the choice by latency rests on, and what fp32 was preferred to."""
    ratios = _listed(s for s in ready if s.name != FP32)
    why = f"; compared by time over fp32's, paired by repetition: {ratios}"
    if slower:
        names = ", ".join(s.name for s in slower)
        why += f"; {names}: not known to be as fast as fp32, so not preferred to it for size"
    return why


def _listed(subjects: Iterable[Subject]) -> str:
    return ", ".join(f"{s.name} {_ratio(s.time_over_fp32)}" for s in subjects)


def _ratio(figure: Estimate) -> str:
    if figure.value is None:
        return f"unknown ({figure.missing})"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.2f} (no interval: {figure.missing})"
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"


def _point(figure: Estimate) -> Estimate:
    return (
        figure if figure.value is None else Estimate.exact(figure.value, figure.method, figure.unit)
    )


def _or_infinity(value: float | None) -> float:
    return math.inf if value is None else value


def _nearest(verdicts: Sequence[VariantVerdict]) -> VariantVerdict:
    """The variant with the fewest budgets missed, then undecided; faults weigh as misses."""

    def distance(verdict: VariantVerdict) -> tuple[int, int]:
        outcomes = [check.outcome for check in verdict.checks]
        missed = outcomes.count("not ready") + len(verdict.faults)
        return missed, outcomes.count("undecided")

    return min(verdicts, key=distance)


def _why_not(nearest: VariantVerdict) -> str:
    missed = [c.key for c in nearest.checks if c.outcome == "not ready"] + list(nearest.faults)
    undecided = [c.key for c in nearest.checks if c.outcome == "undecided"]
    parts = [f"fails {', '.join(missed)}"] if missed else []
    parts += [f"cannot be decided on {', '.join(undecided)}"] if undecided else []
    return f"no variant is inside every budget; the nearest, {nearest.name}, {' and '.join(parts)}"
