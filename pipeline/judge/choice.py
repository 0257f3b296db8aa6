"""Which of the READY variants ships.

Of the READY variants the best in ``gate.prefer`` ships; of those whose intervals overlap its own,
the smallest file. Latencies are compared by their ratios to fp32, paired by repetition, in which
what disturbed both cancels. A variant whose ratio is above 1, however wide its interval, does not
take the place of fp32 for being smaller. What has no interval is not preferred to what has one, so
that a ratio of few processes never takes the place of fp32 either. Where none has one, the choice
is made by the figures alone and says so.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...devices.bench.ratio_text import stated, times
from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Figures
from ..records import BenchmarkRecord, VariantQuality, VerifyRecord
from .budgets import scaled, size_kib

SAME_SIZE = 1.02
"""Files no more than this factor apart are of one size; of those the first made, the plainest, is
taken."""
FP32 = "fp32"
_NAMED = 3
"""Variants that a list in the reason names: it is the first thing that is read."""


@dataclass(frozen=True, slots=True)
class Subject:
    """All figures of one variant.

    Attributes:
        quality: of the verify stage.
        figures: of the benchmark stage.
        time_over_fp32: its median latency over that of fp32.
    """

    quality: VariantQuality
    figures: Figures
    time_over_fp32: Estimate

    @property
    def name(self) -> str:
        """The variant's."""
        return self.quality.name


def subjects_of(quality: VerifyRecord, measured: BenchmarkRecord) -> list[Subject]:
    """Every variant with its figures, in the order they were made."""
    figures = {model.name: model for model in measured.benchmark.models}
    ratios = {ratio.of: ratio.p50 for ratio in measured.benchmark.ratios if ratio.over == FP32}
    ratios[FP32] = Estimate.exact(1.0, "fp32 itself", "ratio")

    def time(name: str) -> Estimate:
        if figures[name].p50_ms.value is None:
            return figures[name].p50_ms
        return ratios.get(name, Estimate.unknown("not measured beside fp32", unit="ratio"))

    return [
        Subject(variant, figures[variant.name], time(variant.name)) for variant in quality.variants
    ]


PREFERENCES: dict[str, Callable[[Subject], Estimate]] = {
    "latency": lambda subject: subject.time_over_fp32,
    "size": lambda subject: size_kib(subject.figures),
    "energy": lambda subject: _by_one_model(subject.figures.energy_uj),
    "accuracy": lambda subject: scaled(subject.quality.score, -1.0),
}
"""What ``gate.prefer`` compares; smaller is better."""


def preferred(prefer: str, metric: str) -> str:
    """The name of the preferred figure, where ``metric`` is the score on test."""
    return metric if prefer == "accuracy" else prefer


def choose(prefer: str, metric: str, ready: Sequence[Subject]) -> tuple[Subject, str]:
    """The variant that ships, and why.

    Args:
        prefer: a key of ``PREFERENCES``.
        metric: the name of the score on test.
        ready: the READY variants, at least one.
    """
    if len(ready) == 1:
        return ready[0], f"{ready[0].name} is inside every budget"
    figures = {subject.name: PREFERENCES[prefer](subject) for subject in ready}
    known = [subject for subject in ready if _has_interval(figures[subject.name])]
    ship, why = _best(preferred(prefer, metric), figures, known or ready, len(ready))
    if known and (unknown := [s.name for s in ready if s not in known]):
        why += f"; {_named(unknown)} without an interval, so not preferred to it"
    return ship, why + (_compared(ready, ship) if prefer == "latency" else "")


def _best(
    what: str, figures: Mapping[str, Estimate], among: Sequence[Subject], ready: int
) -> tuple[Subject, str]:
    """The variant that ships, and why.

    Args:
        what: the name of the preferred figure.
        figures: the preferred figure by variant.
        among: of these; either all figures have an interval or none has.
        ready: how many are inside every budget.
    """
    best = min(among, key=lambda subject: _or_infinity(figures[subject.name].value))
    reach = _or_infinity(figures[best.name].high)
    equals = [
        subject for subject in among if _or_infinity(figures[subject.name].low) <= reach < math.inf
    ] or [best]
    slower = _slower(equals) if what == "latency" else []
    equals = [subject for subject in equals if subject not in slower]
    least = min(subject.figures.file_bytes for subject in equals)
    ship = next(s for s in equals if s.figures.file_bytes <= SAME_SIZE * least)
    if len(equals) > 1:
        others = _named([subject.name for subject in equals if subject is not ship])
        why = (
            f"{ship.name} is inside every budget; in {what} its interval overlaps that of "
            f"{others}, and no file of these is smaller by more than 2 %"
        )
    else:
        why = f"{ship.name} is inside every budget, the best of {ready} in {what}"
        if not _has_interval(figures[ship.name]):
            missing = figures[ship.name].missing or "no reason was recorded"
            why += f" by figures without an interval ({missing}): another may be better"
    if figures[ship.name].kind == "declared":
        why += ", by the declared model"
    if slower:
        names = _named([subject.name for subject in slower])
        why += f"; {names}: not known to be as fast as fp32, so not preferred to it for size"
    return ship, why


def _slower(equals: Sequence[Subject]) -> list[Subject]:
    """Where fp32 is among variants of overlapping intervals: those that seem slower than it."""
    if all(subject.name != FP32 for subject in equals):
        return []
    others = [subject for subject in equals if subject.name != FP32]
    return [subject for subject in others if _or_infinity(subject.time_over_fp32.value) > 1.0]


def _compared(ready: Sequence[Subject], ship: Subject) -> str:
    """The ratios that the choice by latency rests on: the best, and that of the one that ships."""
    others = [subject for subject in ready if subject.name != FP32]
    others.sort(key=lambda subject: _or_infinity(subject.time_over_fp32.value))
    shown = [subject for subject in others if subject is ship]
    shown += [subject for subject in others if subject is not ship][: _NAMED - len(shown)]
    if len(others) <= _NAMED:
        shown = [subject for subject in ready if subject in others]
    ratios = ", ".join(f"{subject.name} {_ratio(subject.time_over_fp32)}" for subject in shown)
    more = len(others) - len(shown)
    rest = f", and {more} more in the report" if more else ""
    figures = [subject.time_over_fp32 for subject in shown]
    missing = dict.fromkeys(one.missing for one in figures if one.missing and one.value is not None)
    why = f" (no interval: {'; '.join(map(str, missing))})" if missing else ""
    return f"; compared by ratios paired by repetition: {ratios}{rest}{why}"


def _ratio(figure: Estimate) -> str:
    """A ratio with its interval; why there is none is said once for all."""
    if figure.value is not None and not _has_interval(figure):
        return f"{times(figure.value)} the latency of {FP32}"
    return stated(figure, "latency", FP32)


def _named(names: Sequence[str]) -> str:
    """Names for a sentence, the first few where there are many."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} others"


def _by_one_model(figure: Estimate) -> Estimate:
    """A declared energy without its interval, which tells no variants apart: all share it."""
    if figure.value is None or figure.kind != "declared":
        return figure
    return replace(figure, low=figure.value, high=figure.value)


def _has_interval(figure: Estimate) -> bool:
    return figure.value is not None and figure.low is not None and figure.high is not None


def _or_infinity(value: float | None) -> float:
    return math.inf if value is None else value
