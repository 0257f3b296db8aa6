"""Multi-label: any number of labels of a sample hold, and each output is the logit of one label."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..recipe.training import Schedule
from ..records import DataRecord, Fidelity, OutputShift
from . import class_recall, number_labels
from .average_precision import average_precision
from .blocks import check_same_shape
from .changed_answers import Decision, changed_record
from .class_counts import macro_f1, value_of, worst_recall
from .class_means import f1_of_overlap, mean_of_classes
from .jackknife import (
    Figure,
    OfSums,
    Statistic,
    mean,
    mean_share_figure,
    of_sums,
    of_weights,
    ratio,
    share_figure,
)
from .labels import Labels, ReadLabels
from .probabilities import DIVERGENCE, LEAST, Probabilities, binary_divergence, sigmoid
from .sampling import Sampling
from .task import FidelityFigure, Metric, Outputs, SampleLoss, Task, Truth

if TYPE_CHECKING:
    import torch

_PRESENT_OR_NOT = (0.0, 1.0)


def _read(labels: Mapping[str, NDArray[Any]], names: Sequence[str], where: str) -> ReadLabels:
    return number_labels.read(labels, names, where, values=_PRESENT_OR_NOT)


def _counts(labels: NDArray[Any], classes: int) -> tuple[int, ...]:  # noqa: ARG001
    return tuple(labels.sum(0).astype(int).tolist())


def _rankings(outputs: Outputs, present: Truth) -> Statistic:
    """mAP: the mean over the labels that have positives; NaN where the weights leave one none."""
    check_same_shape(outputs, present)
    labels = [
        average_precision(outputs[:, i], present[:, i] > 0) for i in np.flatnonzero(present.any(0))
    ]

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.mean([label(weights) for label in labels], axis=0))

    return statistic


def _map(outputs: Outputs, present: Truth) -> float:
    check_same_shape(outputs, present)
    if not present.any():
        return 0.0
    return float(_rankings(outputs, present)(np.ones((1, len(present))))[0])


def _map_estimate(outputs: Outputs, present: Truth, sampling: Sampling) -> Estimate:
    positives = sampling.behind(np.flatnonzero(column > 0) for column in present.T)
    figure = share_figure("mAP over labels", max(1, len(positives)), positives)
    return _of_rankings(_rankings(outputs, present), present, figure, sampling)


def _map_drop(reference: Outputs, outputs: Outputs, present: Truth, sampling: Sampling) -> Estimate:
    before, after = _rankings(reference, present), _rankings(outputs, present)
    figure = Figure("paired difference of mAP", "share", bounds=(-1.0, 1.0))
    return _of_rankings(lambda w: before(w) - after(w), present, figure, sampling)


def _of_rankings(
    statistic: Statistic, present: Truth, figure: Figure, sampling: Sampling
) -> Estimate:
    if not present.any():
        return Estimate.unknown("no label has a positive sample", figure.what, 0, figure.unit)
    return of_weights(statistic, len(present), figure, sampling)


def _counted(outputs: Outputs, present: Truth) -> NDArray[np.float64]:
    """Whether each label of each sample is found, there and answered: [n, 3 labels]."""
    check_same_shape(outputs, present)
    truth, answered = present > 0, outputs > 0
    return np.concatenate([truth & answered, truth, answered], 1).astype(np.float64)


def _micro_f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 of all labels together, as a figure of sums."""
    hits, present, answered = (part.sum(1) for part in np.split(sums, 3, axis=1))
    return ratio(np.stack([2 * hits, present + answered], 1))


def _value(figure: Callable[[NDArray[Any]], OfSums], outputs: Outputs, present: Truth) -> float:
    """A figure of counts, on all samples; 0 where there is nothing to find and nothing answered."""
    return value_of(figure, _counted(outputs, present).sum(0))


def _metrics(outputs: Outputs, present: Truth, sampling: Sampling) -> dict[str, Estimate]:
    counted = _counted(outputs, present)
    truth, answered = present > 0, outputs > 0
    rows_of = [np.flatnonzero(column) for column in truth.T]
    metrics = {"mAP": _map_estimate(outputs, present, sampling)} if truth.any() else {}
    if truth.any() or answered.any():
        micro = share_figure("micro-F1")
        metrics["micro-F1"] = of_sums(counted, _micro_f1, micro, sampling)
        hits = truth & answered
        either = [np.flatnonzero(column) for column in (truth | answered).T]
        overlap = [(rows, hits[rows, i]) for i, rows in enumerate(either)]
        f1 = mean_share_figure("macro-F1", overlap, sampling)
        metrics["macro-F1"] = mean_of_classes(
            "macro-F1",
            lambda sampled: of_sums(counted, macro_f1(counted.sum(0)), f1, sampled),
            overlap,
            sampling,
            f1_of_overlap,
        )
    recalled = [(rows, answered[rows, i]) for i, rows in enumerate(rows_of)]
    return metrics | class_recall.recalls(recalled, sampling)


def _answers_differ(a: Outputs, b: Outputs, truth: Truth) -> NDArray[np.bool_]:  # noqa: ARG001
    check_same_shape(a, b)
    return np.asarray(((a > 0) != (b > 0)).any(1))


