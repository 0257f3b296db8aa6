"""Classification: exactly one class a sample is right, and outputs are its logits."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..recipe.training import Schedule
from ..records import SPLITS, DataRecord, Fidelity
from . import class_labels, class_recall
from .blocks import check_same_length, check_same_shape
from .calibration import calibration
from .changed_answers import Decision, changed_record
from .class_counts import balanced_accuracy, counts_by_unit, macro_f1, value_of, worst_recall
from .class_means import f1_of_overlap, mean_of_classes
from .jackknife import OfSums, mean, mean_share_figure, of_unit_sums
from .labels import Labels
from .probabilities import DIVERGENCE, LEAST, Probabilities, divergence, log_softmax, softmax
from .proportions import paired_difference, share
from .sampling import Sampling
from .task import FidelityFigure, Metric, Outputs, SampleLoss, Task, Truth

if TYPE_CHECKING:
    import torch

_SUM_TOLERANCE = 1e-3
"""Probabilities of a sample add up to 1 within this."""


def _correct(logits: Outputs, labels: Truth) -> NDArray[np.bool_]:
    check_same_length(logits, labels)
    return np.asarray(logits.argmax(1) == labels)


def _accuracy(logits: Outputs, labels: Truth) -> float:
    return float(_correct(logits, labels).mean())


def _accuracy_estimate(logits: Outputs, labels: Truth, sampling: Sampling) -> Estimate:
    return share(_correct(logits, labels), sampling, "accuracy")


def _accuracy_drop(
    reference: Outputs, logits: Outputs, labels: Truth, sampling: Sampling
) -> Estimate:
    return paired_difference(_correct(reference, labels), _correct(logits, labels), sampling)


def _value(figure: Callable[[NDArray[Any]], OfSums], logits: Outputs, labels: Truth) -> float:
    """A figure of counts, of all samples."""
    check_same_length(logits, labels)
    answers, classes = logits.argmax(1), logits.shape[1]
    numbers = (labels[labels == answers], labels, answers)
    counts = [np.bincount(each, minlength=classes) for each in numbers]
    return value_of(figure, np.concatenate(counts).astype(np.float64))


def _metrics(logits: Outputs, labels: Truth, sampling: Sampling) -> dict[str, Estimate]:
    correct, answers, classes = _correct(logits, labels), logits.argmax(1), logits.shape[1]
    sums = counts_by_unit(labels, answers, classes, sampling)
    rows_of = [np.flatnonzero(labels == i) for i in range(classes)]
    recalled = [(rows, correct[rows]) for rows in rows_of]
    either = [np.flatnonzero((labels == i) | (answers == i)) for i in range(classes)]
    overlap = [(rows, correct[rows]) for rows in either]
    total, n = sums.sum(0), len(labels)
    balanced = mean_share_figure("balanced accuracy", recalled, sampling)
    f1 = mean_share_figure("macro-F1", overlap, sampling)

    def mean_recall(sampled: Sampling) -> Estimate:
        return of_unit_sums(sums, balanced_accuracy(total), balanced, sampled, n)

    def mean_f1(sampled: Sampling) -> Estimate:
        return of_unit_sums(sums, macro_f1(total), f1, sampled, n)

    return {
        "accuracy": share(correct, sampling, "accuracy"),
        "balanced accuracy": mean_of_classes("mean recall", mean_recall, recalled, sampling),
        "macro-F1": mean_of_classes("macro-F1", mean_f1, overlap, sampling, f1_of_overlap),
        **class_recall.recalls(recalled, sampling),
    }


def _answers_differ(a: Outputs, b: Outputs, truth: Truth) -> NDArray[np.bool_]:  # noqa: ARG001
    check_same_shape(a, b)
    return np.asarray(a.argmax(1) != b.argmax(1))


def _most_frequent(labels: Truth) -> Outputs:
    """Logits that always answer the most frequent class, the best constant answer by accuracy.

    By balanced accuracy all constant answers are alike: one class is found, the others are not.
    """
    return np.tile(np.eye(labels.max() + 1)[np.bincount(labels).argmax()], (len(labels), 1))


def _always(labels: Truth, names: Sequence[str]) -> str:
    return f"always answering {names[int(np.bincount(labels).argmax())]!r}"


def _margin(model: Outputs, reference: Outputs) -> NDArray[np.float64]:
    """The probability of a model's own answer less that of the other's, the mean of both models."""
    own, other = model.argmax(1)[:, None], reference.argmax(1)[:, None]
    p, q = (np.exp(log_softmax(x)) for x in (model, reference))
    at = np.take_along_axis
    return np.asarray((at(p - q, own, 1) - at(p - q, other, 1))[:, 0] / 2.0)


DECISION = Decision(
    answers=lambda logits: logits.argmax(1)[:, None],
    truth=lambda labels: labels[:, None],
    margin=_margin,
    numbers=list,
)


def _fidelity(
    student: Outputs, teacher: Outputs, labels: Truth, names: Sequence[str], sampling: Sampling
) -> Fidelity:
    teacher_correct, student_correct = (x.argmax(1) == labels for x in (teacher, student))
    rows_of = [np.flatnonzero(labels == i) for i in range(student.shape[1])]
    recalled = [
        class_recall.Recalled(rows, teacher_correct[rows], student_correct[rows])
        for rows in rows_of
    ]
    classes = class_recall.class_drops(names, recalled, sampling)
    agree = student.argmax(1) == teacher.argmax(1)
    nats = divergence(student, teacher)
    return Fidelity(
        task=TASK.name,
        samples=len(student),
        agreement=share(agree, sampling, "agreement"),
        figures={"KL(teacher‖student)": mean(nats, DIVERGENCE, sampling)},
        teacher_calibration=calibration(teacher, labels),
        student_calibration=calibration(student, labels),
        classes=classes,
        worst_class=class_recall.worst_class(classes),
        worst_drop=class_recall.worst_drop(recalled, sampling, "class"),
        changed=changed_record(student, teacher, labels, DECISION),
    )


def _are_distributions(outputs: NDArray[np.float32]) -> bool:
    sums = outputs.sum(1, dtype=np.float64)
    sum_to_one = bool((np.abs(sums - 1) <= _SUM_TOLERANCE).all())
    return outputs.shape[1] > 1 and not (outputs < 0).any() and sum_to_one


def _logits(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits whose softmax gives the probabilities back."""
    return np.log(np.clip(probabilities.astype(np.float64), LEAST, None)).astype(np.float32)


