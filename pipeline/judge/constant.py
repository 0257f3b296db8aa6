"""A model that is not shown to be better than a constant answer is never READY.

Judged of every variant, whatever the budgets, by each metric for which its task names the best
answer that does not depend on the input: the score, and of classes balanced accuracy, too.
"""

from collections.abc import Iterator

from .. import tasks
from ..records import Check, OverConstant, VerifyRecord
from ..tasks.constant import must_beat
from .budgets import hold
from .choice import Subject
from .task_budgets import ABOVE_CONSTANT, find

_WORDS = {"ready": "better", "not ready": "no better", "undecided": "not shown to be better"}


def checks(subject: Subject, quality: VerifyRecord) -> Iterator[Check]:
    """One variant against the best constant answer, by each metric that asks for it."""
    task = tasks.of(quality.task)
    found = {over.metric: over for over in subject.quality.over_constant}
    for metric in must_beat(task):
        key = f"{ABOVE_CONSTANT}.{metric.key}"
        budget = find(key, task, quality.labels)
        figure = budget.figure(subject.quality, subject.figures)
        outcome, why = hold(budget.direction, 0.0, figure)
        over = found.get(metric.name)
        if over is not None:
            why = f"{_WORDS[outcome]} in {metric.name} than {_answer(over, metric.unit)}"
            why += f"; {figure.missing}" if figure.missing else ""
        yield Check(key=key, budget=0.0, figure=figure, outcome=outcome, why=why)


def is_one(check: Check) -> bool:
    """Whether a check is one of these and not of a budget."""
    return check.key.partition(".")[0] == ABOVE_CONSTANT


def fails(check: Check) -> bool:
    """Whether a check is one of these, and keeps a model from being READY."""
    return is_one(check) and check.outcome != "ready"


def _answer(over: OverConstant, unit: tasks.MetricUnit) -> str:
    value = f"{100 * over.constant:.1f} %" if unit == "share" else f"{over.constant:.3g}"
    return f"{over.answer} ({value})"
