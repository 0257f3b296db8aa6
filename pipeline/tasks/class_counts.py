"""Counts of answers by class, and the F1 scores that they give."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import check_same_length


def confusion(answers: NDArray[Any], labels: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Counts [classes, classes]: truth in rows, answers in columns."""
    check_same_length(answers, labels)
    cells = labels.astype(np.int64) * classes + answers
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def macro_f1(hits: NDArray[Any], present: NDArray[Any], answered: NDArray[Any]) -> float:
    """The mean F1 over classes that are present or were answered.

    Args:
        hits: samples of each class that were answered with it, [classes].
        present: samples of each class.
        answered: samples that were answered with each class.
    """
    either = present + answered
    seen = either > 0
    return float((2 * hits[seen] / either[seen]).mean())
