"""Means over classes of ratios of counts, and the lowest: balanced accuracy, F1, worst recall."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jackknife import OfSums, blocks_of_units
from .sampling import Sampling


def counts_by_unit(
    labels: NDArray[Any], answers: NDArray[Any], classes: int, sampling: Sampling
) -> NDArray[np.float64]:
    """Samples of each class that were answered with it, of each class, and answered with each.

    Args:
        labels: classes, int [n].
        answers: classes, int [n].
        classes: how many there are.
        sampling: how the samples were drawn.

    Returns:
        Of each unit, or block of units, float64 [units, 3 classes].
    """
    units, count = blocks_of_units(sampling, len(labels))

    def counted(rows: NDArray[np.bool_], numbers: NDArray[Any]) -> NDArray[np.int64]:
        cells = units[rows] * classes + numbers[rows]
        return np.bincount(cells, minlength=count * classes).reshape(count, classes)

    every = np.ones(len(labels), np.bool_)
    hits = counted(labels == answers, labels)
    both = [hits, counted(every, labels), counted(every, answers)]
    return np.concatenate(both, 1).astype(np.float64)


def macro_f1(total: NDArray[Any]) -> OfSums:
    """The mean F1 over classes that are present or were answered, as a figure of sums.

    Args:
        total: of all samples, [3 classes], as ``counts_by_unit`` counts them.

    Returns:
        NaN where there is no class, or where samples were left out and with them a class.
    """
    _, present, answered = np.split(total, 3)
    seen = present + answered > 0

    def formula(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        hits, here, told = np.split(sums, 3, axis=1)
        return mean_ratio(2 * hits[:, seen], (here + told)[:, seen])

    return formula


def balanced_accuracy(total: NDArray[Any]) -> OfSums:
    """The mean recall over classes that are present, as a figure of sums; see ``macro_f1``."""
    seen = np.split(total, 3)[1] > 0

    def formula(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        hits, here, _ = np.split(sums, 3, axis=1)
        return mean_ratio(hits[:, seen], here[:, seen])

    return formula


def worst_recall(total: NDArray[Any]) -> OfSums:
    """The lowest recall of a class that is present, as a figure of sums; see ``macro_f1``."""
    seen = np.split(total, 3)[1] > 0

    def formula(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        hits, here, _ = np.split(sums, 3, axis=1)
        exists = (here[:, seen] > 0).all(1) & seen.any()
        recalls = hits[:, seen] / np.maximum(here[:, seen], 1)
        return np.where(exists, recalls.min(1, initial=1.0), np.nan)

    return formula


def value_of(figure: Callable[[NDArray[Any]], OfSums], total: NDArray[np.float64]) -> float:
    """Such a figure of all samples; 0 where there is none."""
    return float(np.nan_to_num(figure(total)(total[None])[0]))


def mean_ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    """The mean of ratios over the last axis; NaN where there is none, or a denominator is 0."""
    exists = (below > 0).all(-1) & (below.shape[-1] > 0)
    ratios = above / np.where(below > 0, below, 1)
    return np.where(exists, ratios.sum(-1) / max(1, below.shape[-1]), np.nan)
