"""Weights by the real numbers that they stand for, whatever their names and types.

samples = Samples([node.weight for node in outline.nodes])
samples.closest(weight)       # indices of the nodes whose weight is the same
"""

from collections import defaultdict
from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..onboard.model.outline import Weight

SAME_WEIGHT = 0.6
"""Cosine from which two weights count as the same weight. 256 values of unrelated weights give
0 ± 0.06; folding a batch normalization into one of two equal weights leaves 0.8 and more."""
_MARGIN = 0.3
"""By how much the cosine of the second best weight must be lower."""


class Samples:
    """The samples of a graph's weights, by size.

    Args:
        weights: one a node, None where it has none.
    """

    def __init__(self, weights: Sequence[Weight | None]) -> None:
        self._places: dict[int, list[int]] = defaultdict(list)
        self._weights = weights
        self._closest: dict[str, list[int]] = {}
        self._rows: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        for at, weight in enumerate(weights):
            if weight is not None and weight.sample:
                self._places[prod(weight.shape)].append(at)

    def closest(self, weight: Weight) -> list[int]:
        """The nodes whose weight is most similar, empty if none is similar enough.

        Several are returned if the margin between them is too small to tell them apart. The time is
        that of one product of a matrix and a vector, over the weights of the same size.
        """
        if weight.name not in self._closest:
            self._closest[weight.name] = self._search(weight)
        return self._closest[weight.name]

    def _search(self, weight: Weight) -> list[int]:
        size = prod(weight.shape)
        places = self._places.get(size)
        vector = _unit(np.asarray(weight.sample))
        if not places or not vector.size:
            return []
        if size not in self._rows:
            self._rows[size] = self._matrices(places)
        scores = np.maximum(*(rows @ vector for rows in self._rows[size]))
        best = float(scores.max())
        if best < SAME_WEIGHT:
            return []
        return [places[row] for row in np.flatnonzero(scores > best - _MARGIN)]

    def _matrices(self, places: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Samples of length 1 as rows, as they are and transposed; zeros where there is none."""
        own = [weight for at in places if (weight := self._weights[at]) is not None]
        length = len(own[0].sample)
        straight = np.stack([_unit(np.asarray(one.sample)) for one in own])
        turned = np.zeros((len(own), length))
        for row, one in enumerate(own):
            if len(one.transposed) == length:
                turned[row] = _unit(np.asarray(one.transposed))
        return straight, turned


def similarity(a: Weight, b: Weight) -> float:
    """The cosine of two weights' samples, `b` as it is or transposed; 0 if their sizes differ."""
    if prod(a.shape) != prod(b.shape):
        return 0.0
    return max(_cosine(a.sample, sample) for sample in (b.sample, b.transposed))


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    if not a or len(a) != len(b):
        return 0.0
    return float(_unit(np.asarray(a)) @ _unit(np.asarray(b)))


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(values))
    return values / length if length else values
