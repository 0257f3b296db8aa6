"""The fastest variant that is shown to be correct, whatever its budgets of time, memory and size.

>>> fastest(quality, measured, verdict).name                            # doctest: +SKIP
'int8-static@litert'

Correct is a variant without a fault that is better than a constant answer and meets every budget of
its answers. The fastest has the lowest median latency over that of fp32 in ONNX Runtime, paired by
repetition.
"""

from dataclasses import dataclass

from ...devices.onboard.stats.estimate import Estimate
from ..records import BenchmarkRecord, Check, VariantVerdict, Verdict, VerifyRecord
from . import constant
from .choice import subjects_of
from .task_budgets import of_record


@dataclass(frozen=True, slots=True)
class Fastest:
    """The fastest correct variant.

    Attributes:
        name: its name.
        time_over_fp32: its median latency over that of fp32.
        equals: names of the other correct variants whose intervals overlap its own.
    """

    name: str
    time_over_fp32: Estimate
    equals: tuple[str, ...]


def fastest(quality: VerifyRecord, measured: BenchmarkRecord, verdict: Verdict) -> Fastest | None:
    """The fastest of the variants that are shown to be correct; None where there is none."""
    correct = {one.name for one in verdict.variants if _correct(one, quality)}
    times = {
        subject.name: subject.time_over_fp32
        for subject in subjects_of(quality, measured)
        if subject.name in correct and subject.time_over_fp32.value is not None
    }
    if not times:
        return None
    name = min(times, key=lambda one: times[one].value or 0.0)
    best = times[name]
    equals = [one for one in times if one != name and _overlap(best, times[one])]
    return Fastest(name, best, tuple(equals))


def _correct(judged: VariantVerdict, quality: VerifyRecord) -> bool:
    checks = [check for check in judged.checks if _of_answers(check, quality)]
    met = all(check.outcome == "ready" for check in checks)
    return met and not judged.faults and not judged.unknown


def _of_answers(check: Check, quality: VerifyRecord) -> bool:
    return constant.is_one(check) or of_record(check.key, quality).quality is not None


def _overlap(best: Estimate, other: Estimate) -> bool:
    """Whether another is not shown to be slower; without an interval nothing is."""
    if best.high is None or other.low is None:
        return True
    return other.low <= best.high
