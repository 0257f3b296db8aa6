"""What a student lost of its teacher: not how many answers, but which, where and how surely.

    found = compare(student_logits, teacher_logits, labels, ("cat", "dog"), "classification")
    found.worst_class, worst_class_drop(found).high

Two models of one accuracy may err on different samples, and a small drop overall may be all of a
rare class (Hooker et al., "What do compressed deep neural networks forget?", 2019).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..recipe import data as recipe
from ..records import Calibration, Changed, ClassDrop, Example, Fidelity
from . import intervals, metrics
from .intervals import Statistic
from .metrics import Outputs, Truth

BINS = 15
"""Of a calibration error (Guo et al. 2017)."""
EXAMPLES = 12
"""Changed samples that are shown."""
FAMILY_CONFIDENCE = 0.95
"""With which the drops of all classes lie within their intervals together."""


class Changes(NamedTuple):
    """Samples answered otherwise than by the reference, as rows in order, and their margins.

    Attributes:
        lost: rows where the reference is right and the model wrong.
        won: rows where the reference is wrong and the model right.
        both_wrong: rows where both are wrong, differently.
        margin: float64 [n] of all samples, 0 where nothing changed.
    """

    lost: NDArray[np.intp]
    won: NDArray[np.intp]
    both_wrong: NDArray[np.intp]
    margin: NDArray[np.float64]


def compare(
    student: Outputs,
    teacher: Outputs,
    truth: Truth | None,
    names: Sequence[str],
    task: recipe.Task,
) -> Fidelity:
    """Hold a student's answers against its teacher's.

    Args:
        student: finite float [n, k].
        teacher: finite float [n, k], the same samples in the same order.
        truth: as in ``metrics``; not looked at for embedding.
        names: of the k classes or labels; not looked at for other tasks.
        task: the recipe's.

    Raises:
        ValueError: shapes that do not fit each other, or no samples.
    """
    if student.shape != teacher.shape or student.ndim != 2 or not len(student):
        raise ValueError(f"a student of shape {student.shape}, a teacher of {teacher.shape}")
    if task == "embedding":
        return _vectors(student, teacher)
    if truth is None or len(truth) != len(student):
        raise ValueError("as many answers are needed as there are samples")
    if task == "regression":
        return _numbers(student, teacher, truth)
    if len(names) != student.shape[1]:
        raise ValueError(f"{len(names)} names for {student.shape[1]} outputs")
    compare_classes = _classification if task == "classification" else _multi_label
    return compare_classes(student, teacher, truth, names)


def worst_class_drop(fidelity: Fidelity) -> Estimate:
    """Recall that the worst hit class lost, with an interval that holds for the worst."""
    return fidelity.worst_drop


def changes(model: Outputs, reference: Outputs, truth: Truth, task: recipe.Task) -> Changes:
    """Which samples a model answers otherwise than a reference (Hooker et al. 2019, §3).

    The margin of a class is the mean, over both models, of the probability of its own answer less
    that of the other's; of labels, the largest difference in the probability of one that changed.
    A sample with several labels is right where all of them are.

    Args:
        model: logits, float [n, k].
        reference: logits of the same samples, float [n, k].
        truth: int64 [n], or 0 or 1 [n, k].
        task: classification or multi-label.
    """
    labels = task == "multi-label"
    told = truth > 0 if labels else truth[:, None]
    a, b = (_answers(logits, labels=labels) for logits in (model, reference))
    differ = (a != b).any(1)
    right_a, right_b = ((x == told).all(1) for x in (a, b))
    margin = np.zeros(len(model))
    for rows in metrics.blocks(*model.shape):
        # Only where something changed: probabilities of all samples would be for nothing.
        at = np.flatnonzero(differ[rows]) + rows.start
        of = _label_margin if labels else _class_margin
        margin[at] = of(model[at], reference[at])
    return Changes(
        np.flatnonzero(differ & right_b),
        np.flatnonzero(differ & right_a),
        np.flatnonzero(differ & ~right_a & ~right_b),
        margin,
    )


def calibration(logits: Outputs, labels: Truth, bins: int = BINS) -> Calibration:
    """Expected calibration error in bins of equal count, and its sign.

    Σ_b n_b / n · |accuracy - mean confidence| (Guo et al. 2017, eq. 3); equal counts where the
    paper has equal widths, for nearly all of a good model's confidences lie in its last bin.

    Args:
        logits: float [n, classes].
        labels: int64 [n].
        bins: how many.
    """
    confidence = np.concatenate(
        [np.exp(_log_softmax(logits[rows]).max(1)) for rows in metrics.blocks(*logits.shape)]
    )
    right = (logits.argmax(1) == labels).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    ordered, n = confidence[order], len(confidence)
    # A cut between equals would sort them by their place in test.
    wanted = ordered[np.arange(bins) * n // bins]
    starts = np.unique(np.searchsorted(ordered, wanted, side="left"))
    gaps = np.add.reduceat(right[order] - ordered, starts)
    variances = np.add.reduceat(ordered * (1.0 - ordered), starts)
    return Calibration(
        error=float(np.abs(gaps).sum() / n),
        # The mean of |normal| is √(2 / π) deviations.
        by_chance=float(np.sqrt(2.0 / np.pi * np.maximum(variances, 0.0)).sum() / n),
        overconfidence=float(confidence.mean() - right.mean()),
        bins=len(starts),
    )


def divergence(student: Outputs, teacher: Outputs) -> NDArray[np.float64]:
    """KL(softmax(t) ‖ softmax(z)) of each sample, float64 [n], in nats."""
    found = np.empty(len(student))
    for rows in metrics.blocks(*student.shape):
        log_p, log_q = _log_softmax(teacher[rows]), _log_softmax(student[rows])
        found[rows] = (np.exp(log_p) * (log_p - log_q)).sum(1)
    return np.maximum(found, 0.0)


def binary_divergence(student: Outputs, teacher: Outputs) -> NDArray[np.float64]:
    """KL of each label's sigmoid, the mean over the labels of each sample, float64 [n]."""
    found = np.empty(len(student))
    for rows in metrics.blocks(*student.shape):
        t, z = teacher[rows].astype(np.float64), student[rows].astype(np.float64)
        told = _sigmoid(t) * (_log_sigmoid(t) - _log_sigmoid(z))
        untold = _sigmoid(-t) * (_log_sigmoid(-t) - _log_sigmoid(-z))
        found[rows] = (told + untold).mean(1)
    return np.maximum(found, 0.0)


