"""Share out samples that have several labels each, so that every split has its part of each label.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of
multi-label data", algorithm 1).

>>> iterative(np.eye(3)[np.arange(30) % 3], (0.5, 0.5), seed=0)[:4]
array([0, 1, 1, 0])
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def iterative(
    labels: NDArray[Any], shares: Sequence[float], seed: int, first: Sequence[int] = ()
) -> NDArray[np.int64]:
    """The split of each sample, int64 [n].

    The rarest label is shared out first: each of its samples goes where most samples with that
    label are still wanted, and where that is undecided, where most samples are.

    Args:
        labels: 0 or 1, [n, k].
        shares: of each split; they add up to 1.
        seed: of the order of samples, and of ties.
        first: splits that get at least one sample of each label, in this order, as long as the last
            split keeps one. A label with two samples is otherwise wanted by no small split.
    """
    random = np.random.default_rng(seed)
    present = np.asarray(labels) > 0
    ratios = np.asarray(shares, np.float64)
    result = np.full(len(present), -1, np.int64)
    positives = present.sum(0)
    # The place in the list of wanted numbers: one row a label and a last one for all samples.
    wanted = np.outer([*positives, len(present)], ratios)
    for place, split in enumerate(first, 2):
        wanted[:-1, split] = np.where(positives >= place, wanted[:-1, split].clip(1.0), 0.0)
    order = random.permutation(len(present))
    for _ in range(present.shape[1]):
        left = present[result < 0].sum(0)
        if not left.any():
            break
        rarest = int(np.argmin(np.where(left == 0, len(present) + 1, left)))
        for row in order[present[order, rarest] & (result[order] < 0)]:
            _place(int(row), rarest, present, wanted, result, random)
    for row in order[result[order] < 0]:
        _place(int(row), -1, present, wanted, result, random)
    return result


def _place(
    row: int,
    label: int,
    present: NDArray[np.bool_],
    wanted: NDArray[np.float64],
    result: NDArray[np.int64],
    random: np.random.Generator,
) -> None:
    """Put one sample into the split that wants its label most, and count it there."""
    most = np.flatnonzero(wanted[label] >= wanted[label].max() - 1e-9)
    if len(most) > 1:
        most = most[wanted[-1, most] >= wanted[-1, most].max() - 1e-9]
    split = int(most[0] if len(most) == 1 else random.choice(most))
    result[row] = split
    wanted[:-1, split] -= present[row]
    wanted[-1, split] -= 1.0
