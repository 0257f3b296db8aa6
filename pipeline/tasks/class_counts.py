"""Means over classes of ratios of counts: balanced accuracy, F1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def macro_f1(hits: NDArray[Any], present: NDArray[Any], answered: NDArray[Any]) -> NDArray[Any]:
    """The mean F1 over classes that are present or were answered, [...]; NaN where there is none.

    Args:
        hits: samples of each class that were answered with it, [..., classes].
        present: samples of each class.
        answered: samples that were answered with each class.
    """
    return mean_ratio(2 * hits, present + answered)


def mean_ratio(above: NDArray[Any], below: NDArray[Any]) -> NDArray[Any]:
    """The mean of ratios over the last axis, of those whose denominator is not 0; NaN for none."""
    seen = below > 0
    ratios = np.where(seen, above / np.where(seen, below, 1), 0.0)
    count = seen.sum(-1)
    return np.where(count > 0, ratios.sum(-1) / np.maximum(count, 1), np.nan)