def _label_shifts(
    a: Outputs,
    b: Outputs,
    truth: Truth,  # noqa: ARG001
    names: Sequence[str],
) -> tuple[OutputShift, ...]:
    changed = ((a > 0) != (b > 0)).sum(0)
    return tuple(
        OutputShift(name=names[i], measure="count", changed=int(changed[i]))
        for i in range(len(changed))
    )


def _without_positives(present: Truth, outputs: int) -> NDArray[np.bool_]:  # noqa: ARG001
    return np.asarray(~(present > 0).any(0))


def _alike(present: Truth) -> Outputs:
    """Outputs that rank all samples alike: the precision of each label is then its prevalence."""
    return np.zeros(present.shape)


def _margin(model: Outputs, reference: Outputs) -> NDArray[np.float64]:
    """The largest difference in the probability of a label that changed."""
    apart = np.abs(sigmoid(model.astype(np.float64)) - sigmoid(reference.astype(np.float64)))
    return np.asarray(np.where((model > 0) != (reference > 0), apart, 0.0).max(1))


DECISION = Decision(
    answers=lambda logits: np.asarray(logits > 0),
    truth=lambda labels: np.asarray(labels > 0),
    margin=_margin,
    numbers=lambda answer: np.flatnonzero(answer).tolist(),
)


def _fidelity(
    student: Outputs, teacher: Outputs, present: Truth, names: Sequence[str], sampling: Sampling
) -> Fidelity:
    by_teacher, by_student = teacher > 0, student > 0
    rows_of = [np.flatnonzero(column > 0) for column in present.T]
    recalled = [
        class_recall.Recalled(rows, by_teacher[rows, i], by_student[rows, i])
        for i, rows in enumerate(rows_of)
    ]
    classes = class_recall.class_drops(names, recalled, sampling)
    # The labels of one sample are not independent, so the sample is what is counted.
    share = (by_teacher == by_student).mean(1)
    nats = binary_divergence(student, teacher)
    return Fidelity(
        task=TASK.name,
        samples=len(student),
        agreement=mean(share, share_figure("mean share of labels"), sampling),
        figures={"KL(teacher‖student)": mean(nats, DIVERGENCE, sampling)},
        teacher_calibration=None,
        student_calibration=None,
        classes=classes,
        worst_class=class_recall.worst_class(classes),
        worst_drop=class_recall.worst_drop(recalled, sampling, "label"),
        changed=changed_record(student, teacher, present, DECISION),
    )


def _are_probabilities(outputs: NDArray[np.float32]) -> bool:
    return bool((outputs >= 0).all() and (outputs <= 1).all())


def _logits(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits whose sigmoid gives the probabilities back."""
    p = np.clip(probabilities.astype(np.float64), LEAST, 1.0 - LEAST)
    return np.log(p / (1.0 - p)).astype(np.float32)


def hard_loss(data: DataRecord, schedule: Schedule | None) -> SampleLoss:
    """Binary cross-entropy, the mean over the labels of each sample.

    Smoothing moves each label towards one half. Weighted, a label that is set counts as many times
    as it is rarer than not set in train.
    """
    import torch
    import torch.nn.functional as F

    smoothing = schedule.label_smoothing if schedule else 0.0
    weights = None
    if schedule and schedule.class_weights:
        counts = np.maximum(data.counts["train"], 1.0)
        odds = np.maximum(data.samples("train") - counts, 1.0) / counts
        weights = torch.from_numpy(odds.astype(np.float32))

    def loss(outputs: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
        target = labels * (1.0 - smoothing) + 0.5 * smoothing
        of = None if weights is None else weights.to(outputs.device)
        nats = F.binary_cross_entropy_with_logits(outputs, target, reduction="none", pos_weight=of)
        return nats.mean(1)

    return loss


TASK = Task(
    name="multi-label",
    labels=Labels(
        one_column=False,
        text="names",
        values=_PRESENT_OR_NOT,
        in_window="any",
        read=_read,
        counts=_counts,
        stratified=True,
        every_class_in=("train",),
        minus_one=True,
    ),
    output_noun=("label", "labels"),
    probabilities=Probabilities(
        "sigmoid",
        lambda logits: sigmoid(logits.astype(np.float64)),
        _are_probabilities,
        _logits,
        "p / (1 - p)",
    ),
    hard_loss=hard_loss,
    soft_losses={"kd": "binary_kd", "mse": "mse"},
    reported=(
        Metric("mAP", "share", value=_map, constant=_alike),
        Metric("micro-F1", "share", value=partial(_value, lambda _: _micro_f1)),
        Metric("macro-F1", "share", value=partial(_value, macro_f1)),
        Metric(class_recall.WORST_RECALL, "share", value=partial(_value, worst_recall)),
        Metric("recall", "share", of_all=False, of_each=True, nothing=class_recall.NEVER_FOUND),
    ),
    score=_map_estimate,
    drop=_map_drop,
    metrics=_metrics,
    answers_differ=_answers_differ,
    same_answer="every label the same",
    output_shifts=_label_shifts,
    left_out=_without_positives,
    left_out_of="mAP and recall are",
    why_left_out=("has no positive sample", "have no positive sample"),
    constant_answer=lambda present, names: "ranking all samples alike",  # noqa: ARG005
    fidelity=_fidelity,
    agreement_title="Labels answered as by the teacher",
    fidelity_figures={
        "KL(teacher‖student)": FidelityFigure("KL(teacher‖student), mean over labels", "nats")
    },
    recall_noun=("label", "labels"),
    right_answer="A sample is right where every label is.",
)