def _classification(
    student: Outputs, teacher: Outputs, labels: Truth, names: Sequence[str]
) -> Fidelity:
    right_t, right_s = (x.argmax(1) == labels for x in (teacher, student))
    of = [np.flatnonzero(labels == i) for i in range(len(names))]
    classes = _drops(names, [(right_t[rows], right_s[rows]) for rows in of])
    agree = student.argmax(1) == teacher.argmax(1)
    return Fidelity(
        task="classification",
        samples=len(student),
        agreement=intervals.proportion(int(agree.sum()), len(agree)),
        figures={"KL(teacher‖student)": _mean_kl(divergence(student, teacher))},
        teacher_calibration=calibration(teacher, labels),
        student_calibration=calibration(student, labels),
        classes=classes,
        worst_class=_worst(classes),
        worst_drop=_worst_drop(classes, "class"),
        changed=_changed(student, teacher, labels, "classification"),
    )


def _multi_label(
    student: Outputs, teacher: Outputs, holds: Truth, names: Sequence[str]
) -> Fidelity:
    found_t, found_s = teacher > 0, student > 0
    of = [np.flatnonzero(column > 0) for column in holds.T]
    classes = _drops(names, [(found_t[r, i], found_s[r, i]) for i, r in enumerate(of)])
    # The labels of one sample are not independent, so the sample is what is counted.
    share = (found_t == found_s).mean(1)
    return Fidelity(
        task="multi-label",
        samples=len(student),
        agreement=intervals.bootstrap_mean(share, "mean share of labels", bounds=(0.0, 1.0)),
        figures={"KL(teacher‖student)": _mean_kl(binary_divergence(student, teacher))},
        teacher_calibration=None,
        student_calibration=None,
        classes=classes,
        worst_class=_worst(classes),
        worst_drop=_worst_drop(classes, "label"),
        changed=_changed(student, teacher, holds, "multi-label"),
    )


def _numbers(student: Outputs, teacher: Outputs, truth: Truth) -> Fidelity:
    differ = metrics.of("regression").answers_differ(student, teacher, truth)
    z, t = student.astype(np.float64), teacher.astype(np.float64)
    deviation = metrics.deviations(truth.reshape(z.shape))
    varies = deviation > 0.0
    apart = Estimate.unknown("no number of test varies", "mean |difference|", len(z))
    if varies.any():
        each = (np.abs(z - t)[:, varies] / deviation[varies]).mean(1)
        apart = intervals.bootstrap_mean(each, "mean |difference| in deviations of the truth")
    together = intervals.bootstrap(
        _correlation(z, t), len(z), "Pearson correlation with the teacher"
    )
    return Fidelity(
        task="regression",
        samples=len(z),
        agreement=intervals.proportion(int((~differ).sum()), len(differ)),
        figures={"correlation": together, "mean |difference|": apart},
        teacher_calibration=None,
        student_calibration=None,
        classes=(),
        worst_class=None,
        worst_drop=Estimate.unknown("a regression has no classes"),
        changed=None,
    )


def _vectors(student: Outputs, teacher: Outputs) -> Fidelity:
    found = metrics.finds_itself(student, teacher)
    recall = intervals.proportion(int(found.sum()), len(found))
    return Fidelity(
        task="embedding",
        samples=len(student),
        agreement=recall,
        figures={
            "cosine": metrics.of("embedding").score(student, teacher),
            "recall@1": recall,
        },
        teacher_calibration=None,
        student_calibration=None,
        classes=(),
        worst_class=None,
        worst_drop=Estimate.unknown("an embedding has no classes"),
        changed=None,
    )


