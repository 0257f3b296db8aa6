"""The gate: every figure against its budget, by interval.

A variant is READY when every whole interval lies inside its budget, NOT READY when one lies wholly
outside (or a fault stands), UNDECIDED otherwise. A missing figure is never a pass, and neither is
NaN. The verdict is the best any variant got. Of the READY variants the best in ``gate.prefer``
ships; of those that intervals cannot tell apart, the smallest file.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..devices.bench import Figures
from ..devices.stats import Estimate
from .fidelity import worst_class_drop
from .recipe import Gate
from .records import (
    BenchmarkRecord,
    Check,
    Outcome,
    VariantQuality,
    VariantVerdict,
    Verdict,
    VerifyRecord,
)

SAME_SIZE = 1.02
"""Files no more than this factor apart are of one size; of those the first made, the plainest, is
taken."""
ORT_AGREEMENT = 0.95
"""A quantized .ort file runs other kernels on this host than on its target, so a few answers may
differ; one that agrees less often than this is not the same model."""
EXIT_CODES: dict[Outcome, int] = {"ready": 0, "not ready": 1, "undecided": 5}


class Subject(NamedTuple):
    """One variant's figures, together."""

    quality: VariantQuality
    figures: Figures


FIGURES: dict[str, Callable[[Subject], Estimate]] = {
    "min_accuracy": lambda s: s.quality.score,
    "min_score": lambda s: s.quality.score,
    "max_drop_vs_teacher": lambda s: s.quality.drop_vs_teacher,
    "max_drop_vs_fp32": lambda s: s.quality.drop_vs_fp32,
    "min_agreement": lambda s: s.quality.agreement_with_teacher,
    "max_worst_class_drop": lambda s: _worst_class(s.quality),
    "max_p50_ms": lambda s: s.figures.p50_ms,
    "max_p90_ms": lambda s: s.figures.p90_ms,
    "max_p99_ms": lambda s: s.figures.p99_ms,
    "max_peak_memory_mib": lambda s: _scaled(s.figures.peak_memory_bytes, 2**-20),
    "max_size_kib": lambda s: Estimate.exact(s.figures.file_bytes / 1024, "file size"),
    "max_energy_uj": lambda s: s.figures.energy_uj,
    "max_instructions": lambda s: s.figures.instructions,
}
"""Where each budget finds its figure, in the budget's own unit."""


def judge(gate: Gate, quality: VerifyRecord, measured: BenchmarkRecord) -> Verdict:
    """Judge every variant and name the one to ship."""
    figures = {model.name: model for model in measured.benchmark.models}
    subjects = [Subject(q, figures[q.name]) for q in quality.variants]
    verdicts = tuple(_variant(subject, gate.budgets()) for subject in subjects)
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
    outcome, why = _compare(key.startswith("min_"), budget, figure)
    return Check(key=key, budget=budget, figure=figure, outcome=outcome, why=why)


def _compare(at_least: bool, budget: float, figure: Estimate) -> tuple[Outcome, str]:
    if figure.value is None:
        return "undecided", f"not measured: {figure.missing}"
    low, high = figure.low, figure.high
    if not all(math.isfinite(v) for v in (figure.value, low, high) if v is not None):
        return "not ready", "not a finite number"
    if low is None or high is None:
        return "undecided", f"no interval: {figure.missing}"
    # Seen from the budget, the end of the interval that is worst and the one that is best.
    worst, best = (low, high) if at_least else (-high, -low)
    limit = budget if at_least else -budget
    if worst >= limit:
        return "ready", "the whole interval is inside the budget"
    if best < limit:
        return "not ready", "the whole interval is outside the budget"
    return "undecided", "the budget lies inside the interval; measure more or on more samples"


def _variant(subject: Subject, budgets: Mapping[str, float]) -> VariantVerdict:
    checks = tuple(check(key, budget, FIGURES[key](subject)) for key, budget in budgets.items())
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
    "latency": lambda s: s.figures.p50_ms,
    "size": FIGURES["max_size_kib"],
    # The interval of a declared model is what all variants' energies share; it does not part them.
    "energy": lambda s: _point(s.figures.energy_uj),
    "accuracy": lambda s: _scaled(s.quality.score, -1.0),
}
"""What ``gate.prefer`` compares; smaller is better."""


def preferred(prefer: str, metric: str) -> str:
    """What the preferred figure is called where ``metric`` is the score on test."""
    return metric if prefer == "accuracy" else prefer


def _choose(prefer: str, metric: str, ready: Sequence[Subject]) -> tuple[Subject, str]:
    """The best in the preferred figure, or the smallest of those not told from it by interval."""
    figures = {s.quality.name: PREFERENCES[prefer](s) for s in ready}
    best = min(ready, key=lambda s: _or_infinity(figures[s.quality.name].value))
    reach = _or_infinity(figures[best.quality.name].high)
    equals = [s for s in ready if _or_infinity(figures[s.quality.name].low) <= reach < math.inf]
    least = min(s.figures.file_bytes for s in equals or [best])
    ship = next(s for s in equals or [best] if s.figures.file_bytes <= SAME_SIZE * least)
    name, what = ship.quality.name, preferred(prefer, metric)
    if len(ready) == 1:
        return ship, f"{name} is inside every budget"
    if len(equals) > 1:
        others = ", ".join(s.quality.name for s in equals if s is not ship)
        return ship, (
            f"{name} is inside every budget; in {what} it cannot be told from {others} within "
            "their intervals, and no file of these is smaller by more than 2 %"
        )
    return ship, f"{name} is inside every budget, the best of {len(ready)} in {what}"


def _point(figure: Estimate) -> Estimate:
    return figure if figure.value is None else Estimate.exact(figure.value, figure.method)


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


def _scaled(figure: Estimate, factor: float) -> Estimate:
    def scale(value: float | None) -> float | None:
        return None if value is None else value * factor

    return Estimate(
        scale(figure.value),
        scale(figure.low),
        scale(figure.high),
        figure.method,
        figure.n,
        figure.missing,
    )
