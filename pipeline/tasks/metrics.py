"""What a model's answers are worth, by task: one table.

    >>> task = of("classification")
    >>> task.name, task.selection(np.eye(3), np.array([0, 1, 1]))
    ('accuracy', 0.6666666666666666)

Outputs are float [n, k]. The truth is int64 [n] for classification, 0 or 1 [n, k] for multi-label,
numbers [n, k] for regression (of one number also [n]), and the teacher's vectors [n, k] for
embedding. Every score is higher where the model is better.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ..recipe import data as recipe
from . import intervals
from .intervals import Statistic

Outputs = NDArray[Any]
Truth = NDArray[Any]

MOVED = 0.1
"""A number counts as another answer from here on, in standard deviations of the truth."""
RANKING_RESAMPLES = 1000
"""Of mAP, which takes a ranking of every label in each of them."""
_CELLS = 2**20
"""Numbers of a block, so that memory does not grow with the samples."""
_SAME_COSINE = 1e-6
"""Two vectors as near as this are both the nearest: what float32 cannot tell apart."""


@dataclass(frozen=True, slots=True)
class Task:
    """How a task's answers are judged.

    Attributes:
        kind: the recipe's name of the task.
        name: the primary score: accuracy, mAP, R² or cosine.
        selection: ``(outputs, truth)``: the primary score alone, cheap, always a number where the
            outputs are numbers: the epoch where it is highest is kept.
        score: ``(outputs, truth)``: the primary score with its interval over samples.
        drop: ``(reference outputs, outputs, truth)``: the reference's score minus the variant's,
            paired by sample.
        metrics: ``(outputs, truth)``: every number of the task by name, those of one class, label
            or number as ``name[index]``; what is not defined on these samples is left out.
        answers_differ: ``(a, b, truth)``: bool [n], where a answers otherwise than b.
        baseline: ``(truth)``: the primary score of a model that knows nothing of its input.
    """

    kind: recipe.Task
    name: str
    selection: Callable[[Outputs, Truth], float]
    score: Callable[[Outputs, Truth], Estimate]
    drop: Callable[[Outputs, Outputs, Truth], Estimate]
    metrics: Callable[[Outputs, Truth], dict[str, float]]
    answers_differ: Callable[[Outputs, Outputs, Truth], NDArray[np.bool_]]
    baseline: Callable[[Truth], float]

    def better(self, a: float, b: float) -> bool:
        """Whether a score of a is better than one of b."""
        return a > b


def of(task: recipe.Task) -> Task:
    """How a task's answers are judged."""
    return TASKS[task]


