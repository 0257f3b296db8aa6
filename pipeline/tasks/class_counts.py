"""Means over classes of ratios of counts: balanced accuracy, F1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jackknife import OfSums


def macro_f1(features: NDArray[Any]) -> OfSums:
    """The mean F1 over classes that are present or were answered, as a figure of sums.

    Args:
        features: of each sample, [n, 3 classes]: which classes it has and was answered with, which
            it has, which it was answered with.

    Returns:
        NaN where there is no class, or where samples were left out and with them a class.
    """
    _, present, answered = np.split(features.sum(0), 3)
    seen = present + answered > 0

    def formula(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        hits, here, told = np.split(sums, 3, axis=1)
        return mean_ratio(2 * hits[:, seen], (here + told)[:, seen])

    return formula


def balanced_accuracy(features: NDArray[Any]) -> OfSums:
    """The mean recall over classes that are present, as a figure of sums; see ``macro_f1``."""
    seen = np.split(features.sum(0), 3)[1] > 0

    def formula(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        hits, here, _ = np.split(sums, 3, axis=1)
        return mean_ratio(hits[:, seen], here[:, seen])

    return formula


def mean_ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[np.float64]:
    """The mean of ratios over the last axis; NaN where there is none, or a denominator is 0."""
    exists = (below > 0).all(-1) & (below.shape[-1] > 0)
    ratios = above / np.where(below > 0, below, 1)
    return np.where(exists, ratios.sum(-1) / max(1, below.shape[-1]), np.nan)
