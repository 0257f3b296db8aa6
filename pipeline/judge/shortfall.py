"""What a verdict of NOT READY is short of: answers, time, memory or size, and in which variant.

>>> missed_by("max_size_kib"), missed_by("min_accuracy")
('size', 'answers')

A variant whose fp32 answers well enough is short of what compression took (``compression``); where
fp32 itself does not, of what the student has learned (``student``): other steps mend each of these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..records import VariantVerdict, Verdict
from .budgets import BUDGETS
from .choice import FP32

Need = Literal["compression", "student", "time", "memory", "size"]
MARGIN = 0.05
"""Share of a budget of latency, memory or energy that a figure of few processes, which has no
interval, keeps clear of."""
_MEMORY = ("max_peak_memory_mib", "max_arena_kib")
_SIZE = ("max_size_kib",)


@dataclass(frozen=True, slots=True)
class VariantShortfall:
    """What one variant lacks to be READY.

    Attributes:
        variant: its name.
        needs: what has to be mended, all of it.
        over: the largest ratio of a figure of time, memory or size to its budget; at least 1.
    """

    variant: str
    needs: frozenset[Need]
    over: float = 1.0

    @property
    def at_both_ends(self) -> bool:
        """Whether the student answers too badly and is too large or slow as well."""
        return "student" in self.needs and len(self.needs) > 1


def of(verdict: Verdict) -> tuple[VariantShortfall, ...]:
    """What each variant lacks that the app takes, that which lacks the least first.

    Variants that miss nothing, or have a fault whatever the budgets, are left out.
    """
    answers_of_fp32 = next((_answers(one) for one in verdict.variants if one.name == FP32), False)
    found = [
        VariantShortfall(one.name, frozenset(_needs(one, answers_of_fp32)), _over(one))
        for one in verdict.variants
        if not one.faults and not one.cannot_ship
    ]
    return tuple(sorted((one for one in found if one.needs), key=lambda one: len(one.needs)))


def missed_by(key: str) -> Literal["answers", "time", "memory", "size"]:
    """What a budget limits."""
    budget = BUDGETS.get(key)
    if budget is None or budget.measured is None:
        return "answers"
    if key in _MEMORY:
        return "memory"
    return "size" if key in _SIZE else "time"


def _needs(judged: VariantVerdict, answers_of_fp32: bool) -> Iterator[Need]:
    for check in judged.checks:
        if check.outcome == "not ready":
            what = missed_by(check.key)
            if what != "answers":
                yield what
            else:
                yield "student" if answers_of_fp32 or judged.name == FP32 else "compression"


def _over(judged: VariantVerdict) -> float:
    """By the worse end of the interval, which has to be inside."""
    ratios = [1.0]
    for check in judged.checks:
        figure = check.figure.high if check.figure.high is not None else check.figure.value
        missed = check.outcome == "not ready" and missed_by(check.key) != "answers"
        if missed and figure is not None and check.budget > 0.0:
            ratios.append(figure / check.budget)
    return max(ratios)


def _answers(judged: VariantVerdict) -> bool:
    """Whether a variant misses a budget of its answers."""
    return any(
        check.outcome == "not ready" and missed_by(check.key) == "answers"
        for check in judged.checks
    )