def blocks(rows: int, width: int) -> Iterator[slice]:
    """All rows in order, as many at once as keep the memory flat whatever their width."""
    step = max(1, _CELLS // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def confusion(answers: NDArray[Any], labels: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Counts [classes, classes]: truth in rows, answers in columns."""
    _same_length(answers, labels)
    cells = labels.astype(np.int64) * classes + answers
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def average_precision(scores: NDArray[Any], holds: NDArray[Any]) -> Statistic:
    """Average precision of one label, as a ``Statistic``.

    Σ (R_i - R_{i-1}) · P_i over the thresholds, without interpolation: the mean over the positives
    of the precision at each one's score (scikit-learn's ``average_precision_score``). Samples of
    one score share a threshold. Sorted once; weights only change the cumulated counts.

    Args:
        scores: float [n].
        holds: bool [n].

    Returns:
        NaN under weights that leave no positive.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, positive = scores[order], np.flatnonzero(holds[order])
    # The last sample, and the last positive, that share a positive's score.
    last = np.searchsorted(-ranked, -ranked[positive], side="right") - 1
    last_positive = np.searchsorted(positive, last, side="right") - 1

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        counted = weights[:, order]
        own = counted[:, positive]
        hits = np.cumsum(own, axis=1)[:, last_positive]
        above = np.cumsum(counted, axis=1)[:, last]
        # Nothing is above a positive that itself has no weight, and then it adds nothing.
        precision = np.divide(hits, above, out=np.zeros_like(hits), where=above > 0.0)
        total = own.sum(1)
        found = np.full(len(weights), np.nan)
        np.divide((own * precision).sum(1), total, out=found, where=total > 0.0)
        return found

    return statistic


def deviations(numbers: NDArray[Any]) -> NDArray[np.float64]:
    """Standard deviation of each column, float64 [k]; 0 where only rounding tells values apart."""
    wide = numbers.astype(np.float64)
    found = wide.std(0)
    return np.where(found > 1e-12 * np.abs(wide).max(0), found, 0.0)


def cosines(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Cosine between vectors of the same row, float64 [n]; 0 for a vector of length 0."""
    _same_shape(a, b)
    everything = np.arange(len(a))
    return _pairwise(a, everything, b, everything)


def nearest(vectors: NDArray[Any], among: NDArray[Any]) -> NDArray[np.int64]:
    """Row of the vector of the largest cosine to each one, int64 [n]; the first of equals.

    Args:
        vectors: float [n, d].
        among: float [m, d].
    """
    found = np.empty(len(vectors), np.int64)
    # A vector's own length does not change which is nearest to it.
    scale = _inverse_norms(among)
    for rows in blocks(len(vectors), len(among)):
        found[rows] = np.argmax((vectors[rows] @ among.T) * scale, axis=1)
    return found


def finds_itself(vectors: NDArray[Any], teacher: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether no teacher vector is nearer to each vector than that of its own sample, bool [n].

    Its share is recall@1. Other samples of the same teacher vector are as near and no error.
    """
    _same_shape(vectors, teacher)
    own = np.arange(len(vectors))
    return _as_near(vectors, own, nearest(vectors, teacher), teacher)


def _as_near(
    vectors: NDArray[Any], a: NDArray[Any], b: NDArray[Any], among: NDArray[Any]
) -> NDArray[np.bool_]:
    """Whether ``among[a]`` is as near to each vector as ``among[b]``, as far as can be told."""
    same = a == b
    rest = np.flatnonzero(~same)
    to_a, to_b = (_pairwise(vectors, rest, among, x[rest]) for x in (a, b))
    same[rest] = to_a >= to_b - _SAME_COSINE
    return np.asarray(same)


def _pairwise(
    a: NDArray[Any], rows_a: NDArray[Any], b: NDArray[Any], rows_b: NDArray[Any]
) -> NDArray[np.float64]:
    """Cosine of a[rows_a] and b[rows_b], without holding either."""
    found = np.empty(len(rows_a))
    for part in blocks(len(rows_a), a.shape[1]):
        x, y = a[rows_a[part]].astype(np.float64), b[rows_b[part]].astype(np.float64)
        length = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
        dots = np.einsum("nd,nd->n", x, y)
        found[part] = np.divide(dots, length, out=np.zeros(len(x)), where=length > 0.0)
    return np.clip(found, -1.0, 1.0)


# Classification.


def _right(logits: Outputs, labels: Truth) -> NDArray[np.bool_]:
    _same_length(logits, labels)
    return np.asarray(logits.argmax(1) == labels)


def _accuracy(logits: Outputs, labels: Truth) -> float:
    return float(_right(logits, labels).mean())


def _accuracy_estimate(logits: Outputs, labels: Truth) -> Estimate:
    right = _right(logits, labels)
    return intervals.proportion(int(right.sum()), len(right))


def _accuracy_drop(reference: Outputs, logits: Outputs, labels: Truth) -> Estimate:
    return intervals.paired_difference(_right(reference, labels), _right(logits, labels))


def _class_metrics(logits: Outputs, labels: Truth) -> dict[str, float]:
    counts = confusion(logits.argmax(1), labels, logits.shape[1])
    hits, there, answered = counts.diagonal(), counts.sum(1), counts.sum(0)
    recalls = {i: hits[i] / there[i] for i in np.flatnonzero(there)}
    return {
        "accuracy": float(hits.sum() / counts.sum()),
        "balanced accuracy": float(np.mean(list(recalls.values()))),
        "macro-F1": _macro_f1(hits, there, answered),
        **{f"recall[{i}]": float(recall) for i, recall in recalls.items()},
    }


def _classes_differ(a: Outputs, b: Outputs, truth: Truth) -> NDArray[np.bool_]:  # noqa: ARG001
    _same_shape(a, b)
    return np.asarray(a.argmax(1) != b.argmax(1))


def _majority(labels: Truth) -> float:
    """Of always answering the most frequent class."""
    return float(np.bincount(labels).max() / len(labels))


# Multi-label.


def _rankings(outputs: Outputs, holds: Truth) -> Statistic:
    """mAP: the mean over the labels that have positives, under the weights too."""
    _same_shape(outputs, holds)
    labels = [
        average_precision(outputs[:, i], holds[:, i] > 0) for i in np.flatnonzero(holds.any(0))
    ]

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total, defined = np.zeros(len(weights)), np.zeros(len(weights))
        for label in labels:
            found = label(weights)
            there = ~np.isnan(found)
            total[there] += found[there]
            defined += there
        mean: NDArray[np.float64] = np.full(len(weights), np.nan)
        np.divide(total, defined, out=mean, where=defined > 0.0)
        return mean

    return statistic


def _map(outputs: Outputs, holds: Truth) -> float:
    _same_shape(outputs, holds)
    if not holds.any():
        return 0.0
    return float(_rankings(outputs, holds)(np.ones((1, len(holds))))[0])


def _map_estimate(outputs: Outputs, holds: Truth) -> Estimate:
    if not holds.any():
        return Estimate.unknown("no label has a positive sample", "mAP over labels", len(holds))
    return intervals.bootstrap(
        _rankings(outputs, holds),
        len(holds),
        "mAP over labels",
        resamples=RANKING_RESAMPLES,
        bounds=(0.0, 1.0),
        rarest=_rarest(holds),
    )


def _map_drop(reference: Outputs, outputs: Outputs, holds: Truth) -> Estimate:
    """With its interval, too narrow (89 % for 95) where labels of 10 positives are all but perfect.

    What few samples do not show, none of their resamples does.
    """
    what = "paired difference of mAP"
    if not holds.any():
        return Estimate.unknown("no label has a positive sample", what, len(holds))
    return intervals.bootstrap_paired(
        _rankings(reference, holds),
        _rankings(outputs, holds),
        len(holds),
        what,
        resamples=RANKING_RESAMPLES,
        bounds=(-1.0, 1.0),
        rarest=_rarest(holds),
    )


def _rarest(holds: Truth) -> int:
    """Positives of the label with the fewest, of those that have one."""
    positives = (holds > 0).sum(0)
    return int(positives[positives > 0].min())


def _label_metrics(outputs: Outputs, holds: Truth) -> dict[str, float]:
    _same_shape(outputs, holds)
    there, answered = holds > 0, outputs > 0
    hits = (there & answered).sum(0)
    positives, answers = there.sum(0), answered.sum(0)
    seen = np.flatnonzero(positives)
    found = {"mAP": _map(outputs, holds)} if len(seen) else {}
    if positives.sum() + answers.sum():
        found["micro-F1"] = float(2 * hits.sum() / (positives.sum() + answers.sum()))
        found["macro-F1"] = _macro_f1(hits, positives, answers)
    return found | {f"recall[{i}]": float(hits[i] / positives[i]) for i in seen}


def _labels_differ(a: Outputs, b: Outputs, truth: Truth) -> NDArray[np.bool_]:  # noqa: ARG001
    _same_shape(a, b)
    return np.asarray(((a > 0) != (b > 0)).any(1))


def _prevalence(holds: Truth) -> float:
    """Of ranking all samples alike: each label's precision is its prevalence."""
    shares = (holds > 0).mean(0)
    return float(shares[shares > 0].mean()) if holds.any() else 0.0


# Regression.


def _explained(outputs: Outputs, truth: Truth) -> Statistic:
    """R²: 1 - Σ(y - z)² / Σ(y - ȳ)², the mean over the numbers that vary, under the weights too."""
    y, z = _numbers(outputs, truth)
    # Centred, for the spread below is a difference of sums; and in deviations, so that whether a
    # number varies can be told.
    deviation = deviations(y)
    y, z = y - y.mean(0), z - y.mean(0)
    scale = np.where(deviation > 0.0, deviation, 1.0)
    error, y = ((y - z) / scale) ** 2, y / scale

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total = weights.sum(1)[:, None]
        spread = weights @ y**2 - (weights @ y) ** 2 / total
        varies = spread > 1e-9 * total
        ratio = np.divide(weights @ error, spread, out=np.zeros_like(spread), where=varies)
        defined = varies.sum(1)
        mean: NDArray[np.float64] = np.full(len(weights), np.nan)
        np.divide((varies - ratio).sum(1), defined, out=mean, where=defined > 0)
        return mean

    return statistic


def _r2(outputs: Outputs, truth: Truth) -> float:
    """R²; minus the RMSE where no number of the truth varies, so that epochs can be compared."""
    y, z = _numbers(outputs, truth)
    found = float(_explained(z, y)(np.ones((1, len(y))))[0])
    return -float(_rmse(z, y).mean()) if np.isnan(found) and np.isfinite(z).all() else found


def _r2_estimate(outputs: Outputs, truth: Truth) -> Estimate:
    return intervals.bootstrap(_explained(outputs, truth), len(truth), "R²")


def _r2_drop(reference: Outputs, outputs: Outputs, truth: Truth) -> Estimate:
    return intervals.bootstrap_paired(
        _explained(reference, truth),
        _explained(outputs, truth),
        len(truth),
        "paired difference of R²",
    )


def _number_metrics(outputs: Outputs, truth: Truth) -> dict[str, float]:
    y, z = _numbers(outputs, truth)
    once, numbers = np.ones((1, len(y))), range(y.shape[1])
    explained = [float(_explained(z[:, [i]], y[:, [i]])(once)[0]) for i in numbers]
    each = {"RMSE": _rmse(z, y), "MAE": np.abs(y - z).mean(0), "R²": np.array(explained)}
    found: dict[str, float] = {}
    for name, values in each.items():
        defined = np.flatnonzero(~np.isnan(values))
        if len(defined):
            found[name] = float(values[defined].mean())
        if len(values) > 1:
            found |= {f"{name}[{i}]": float(values[i]) for i in defined}
    return found


def _numbers_differ(a: Outputs, b: Outputs, truth: Truth) -> NDArray[np.bool_]:
    """Any number moved by more than ``MOVED`` deviations of the truth."""
    _same_shape(a, b)
    y, z = _numbers(a, truth)
    return np.asarray((np.abs(z - b.reshape(z.shape)) > MOVED * deviations(y)).any(1))


def _rmse(z: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(((y - z) ** 2).mean(0)))


def _numbers(outputs: Outputs, truth: Truth) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Truth and outputs, float64 [n, k]."""
    y, z = (x.reshape(len(x), -1).astype(np.float64) for x in (truth, outputs))
    _same_shape(y, z)
    return y, z


# Embedding.


def _cosine(outputs: Outputs, teacher: Truth) -> float:
    return float(cosines(outputs, teacher).mean())


def _cosine_estimate(outputs: Outputs, teacher: Truth) -> Estimate:
    what = "mean cosine to the teacher"
    return intervals.bootstrap_mean(cosines(outputs, teacher), what, bounds=(-1.0, 1.0))


def _cosine_drop(reference: Outputs, outputs: Outputs, teacher: Truth) -> Estimate:
    lost = cosines(reference, teacher) - cosines(outputs, teacher)
    return intervals.bootstrap_mean(lost, "mean paired difference of cosine", bounds=(-2.0, 2.0))


def _vector_metrics(outputs: Outputs, teacher: Truth) -> dict[str, float]:
    found = float(finds_itself(outputs, teacher).mean())
    return {"cosine": _cosine(outputs, teacher), "recall@1": found}


def _neighbours_differ(a: Outputs, b: Outputs, teacher: Truth) -> NDArray[np.bool_]:
    """The teacher vector nearest to b is no longer nearest to a."""
    _same_shape(a, b)
    return ~_as_near(a, nearest(b, teacher), nearest(a, teacher), teacher)


TASKS: dict[recipe.Task, Task] = {
    "classification": Task(
        kind="classification",
        name="accuracy",
        selection=_accuracy,
        score=_accuracy_estimate,
        drop=_accuracy_drop,
        metrics=_class_metrics,
        answers_differ=_classes_differ,
        baseline=_majority,
    ),
    "multi-label": Task(
        kind="multi-label",
        name="mAP",
        selection=_map,
        score=_map_estimate,
        drop=_map_drop,
        metrics=_label_metrics,
        answers_differ=_labels_differ,
        baseline=_prevalence,
    ),
    "regression": Task(
        kind="regression",
        name="R²",
        selection=_r2,
        score=_r2_estimate,
        drop=_r2_drop,
        metrics=_number_metrics,
        answers_differ=_numbers_differ,
        baseline=lambda _: 0.0,
    ),
    "embedding": Task(
        kind="embedding",
        name="cosine",
        selection=_cosine,
        score=_cosine_estimate,
        drop=_cosine_drop,
        metrics=_vector_metrics,
        answers_differ=_neighbours_differ,
        baseline=lambda _: 0.0,
    ),
}
"""Everything that differs between tasks when answers are judged."""


def _macro_f1(hits: NDArray[Any], there: NDArray[Any], answered: NDArray[Any]) -> float:
    """The mean F1 over classes that are there or were answered."""
    either = there + answered
    seen = either > 0
    return float((2 * hits[seen] / either[seen]).mean())


def _inverse_norms(vectors: NDArray[Any]) -> NDArray[Any]:
    """1 / length of each row, 0 for a row of length 0; of the rows' own dtype."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    inverse: NDArray[Any] = np.zeros_like(lengths)
    np.divide(1.0, lengths, out=inverse, where=lengths > 0.0)
    return inverse


def _same_length(outputs: NDArray[Any], truth: NDArray[Any]) -> None:
    if len(outputs) != len(truth) or not len(truth):
        raise ValueError(f"{len(outputs)} outputs for {len(truth)} samples")


def _same_shape(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape or not len(a):
        raise ValueError(f"outputs of shape {a.shape} for a truth of shape {b.shape}")