def hard_loss(data: DataRecord, schedule: Schedule | None) -> SampleLoss:
    """Cross-entropy of each sample.

    Label smoothing (Szegedy et al. 2016, §7) gives the share ``label_smoothing`` of the label to
    all classes alike. Weighted, each sample counts by the inverse of its class's share of train, so
    that the mean weight of a sample is 1.
    """
    import torch
    import torch.nn.functional as F

    smoothing = schedule.label_smoothing if schedule else 0.0
    weights = None
    if schedule and schedule.class_weights:
        counts = np.maximum(data.counts["train"], 1.0)
        shares = data.samples("train") / (len(counts) * counts)
        weights = torch.from_numpy(shares.astype(np.float32))

    def loss(outputs: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
        nats = F.cross_entropy(outputs, labels, reduction="none", label_smoothing=smoothing)
        return nats if weights is None else nats * weights.to(labels.device)[labels]

    return loss


TASK = Task(
    name="classification",
    labels=Labels(
        one_column=True,
        text="one name",
        in_window="most frequent",
        read=class_labels.read,
        counts=class_labels.counts,
        stratified=True,
        every_class_in=SPLITS,
        minus_one=True,
    ),
    output_noun=("class", "classes"),
    exclusive=True,
    probabilities=Probabilities("softmax", softmax, _are_distributions, _logits, "p"),
    hard_loss=hard_loss,
    soft_losses={"kd": "kd", "mse": "mse", "dkd": "dkd", "dist": "dist"},
    reported=(
        Metric("accuracy", "share", value=_accuracy, constant=_most_frequent),
        Metric(
            "balanced accuracy",
            "share",
            value=partial(_value, balanced_accuracy),
            constant=_most_frequent,
            mean_of="recall",
        ),
        Metric("macro-F1", "share", value=partial(_value, macro_f1)),
        Metric(class_recall.WORST_RECALL, "share", value=partial(_value, worst_recall)),
        Metric("recall", "share", of_all=False, of_each=True, nothing=class_recall.NEVER_FOUND),
    ),
    weighted_by="balanced accuracy",
    score=_accuracy_estimate,
    drop=_accuracy_drop,
    metrics=_metrics,
    answers_differ=_answers_differ,
    same_answer="the same class",
    constant_answer=_always,
    fidelity=_fidelity,
    agreement_title="Same answer as the teacher",
    fidelity_figures={"KL(teacher‖student)": FidelityFigure("KL(teacher‖student)", "nats")},
    recall_noun=("class", "classes"),
)
