"""What may be concluded from repeated measurements, and what may not.

    >>> median_over_processes([1.0, 1.1, 1.2, 1.3, 1.4, 9.0]).value
    1.25
    >>> median_over_processes([1.0, 1.1]).missing
    'an interval at 95 % takes at least 6 processes, there were 2'

Every conclusion is an `Estimate`: a value with its interval, or None with the reason. The unit that
is resampled is the process: queries within one process share its memory layout and its luck, so an
interval over pooled queries is far too narrow (Kalibera & Jones, "Rigorous benchmarking in
reasonable time", ISMM 2013). Of a model's quality the unit is the test sample.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .distributions import binomial_cdf, check_confidence, fewest_for_median, order_statistic
from .estimate import Estimate

# MLPerf Inference rules, "early stopping criterion": 99 % confidence, and t = 2, that is, one
# over-latency query may be discarded.
_EARLY_STOPPING_CONFIDENCE = 0.99
_EARLY_STOPPING_T = 2


def min_queries(percentile: float) -> int:
    """Fewest queries from which MLPerf's early-stopping rule lets a percentile be reported.

    The smallest n for which P(Binomial(n, 1 - p) <= t - 1) <= 1 - c, with t = 2 and c = 0.99: with
    fewer, a run whose true percentile is worse could pass by luck. 64 for p90, 662 for p99.

    Args:
        percentile: in percent, above 0 and below 100.

    Raises:
        ValueError: percentile outside (0, 100).
    """
    if not 0.0 < percentile < 100.0:
        raise ValueError(f"a percentile lies between 0 and 100, not {percentile}")
    over = 1.0 - percentile / 100.0
    chance = 1.0 - _EARLY_STOPPING_CONFIDENCE

    def enough(n: int) -> bool:
        return binomial_cdf(_EARLY_STOPPING_T - 1, n, over) <= chance

    high = _EARLY_STOPPING_T
    while not enough(high):
        high *= 2
    low = high // 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def median_over_processes(values: ArrayLike, confidence: float = 0.95, unit: str = "") -> Estimate:
    """Median over processes with the distribution-free interval of order statistics.

    The interval [x(k), x(n+1-k)] covers the median with probability
    1 - 2 P(Binomial(n, 1/2) <= k - 1), whatever the distribution (David & Nagaraja, "Order
    Statistics", 2003, chapter 7); k is the largest that keeps the confidence.

    Args:
        values: one figure a process, shape (n,).
        confidence: in (0, 1).
        unit: of the values.

    Raises:
        ValueError: a value that is not finite, or confidence outside (0, 1).
    """
    return _median_interval(finite_figures(values), confidence, "median over processes", unit)


def ratio_over_processes(
    numerators: ArrayLike, denominators: ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Median of the ratios of paired processes, with the interval of `median_over_processes`.

    Pairs are neighbours in time, so what disturbs both cancels.

    Args:
        numerators: one figure a repetition, shape (n,).
        denominators: the figure it is compared with, same repetition, shape (n,), above 0.
        confidence: in (0, 1).

    Raises:
        ValueError: lengths differ, a denominator is not above 0, or a value is not finite.
    """
    over, under = finite_figures(numerators), finite_figures(denominators)
    if len(over) != len(under):
        raise ValueError(f"{len(over)} numerators for {len(under)} denominators")
    if np.any(under <= 0):
        raise ValueError("a ratio needs denominators above 0")
    what = "median of ratios paired by repetition"
    return _median_interval(over / under, confidence, what, "ratio")


def _median_interval(
    values: NDArray[np.float64], confidence: float, what: str, unit: str
) -> Estimate:
    check_confidence(confidence)
    n = len(values)
    method = f"{what}, {percent(confidence)} interval by binomial order statistics"
    if n == 0:
        return Estimate.unknown("no process was measured", method, unit=unit)
    ordered = np.sort(values)
    median = float(np.median(ordered))
    rank = order_statistic(n, confidence)
    if rank == 0:
        reason = (
            f"an interval at {percent(confidence)} takes at least "
            f"{fewest_for_median(confidence)} processes, there {'was' if n == 1 else 'were'} {n}"
        )
        return Estimate(median, None, None, method, n, reason, unit, "measured")
    low, high = float(ordered[rank - 1]), float(ordered[n - rank])
    return Estimate(median, low, high, method, n, None, unit, "measured")


def finite_figures(values: ArrayLike) -> NDArray[np.float64]:
    """Figures as float64 [n].

    Raises:
        ValueError: another number of axes than one, or a figure that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"expected one figure each, shape (n,), found {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError("a figure that is not finite cannot be part of a conclusion")
    return array


def percent(confidence: float) -> str:
    """A confidence as a reader sees it: ``95 %``."""
    return f"{100.0 * confidence:g} %"
