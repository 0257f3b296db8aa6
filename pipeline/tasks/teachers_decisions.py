"""Tasks without labels whose teacher gives logits: its decisions are the truth.

``class-logits`` is judged as a classification, ``label-logits`` as multi-label, both against what
the teacher decides. So every soft loss of logits suits them, and none of them knows whether the
teacher is right.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..records import DataRecord, Fidelity, OutputShift
from . import classification, multi_label
from .sampling import Sampling
from .task import Metric, Outputs, Task, Truth

Decided = Callable[[Outputs], Truth]
"""The labels that a teacher's logits [n, k] decide for."""


def _without_labels(of: Task, name: str, decided: Decided, reported: Mapping[str, Metric]) -> Task:
    """A task as it is where a teacher's logits stand for the labels.

    Args:
        of: the task with labels.
        name: of the new one.
        decided: what the logits decide.
        reported: the metrics that are kept, with the name that each has in ``of``.
    """

    def score(outputs: Outputs, teacher: Truth, sampling: Sampling) -> Estimate:
        return of.score(outputs, decided(teacher), sampling)

    def drop(a: Outputs, b: Outputs, teacher: Truth, sampling: Sampling) -> Estimate:
        return of.drop(a, b, decided(teacher), sampling)

    def metrics(outputs: Outputs, teacher: Truth, sampling: Sampling) -> dict[str, Estimate]:
        found = of.metrics(outputs, decided(teacher), sampling)
        return {one.name: found[known] for known, one in reported.items() if known in found}

    def differ(a: Outputs, b: Outputs, teacher: Truth) -> NDArray[np.bool_]:
        return of.answers_differ(a, b, decided(teacher))

    def shifts(
        a: Outputs, b: Outputs, teacher: Truth, names: Sequence[str]
    ) -> tuple[OutputShift, ...]:
        return of.output_shifts(a, b, decided(teacher), _named(names, teacher))

    def constant(teacher: Truth, names: Sequence[str]) -> str:
        return of.constant_answer(decided(teacher), _named(names, teacher))

    def fidelity(
        student: Outputs, teacher: Outputs, truth: Truth, names: Sequence[str], sampling: Sampling
    ) -> Fidelity:
        found = of.fidelity(student, teacher, decided(truth), _named(names, truth), sampling)
        # How sure the teacher is cannot be held against its own decisions.
        unknown = {"teacher_calibration": None, "student_calibration": None}
        return found.model_copy(update={"task": name, **unknown})

    return replace(
        of,
        name=name,
        labels=None,
        outputs=_as_many_as_the_teacher_gives,
        output_noun=None,
        hard_loss=None,
        reported=tuple(_against(one, decided) for one in reported.values()),
        weighted_by=None,
        score=score,
        drop=drop,
        metrics=metrics,
        answers_differ=differ,
        output_shifts=shifts,
        left_out=_none_left_out,
        constant_answer=constant,
        fidelity=fidelity,
    )


def _as_many_as_the_teacher_gives(data: DataRecord) -> None:  # noqa: ARG001
    return None


def _none_left_out(teacher: Truth, outputs: int) -> NDArray[np.bool_]:  # noqa: ARG001
    return np.zeros(outputs, np.bool_)


def _named(names: Sequence[str], teacher: Truth) -> Sequence[str]:
    """Names of the outputs; their numbers where nobody named them."""
    return names or tuple(str(number) for number in range(teacher.shape[1]))


def _against(metric: Metric, decided: Decided) -> Metric:
    value, constant = metric.value, metric.constant
    return replace(
        metric,
        value=None if value is None else lambda outputs, truth: value(outputs, decided(truth)),
        constant=None
        if constant is None
        else lambda truth: _padded(constant(decided(truth)), truth),
        mean_of=None,
    )


def _padded(constant: Outputs, teacher: Truth) -> Outputs:
    """A constant answer with an output for every one of the teacher's, also those never decided."""
    missing = teacher.shape[1] - constant.shape[1]
    return np.pad(constant, ((0, 0), (0, missing)))


def _kept(task: Task, names: Mapping[str, str]) -> dict[str, Metric]:
    """Metrics of a task by their names there, with the names they get here."""
    return {known: replace(task.named(known), name=name) for known, name in names.items()}


CLASSES = _without_labels(
    classification.TASK,
    "class-logits",
    lambda teacher: teacher.argmax(1),
    _kept(
        classification.TASK,
        {
            "accuracy": "top-1 agreement",
            "balanced accuracy": "balanced agreement",
            "macro-F1": "macro-F1 to the teacher",
        },
    ),
)
"""Logits of classes of which the teacher's likeliest counts as right."""
LABELS = _without_labels(
    multi_label.TASK,
    "label-logits",
    lambda teacher: (teacher > 0).astype(np.float32),
    _kept(
        multi_label.TASK,
        {
            "mAP": "mAP to the teacher",
            "micro-F1": "micro-F1 to the teacher",
            "macro-F1": "macro-F1 to the teacher",
        },
    ),
)
"""Logits of labels, each by itself; those above 0 count as set."""
