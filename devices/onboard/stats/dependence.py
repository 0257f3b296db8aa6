"""Processes in a row that resemble each other say less than as many taken at random.

    >>> alike = np.log([1.0, 1.01, 0.99, 1.02, 0.98, 1.01, 0.99, 1.0, 1.01, 0.99, 1.02])
    >>> [round(float(np.exp(farthest(alike, 0.005, at_least))), 2) for at_least in (0.0, 0.9)]
    [1.01, 1.18]

A neighbour on the machine, its heat or its clock lasts longer than a process. Then nine processes
may all lie below a latency that half of all there could be are above. So few figures hardly show
whether they depend on each other: a test finds a correlation of 0.9 in nine of them less often than
not. So a verdict takes a dependence as given instead of testing for it, and takes the stronger one
where the figures show that.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .distributions import student_t

_STRONGEST = 0.95
"""Correlation of neighbours beyond which so short a series cannot be told from one that drifts."""
_NOTABLE = 1.645
"""Standard errors above 0 that the correlation of neighbours exceeds in 1 of 20 series at random.
"""
_OUTLIER = 3.0
"""Deviations beyond which a figure counts as so far away only; the share of such processes is
judged elsewhere (`betting`)."""


def shown_correlation(values: NDArray[np.float64]) -> float:
    """The correlation of neighbours in time, from 0 to 0.95; 0 where 1 of 20 series has as much.

    By ranks, so that an outlier does not hide it (Wald & Wolfowitz, "An exact test for randomness
    in the non-parametric case based on serial correlation", Annals of Mathematical Statistics 14,
    1943). It seems smaller than it is by (1 + 3 rho) / n, because the mean comes from the same
    figures (Kendall, "Note on bias in the estimation of autocorrelation", Biometrika 41, 1954).

    Args:
        values: in the order of time, shape (n,), at least 4.
    """
    n, found = len(values), _ranked(values)
    if found * math.sqrt(n) <= _NOTABLE:
        return 0.0
    return min(_STRONGEST, (n * found + 1.0) / (n - 3.0))


def farthest(
    values: NDArray[np.float64], error: float, at_least: float, deviations: float = 0.0
) -> float:
    """The largest value that the mean of all figures there could be may have.

    Student's t for an autoregression of the first order: by its correlation the variance of the
    mean is larger, that within the series smaller, and its degrees of freedom are fewer
    (Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics
    Bulletin 2, 1946).

    Args:
        values: in the order of time, shape (n,), at least 4.
        error: largest chance that it is larger.
        at_least: correlation of neighbours, in [0, 1), that is taken as given.
        deviations: of the figures, by which what is asked for lies above their mean; below 0: 0.
    """
    kept = _without_outliers(values)
    correlation = max(at_least, shown_correlation(values))
    of_mean, within, freedom = _autoregression(len(values), round(100 * correlation))
    deviation = float(np.std(kept, ddof=1)) / math.sqrt(within)
    away = max(0.0, deviations)
    # A normal distribution's deviation varies by 1 / (2 freedom) of its square.
    away += _t(error, freedom) * math.sqrt(of_mean + away**2 / (2.0 * freedom))
    return float(kept.mean()) + deviation * away


def span_of_dependence(shares: NDArray[np.float64]) -> int:
    """Processes in a row that count as one, because shares above a latency come in runs.

    (1 + r) / (1 - r) for a correlation r of neighbours that chance gives in 1 of 20 series; else 1.

    Args:
        shares: in the order of time, shape (n,).
    """
    off = shares - shares.mean()
    power = float(off @ off)
    if power == 0.0:
        return 1
    found = float(off[1:] @ off[:-1]) / power
    if found * math.sqrt(len(shares)) <= _NOTABLE:
        return 1
    return min(len(shares), math.ceil((1.0 + found) / (1.0 - found)))


def in_blocks(shares: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """Means of blocks of so many neighbours at the least, in their order."""
    if span == 1:
        return shares
    blocks = np.array_split(shares, len(shares) // span)
    return np.array([float(block.mean()) for block in blocks])


class _Moments(NamedTuple):
    """Of n neighbours with variance 1: variance of their mean, the one they show, its freedom."""

    of_mean: float
    within: float
    freedom: float


@lru_cache(maxsize=256)
def _autoregression(n: int, percent: int) -> _Moments:
    """For a correlation in percent; of the matrix rho**|i - j| only sums are needed."""
    lags = np.arange(1, n)
    powers = (percent / 100.0) ** lags
    columns = 1.0 + np.array([powers[:i].sum() + powers[: n - 1 - i].sum() for i in range(n)])
    total = float(columns.sum())
    squares = n + 2.0 * float(((n - lags) * powers**2).sum())
    trace = n - total / n
    of_square = squares - 2.0 * float(columns @ columns) / n + (total / n) ** 2
    return _Moments(total / n**2, trace / (n - 1), max(1.0, trace**2 / of_square))


@lru_cache(maxsize=256)
def _t(error: float, freedom: float) -> float:
    """Student's quantile, between whole degrees of freedom by the straight line."""
    whole = int(freedom)
    low, high = (student_t(1.0 - 2.0 * error, whole + more) for more in (0, 1))
    return low + (high - low) * (freedom - whole)


def _ranked(values: NDArray[np.float64]) -> float:
    """Correlation of the ranks of neighbours; equal figures share their mean rank."""
    ordered = np.sort(values)
    # Twice the mean rank; a correlation does not depend on the scale.
    ranks = np.searchsorted(ordered, values) + np.searchsorted(ordered, values, "right")
    ranks = ranks - ranks.mean()
    power = float(ranks @ ranks)
    return float(ranks[1:] @ ranks[:-1]) / power if power else 0.0


def _without_outliers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = float(np.median(values))
    deviation = 1.4826 * float(np.median(np.abs(values - middle)))
    if deviation == 0.0:
        return values
    return np.clip(values, middle - _OUTLIER * deviation, middle + _OUTLIER * deviation)
