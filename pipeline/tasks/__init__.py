"""What labels and outputs mean, by task: losses, metrics, intervals, fidelity.

    >>> task = of("classification")
    >>> task.metric.name, task.selection(np.eye(3), np.array([0, 1, 1]))
    ('accuracy', 0.6666666666666666)

A new task is a file beside these, a line in ``TASKS`` below and a name in ``recipe/task_names.py``.
"""

from . import classification, embedding, multi_label, regression, teachers_decisions
from .task import MetricUnit, Task

__all__ = ["TASKS", "MetricUnit", "Task", "metric_unit", "of"]

TASKS: dict[str, Task] = {
    "classification": classification.TASK,
    "multi-label": multi_label.TASK,
    "regression": regression.TASK,
    "embedding": embedding.TASK,
    "class-logits": teachers_decisions.CLASSES,
    "label-logits": teachers_decisions.LABELS,
}


def of(name: str) -> Task:
    """The task of that name, which a recipe has checked."""
    return TASKS[name]


def metric_unit(metric: str) -> MetricUnit:
    """The unit of a metric of any task, ``none`` where no task has it."""
    units = (m.unit for task in TASKS.values() for m in task.reported if m.name == metric)
    return next(units, "none")
