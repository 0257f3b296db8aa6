"""How often each class was answered with each.

>>> counts(np.eye(3)[[0, 1, 1]], np.array([0, 1, 2]), 3)
((1, 0, 0), (0, 1, 0), (0, 1, 0))
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_CLASSES = 50
"""Above it a matrix is larger than what is read of it: 2,500 numbers a model."""


def counts(
    logits: NDArray[Any], labels: NDArray[Any], classes: int
) -> tuple[tuple[int, ...], ...] | None:
    """Samples by true class (rows) and answered class (columns); None of too many classes.

    Args:
        logits: float [n, classes].
        labels: classes, int [n].
        classes: how many there are.
    """
    if classes > MOST_CLASSES:
        return None
    cells = labels.astype(np.int64) * classes + logits.argmax(1)
    table = np.bincount(cells, minlength=classes * classes).reshape(classes, classes)
    return tuple(tuple(map(int, line)) for line in table)
