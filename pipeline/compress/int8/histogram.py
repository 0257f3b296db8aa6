"""Histograms of activations, and the range that each calibration method selects from one.

    histogram = Histogram(0.0, 6.0, bins=2048)
    histogram.add(np.abs(values))               # once for each batch of values
    percentile(histogram, 99.99)                # 5.84

The range is fixed from the start, so counts are exact and their order does not matter.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 128
"""Levels into which the entropy method merges bins, as in Migacz 2017 and ONNX Runtime."""
STEPS = 255
"""Steps between the smallest and the largest 8-bit number."""


@dataclass(slots=True)
class Histogram:
    """Counts of values in equal bins; values outside count in the first or last bin.

    Attributes:
        first: lower edge of the first bin.
        last: upper edge of the last bin, above ``first``.
        bins: number of bins.
        counts: int64 [bins].
        values: number of values added, including those that were not counted.
    """

    first: float
    last: float
    bins: int
    counts: NDArray[np.int64] = field(init=False)
    values: int = 0

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.bins, np.int64)

    def add(self, values: NDArray[np.floating[Any]], *, zeros: bool = True) -> None:
        """Count finite values of any shape; exact zeros only if ``zeros``."""
        self.counts += np.bincount(self._bin(values).ravel(), minlength=self.bins)
        if not zeros:
            zero_bin = int(self._bin(np.zeros(1))[0])
            self.counts[zero_bin] -= values.size - np.count_nonzero(values)
        self.values += values.size

    def _bin(self, values: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
        # A float64 scalar prevents overflow and rounding of the edges to float32.
        position = (values - np.float64(self.first)) * (self.bins / (self.last - self.first))
        return np.maximum(np.minimum(position.astype(np.intp), self.bins - 1), 0)

    @property
    def edges(self) -> NDArray[np.float64]:
        """The edges of the bins, float64 [bins + 1]."""
        return np.linspace(self.first, self.last, self.bins + 1)


def percentile(histogram: Histogram, percent: float) -> float:
    """The lower edge of the bin that reaches the percentile, as in ONNX Runtime.

    Never the first edge, so that a tensor with few values beside zeros still has a range.

    Args:
        histogram: of absolute values.
        percent: above 0, at most 100.
    """
    cumulative = np.cumsum(histogram.counts)
    reached = int(np.searchsorted(cumulative, percent / 100 * cumulative[-1]))
    return float(histogram.edges[max(reached, 1)])


def entropy(histogram: Histogram) -> float:
    """The symmetric threshold of least Kullback-Leibler divergence (Migacz 2017, pseudocode).

    For each range around zero, P is the histogram inside the range with the counts outside added to
    the outermost bins. Q is the histogram inside, merged into ``LEVELS`` levels and spread over the
    bins that P fills. As in ONNX Runtime, spread counts are integers, a remainder that does not
    fill a level stays empty, and empty bins are smoothed.

    Args:
        histogram: from -x to x, with an odd number of bins above ``LEVELS``, so that ranges grow
            symmetrically from the middle of one bin.
    """
    middle = histogram.bins // 2
    divergences = [
        _divergence(histogram.counts, middle - half, middle + half + 1)
        for half in range(LEVELS // 2, middle + 1)
    ]
    best = LEVELS // 2 + int(np.argmin(divergences))
    return float(histogram.edges[middle + best + 1])


def _divergence(counts: NDArray[np.int64], start: int, stop: int) -> float:
    inside = counts[start:stop]
    p = inside.copy()
    p[0] += counts[:start].sum()
    p[-1] += counts[stop:].sum()
    width = len(inside) // LEVELS
    full = width * LEVELS
    levels = inside[:full].reshape(LEVELS, width).sum(1)
    levels[-1] += inside[full:].sum()
    filled = np.count_nonzero(p[:full].reshape(LEVELS, width), axis=1)
    q = np.zeros_like(p)
    q[:full] = np.repeat(np.where(filled, levels // np.maximum(filled, 1), 0), width)
    if not q.any():
        return np.inf
    p_share, q_share = _smoothed(p), _smoothed(q)
    return float(np.sum(p_share * np.log(p_share / q_share)))


def _smoothed(counts: NDArray[np.int64], floor: float = 1e-4) -> NDArray[np.float64]:
    """Shares after moving ``floor`` counts from the filled bins into every empty bin."""
    empty = counts == 0
    taken = floor * empty.sum() / np.count_nonzero(counts)
    smooth: NDArray[np.float64] = np.where(empty, floor, counts - taken)
    smooth /= smooth.sum()
    return smooth


def least_squares(histogram: Histogram) -> tuple[float, float]:
    """The range of least expected squared error, over all pairs of edges around zero.

    The error of a value outside is its distance to the range, the squared error of a value inside a
    twelfth of the squared step (Banner et al. 2018, ACIQ, arXiv:1810.05723, section 3). The latter
    needs no bins finer than the step, so an outlier that makes the histogram coarse does little
    harm.

    Args:
        histogram: with ``first <= 0 <= last``.
    """
    counts, edges = histogram.counts, histogram.edges
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.zeros((3, len(edges)))  # moments 0 to 2 of the values below each edge
    below[:, 1:] = np.cumsum(counts * centres ** np.arange(3)[:, None], axis=1)
    above = below[:, -1:] - below
    squares = np.array([edges**2, -2 * edges, np.ones_like(edges)])  # of (edge - centre)^2
    low, high = edges <= 0, edges >= 0
    inside = below[0, high] - below[0, low][:, None]
    step = (edges[high] - edges[low][:, None]) / STEPS
    error = (squares * below).sum(0)[low][:, None] + (squares * above).sum(0)[high]
    error += inside * step**2 / 12
    row, column = np.unravel_index(np.argmin(error), error.shape)
    return float(edges[low][row]), float(edges[high][column])
