"""Cosines between vectors, and which vector of the teacher is the nearest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import blocks, check_same_shape

_TINY = np.finfo(np.float64).tiny
_SAME_COSINE = 1e-6
"""Two vectors as near as this are both the nearest: what float32 cannot tell apart."""


def cosines(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Cosine between vectors of the same row, float64 [n]; 0 for a vector of length 0."""
    check_same_shape(a, b)
    rows = np.arange(len(a))
    return _pairwise(a, rows, b, rows)


def nearest(vectors: NDArray[Any], among: NDArray[Any]) -> NDArray[np.int64]:
    """Row of the vector of the largest cosine to each vector, int64 [n]; the first of equals.

    Args:
        vectors: float [n, d].
        among: float [m, d].
    """
    rows_of_nearest = np.empty(len(vectors), np.int64)
    # A vector's own length does not change which is nearest to it.
    scale = _inverse_norms(among)
    for rows in blocks(len(vectors), len(among)):
        rows_of_nearest[rows] = np.argmax((vectors[rows] @ among.T) * scale, axis=1)
    return rows_of_nearest


def own_is_nearest(vectors: NDArray[Any], teacher: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether no teacher vector is nearer to each vector than that of its own sample, bool [n].

    Its share is recall@1. Other samples of the same teacher vector are as near and no error.
    """
    check_same_shape(vectors, teacher)
    own = np.arange(len(vectors))
    return as_near(vectors, own, nearest(vectors, teacher), teacher)


def as_near(
    vectors: NDArray[Any], a: NDArray[Any], b: NDArray[Any], among: NDArray[Any]
) -> NDArray[np.bool_]:
    """Whether ``among[a]`` is as near to each vector as ``among[b]``, within float32's rounding."""
    same = a == b
    rest = np.flatnonzero(~same)
    to_a, to_b = (_pairwise(vectors, rest, among, x[rest]) for x in (a, b))
    same[rest] = to_a >= to_b - _SAME_COSINE
    return np.asarray(same)


def _pairwise(
    a: NDArray[Any], rows_a: NDArray[Any], b: NDArray[Any], rows_b: NDArray[Any]
) -> NDArray[np.float64]:
    """Cosine of a[rows_a] and b[rows_b], without a copy of either."""
    cosine = np.empty(len(rows_a))
    for part in blocks(len(rows_a), a.shape[1]):
        x, y = a[rows_a[part]].astype(np.float64), b[rows_b[part]].astype(np.float64)
        length = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
        dots = np.einsum("nd,nd->n", x, y)
        # A vector of length 0 has no dot product either.
        cosine[part] = dots / np.maximum(length, _TINY)
    return np.clip(cosine, -1.0, 1.0)


def _inverse_norms(vectors: NDArray[Any]) -> NDArray[Any]:
    """1 / length of each row, 0 for a row of length 0; of the rows' own dtype."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    inverse: NDArray[Any] = np.zeros_like(lengths)
    np.divide(1.0, lengths, out=inverse, where=lengths > 0.0)
    return inverse
