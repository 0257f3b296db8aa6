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
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from ...devices.bench.bench import Figures
from ...devices.onboard.stats.estimate import Estimate
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
from ..tasks.fidelity import worst_class_drop
from .budgets import MEASURED, OF_THE_MACHINE, hold, scaled

SAME_SIZE = 1.02
"""Files no more than this factor apart are of one size; of those the first made, the plainest, is
taken."""
ORT_AGREEMENT = 0.95
"""A quantized .ort file runs other kernels on this host than on its target, so a few answers may
differ; one that agrees less often than this is not the same model."""
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


def _measured(of: Callable[[Figures], Estimate]) -> Callable[[Subject], Estimate]:
    return lambda subject: of(subject.figures)


FIGURES: dict[str, Callable[[Subject], Estimate]] = {
    "min_accuracy": lambda s: s.quality.score,
    "min_score": lambda s: s.quality.score,
    "max_drop_vs_teacher": lambda s: s.quality.drop_vs_teacher,
    "max_drop_vs_fp32": lambda s: s.quality.drop_vs_fp32,
    "min_agreement": lambda s: s.quality.agreement_with_teacher,
    "max_worst_class_drop": lambda s: _worst_class(s.quality),
    **{key: _measured(of) for key, of in MEASURED.items()},
    "max_size_kib": lambda s: Estimate.exact(s.figures.file_bytes / 1024, "file size", "KiB"),
    "max_energy_uj": lambda s: s.figures.energy_uj,
    "max_instructions": lambda s: s.figures.instructions,
}
"""Where each budget finds its figure, in the budget's own unit."""


def judge(gate: Gate, quality: VerifyRecord, measured: BenchmarkRecord) -> Verdict:
    """Judge every variant and name the one to ship."""
    subjects = _subjects(quality, measured)
    verdicts = tuple(_variant(s, gate.budgets(), measured) for s in subjects)
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


def check(key: str, budget: float, figure: Estimate) -> Check:
    """One budget against one figure."""
    outcome, why = hold(key, budget, figure)
    if key == "max_energy_uj" and figure.method:
        # No energy without how it was found: a declared model's are not this device's joules.
        why = f"{why}; {figure.method}"
    return Check(key=key, budget=budget, figure=figure, outcome=outcome, why=why)


def _subjects(quality: VerifyRecord, measured: BenchmarkRecord) -> list[Subject]:
    figures = {model.name: model for model in measured.benchmark.models}
    ratios = {one.of: one.p50 for one in measured.benchmark.ratios if one.over == FP32}
    ratios[FP32] = Estimate.exact(1.0, "fp32 itself", "ratio")

    def time(name: str) -> Estimate:
        if figures[name].p50_ms.value is None:
            return figures[name].p50_ms
        return ratios.get(name, Estimate.unknown("not measured beside fp32", unit="ratio"))

    return [Subject(q, figures[q.name], time(q.name)) for q in quality.variants]


def check_elsewhere(key: str, budget: float, name: str, measured: BenchmarkRecord) -> Check:
    """A budget of a device on which nothing was measured: undecided, whatever another one took.

    Only p50 is predicted, and a prediction decides nothing either.
    """
    if measured.on_target is None:
        nothing = "this run does not say whether it was measured on the device to ship to"
        fix = "build it again"
    else:
        nothing = f"nothing was measured on {measured.target}, only on {measured.measured_on}"
        fix = "measure it there"
    predicted = next((one.p50_ms for one in measured.predicted if one.name == name), None)
    if key == "max_p50_ms" and predicted is not None:
        figure, why = predicted, f"PREDICTED, and {nothing}: a prediction decides nothing; {fix}"
    else:
        figure, why = Estimate.unknown(nothing), f"{nothing}; {fix}"
    return Check(key=key, budget=budget, figure=figure, outcome="undecided", why=why)


def _variant(
    subject: Subject, budgets: Mapping[str, float], measured: BenchmarkRecord
) -> VariantVerdict:
    checks = tuple(
        check_elsewhere(key, budget, subject.name, measured)
        if key in OF_THE_MACHINE and not measured.on_target
        else check(key, budget, FIGURES[key](subject))
        for key, budget in budgets.items()
    )
    faults = _faults(subject.quality)
    outcomes = {c.outcome for c in checks}
    outcome: Outcome = "ready"
    if "undecided" in outcomes:
        outcome = "undecided"
    if faults or "not ready" in outcomes:
        outcome = "not ready"
    return VariantVerdict(name=subject.quality.name, outcome=outcome, checks=checks, faults=faults)


def _faults(quality: VariantQuality) -> tuple[str, ...]:
    faults = [
        f"differs from PyTorch by {p.max_abs_difference:.3g} (at most {p.tolerance:.3g}) at batch "
        f"{p.batch}, optimization {p.optimization}"
        for p in quality.parity
        if not p.holds
    ]
    if quality.checker is not None:
        faults.append(f"onnx.checker: {quality.checker}")
    if quality.parity and quality.ort_max_abs_difference > quality.parity[0].tolerance:
        faults.append(f".ort differs from .onnx by {quality.ort_max_abs_difference:.3g}")
    elif quality.ort_agreement < ORT_AGREEMENT:
        faults.append(f".ort answers as .onnx in only {quality.ort_agreement:.1%} of test")
    return tuple(faults)


PREFERENCES: dict[str, Callable[[Subject], Estimate]] = {
    "latency": lambda s: s.time_over_fp32,
    "size": FIGURES["max_size_kib"],
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


def _worst_class(quality: VariantQuality) -> Estimate:
    if quality.fidelity is None:
        return Estimate.unknown("the teacher's answers on test are not known")
    return worst_class_drop(quality.fidelity)
