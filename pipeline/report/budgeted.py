"""The figures that a budget is set for and that no table shows anyway, of every model.

[line.name for line in lines(report)]   # ['balanced accuracy', 'p99']
"""

from dataclasses import dataclass

from ...devices.onboard.stats.estimate import Estimate
from .. import tasks
from ..judge import constant
from ..judge.budgets import BUDGETS, Budget
from ..judge.task_budgets import of_record
from ..records import TEACHER, Report
from . import numbers, rows
from .numbers import Unit
from .rows import Row

SHOWN = frozenset(
    {
        "min_score",
        "max_drop_vs_teacher",
        "max_p50_ms",
        "max_p90_ms",
        "max_peak_memory_mib",
        "max_size_kib",
        "max_energy_uj",
    }
)
"""Budgets of figures that every table of models has."""


@dataclass(frozen=True, slots=True)
class Line:
    """One budgeted figure of all models.

    Attributes:
        name: what it is.
        unit: that of the budget.
        figures: by the name of the model; None for the teacher where it is what is compared with.
        of_answers: whether it is one of the answers on test, not one of time or memory.
    """

    name: str
    unit: Unit
    of_answers: bool
    figures: dict[str, Estimate | None]


def lines(report: Report) -> tuple[Line, ...]:
    """A line a budget, in the order of the gate."""
    quality = report.quality
    shown = SHOWN | {tasks.of(quality.task).metric.key}
    keys = dict.fromkeys(
        check.key
        for judged in report.verdict.variants
        for check in judged.checks
        if not constant.is_one(check) and check.key not in shown
    )
    return tuple(_line(report, key, of_record(key, quality)) for key in keys)


def _line(report: Report, key: str, budget: Budget) -> Line:
    models = rows.models(report)
    figures = {model.name: _figure(model, key, budget) for model in models}
    name = budget.short or budget.title.replace("{metric}", report.quality.metric)
    of_answers = budget.quality is not None
    return Line(name, numbers.budget_unit(key, report.quality), of_answers, figures)


def _figure(model: Row, key: str, budget: Budget) -> Estimate | None:
    checks = model.verdict.checks if model.verdict else ()
    judged = next((check.figure for check in checks if check.key == key), None)
    if judged is not None:
        return judged
    if model.name == TEACHER and budget.quality is not None and key in BUDGETS:
        return None
    if budget.quality is not None and model.quality is not None:
        return budget.quality(model.quality)
    if budget.measured is not None and model.figures is not None:
        return budget.measured(model.figures)
    return Estimate.unknown("not found in this run")