def _drops(
    names: Sequence[str], found: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]]
) -> tuple[ClassDrop, ...]:
    """Recall lost by each class, from what teacher and student found of its samples."""
    tested = sum(len(by_teacher) > 0 for by_teacher, _ in found)
    confidence = 1.0 - (1.0 - FAMILY_CONFIDENCE) / max(1, tested)
    return tuple(
        ClassDrop(
            name=name,
            samples=len(by_teacher),
            teacher_recall=float(by_teacher.mean()) if len(by_teacher) else None,
            student_recall=float(by_student.mean()) if len(by_student) else None,
            drop=intervals.paired_difference(by_teacher, by_student, confidence)
            if len(by_teacher)
            else Estimate.unknown(f"test has no sample of {name!r}"),
        )
        for name, (by_teacher, by_student) in zip(names, found, strict=True)
    )


def _worst(classes: Sequence[ClassDrop]) -> str | None:
    known = [(one.drop.value, one.name) for one in classes if one.drop.value is not None]
    return max(known, key=lambda one: one[0])[1] if known else None


def _worst_drop(classes: Sequence[ClassDrop], kind: str) -> Estimate:
    drops = [one.drop for one in classes]
    if all(drop.value is None for drop in drops):
        return Estimate.unknown(f"test has no sample of any {kind}")
    return intervals.worst_of(drops, most=1.0)


def _changed(student: Outputs, teacher: Outputs, truth: Truth, task: recipe.Task) -> Changed:
    found = changes(student, teacher, truth, task)
    rows = np.sort(np.concatenate(found[:3]))
    shown = rows[np.argsort(-found.margin[rows], kind="stable")][:EXAMPLES]
    labels = task == "multi-label"
    answers = [_answers(x[shown], labels=labels) for x in (teacher, student)]
    told = truth[shown] > 0 if labels else truth[shown][:, None]
    numbers = [_class_numbers(x, labels=labels) for x in (told, *answers)]
    return Changed(
        lost=len(found.lost),
        won=len(found.won),
        both_wrong=len(found.both_wrong),
        examples=tuple(
            Example(
                sample=int(row),
                truth=truth,
                reference=before,
                answer=after,
                margin=float(found.margin[row]),
            )
            for row, truth, before, after in zip(shown, *numbers, strict=True)
        ),
    )


def _answers(logits: Outputs, *, labels: bool) -> NDArray[Any]:
    """What is answered: the class [n, 1], or which labels hold [n, k]."""
    return np.asarray(logits > 0) if labels else logits.argmax(1)[:, None]


def _class_numbers(answers: NDArray[Any], *, labels: bool) -> list[tuple[int, ...]]:
    rows = (np.flatnonzero(row) if labels else row for row in answers)
    return [tuple(int(i) for i in row) for row in rows]


def _class_margin(model: Outputs, reference: Outputs) -> NDArray[np.float64]:
    own, other = model.argmax(1)[:, None], reference.argmax(1)[:, None]
    p, q = (np.exp(_log_softmax(x)) for x in (model, reference))
    at = np.take_along_axis
    return np.asarray((at(p - q, own, 1) - at(p - q, other, 1))[:, 0] / 2.0)


def _label_margin(model: Outputs, reference: Outputs) -> NDArray[np.float64]:
    apart = np.abs(_sigmoid(model.astype(np.float64)) - _sigmoid(reference.astype(np.float64)))
    return np.asarray(np.where((model > 0) != (reference > 0), apart, 0.0).max(1))


def _mean_kl(each: NDArray[np.float64]) -> Estimate:
    return intervals.bootstrap_mean(each, "mean KL(teacher‖student) at temperature 1")


def _correlation(z: NDArray[np.float64], t: NDArray[np.float64]) -> Statistic:
    """The mean over numbers of Pearson's r, under weights.

    A number in which the student says always the same follows the teacher in nothing, r = 0; one in
    which the teacher does is left out.
    """
    z, t = (_standardized(x) for x in (z, t))

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights.sum(1)[:, None]

        def covariance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
            product = (weights @ a) * (weights @ b) / total**2
            found: NDArray[np.float64] = (weights @ (a * b)) / total - product
            return found

        spread_z, spread_t = covariance(z, z), covariance(t, t)
        defined = spread_t > _FLAT
        both = defined & (spread_z > _FLAT)
        under = np.sqrt(np.where(both, spread_z * spread_t, 1.0))
        r = np.where(both, covariance(z, t) / under, 0.0)
        counted = defined.sum(1)
        mean: NDArray[np.float64] = np.full(len(weights), np.nan)
        np.divide(r.sum(1), counted, out=mean, where=counted > 0)
        return mean

    return statistic


_FLAT = 1e-9
"""Of a variance, in the sample's own: what rounding leaves of numbers that are all the same."""


def _standardized(x: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = metrics.deviations(x)
    varies = deviation > 0.0
    return np.where(varies, x - x.mean(0), 0.0) / np.where(varies, deviation, 1.0)


def _log_softmax(logits: Outputs) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def _log_sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.logaddexp(0.0, -x)


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(_log_sigmoid(x)))
