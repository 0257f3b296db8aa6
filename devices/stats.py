"""What may be concluded from repeated measurements, and what may not.

    >>> median_over_processes([1.0, 1.1, 1.2, 1.3, 1.4, 9.0]).value
    1.25
    >>> median_over_processes([1.0, 1.1]).missing
    'an interval at 95 % takes at least 6 processes, there were 2'

Every conclusion is an `Estimate`: a value with its interval, or None with the reason. The unit that
is resampled is the process: queries within one process share its memory layout and its luck, so an
interval over pooled queries is far too narrow (Kalibera & Jones, "Rigorous benchmarking in
reasonable time", ISMM 2013).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .distributions import (
    binomial_cdf,
    check_confidence,
    normal_quantile,
    order_statistic,
    student_t,
)

# MLPerf Inference rules, "early stopping criterion": 99 % confidence, and t = 2, that is, one
# over-latency query may be discarded.
_EARLY_STOPPING_CONFIDENCE = 0.99
_EARLY_STOPPING_T = 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval, or the reason why there is none.

    Attributes:
        value: the point estimate, None where it could not be had.
        low: lower end of the interval, None where there is no interval.
        high: upper end of the interval, None where there is no interval.
        method: how value and interval were found, for the reader of a report.
        n: how many independent observations it rests on.
        missing: why value or interval is None; None where nothing is missing.
    """

    value: float | None
    low: float | None
    high: float | None
    method: str
    n: int
    missing: str | None = None

    @classmethod
    def unknown(cls, reason: str, method: str = "", n: int = 0) -> Self:
        """A figure that could not be had, and why."""
        return cls(None, None, None, method, n, reason)

    @classmethod
    def exact(cls, value: float, method: str) -> Self:
        """A figure that is counted, not sampled: its interval is itself."""
        return cls(float(value), float(value), float(value), method, 1)


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


def percentile_over_processes(
    samples: Sequence[NDArray[Any]], percentile: float, confidence: float = 0.95
) -> Estimate:
    """A latency percentile: taken within each process, then the median over processes.

    Args:
        samples: one 1-D array of latencies a process, any numeric dtype, any unit.
        percentile: in percent.
        confidence: of the interval over processes.

    Returns:
        In the unit of the samples; unknown where any process has fewer than `min_queries`.
    """
    needed = min_queries(percentile)
    fewest = min((len(one) for one in samples), default=0)
    if fewest < needed:
        return Estimate.unknown(
            f"p{percentile:g} takes at least {needed} queries a process, "
            f"there were {fewest} in the shortest",
            f"p{percentile:g} of each process, MLPerf early-stopping rule",
            len(samples),
        )
    # inverted_cdf: nearest rank, so the figure is a latency that did occur.
    each = [float(np.percentile(one, percentile, method="inverted_cdf")) for one in samples]
    found = median_over_processes(each, confidence)
    method = f"p{percentile:g} of each process; {found.method}"
    return Estimate(found.value, found.low, found.high, method, found.n, found.missing)


def median_over_processes(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Median over processes with the distribution-free interval of order statistics.

    The interval [x(k), x(n+1-k)] covers the median with probability
    1 - 2 P(Binomial(n, 1/2) <= k - 1), whatever the distribution (David & Nagaraja, "Order
    Statistics", 2003, chapter 7); k is the largest that keeps the confidence.

    Args:
        values: one figure a process, shape (n,).
        confidence: in (0, 1).

    Raises:
        ValueError: a value that is not finite, or confidence outside (0, 1).
    """
    return _median_interval(_finite(values), confidence, "median over processes")


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
    over, under = _finite(numerators), _finite(denominators)
    if len(over) != len(under):
        raise ValueError(f"{len(over)} numerators for {len(under)} denominators")
    if np.any(under <= 0):
        raise ValueError("a ratio needs denominators above 0")
    return _median_interval(over / under, confidence, "median of ratios paired by repetition")


def proportion(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """A proportion with its score interval (Wilson, JASA 22, 1927, p. 209).

    Raises:
        ValueError: successes outside 0..n, or confidence outside (0, 1).
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    method = f"proportion, {_percent(confidence)} interval by Wilson 1927"
    z = normal_quantile(confidence)
    if n == 0:
        return Estimate.unknown("no observations", method)
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The end at 0 or n is exact in theory and a rounding error away from it in floating point.
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return Estimate(p, low, high, method, n)


def paired_difference(
    correct_a: ArrayLike, correct_b: ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Accuracy of a minus accuracy of b on the same samples.

    The interval is the adjusted Wald of Bonett & Price, "Adjusted Wald confidence interval for a
    difference of binomial proportions based on paired data", JEBS 37, 2012: one is added to
    each discordant count and two to n. It keeps its coverage where the two hardly ever disagree.

    Args:
        correct_a: boolean, shape (n,), whether a was right on each sample.
        correct_b: boolean, shape (n,), the same samples in the same order.
        confidence: in (0, 1).

    Raises:
        ValueError: lengths differ, or an array is not boolean.
    """
    a, b = np.asarray(correct_a), np.asarray(correct_b)
    if a.dtype != np.bool_ or b.dtype != np.bool_:
        raise ValueError(f"expected boolean arrays, found {a.dtype} and {b.dtype}")
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"expected two arrays of one length, found {a.shape} and {b.shape}")
    n = len(a)
    method = f"paired difference, {_percent(confidence)} interval by Bonett & Price 2012"
    z = normal_quantile(confidence)
    if n == 0:
        return Estimate.unknown("no observations", method)
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    p_a, p_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    centre = p_a - p_b
    half = z * math.sqrt((p_a + p_b - centre * centre) / (n + 2))
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    return Estimate((only_a - only_b) / n, low, high, method, n)


def mean_over_seeds(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean over training seeds with Student's t interval (Student, Biometrika 6, 1908).

    Args:
        values: one figure a seed, shape (n,).
        confidence: in (0, 1).

    Raises:
        ValueError: a value that is not finite, or confidence outside (0, 1).
    """
    array = _finite(values)
    n = len(array)
    check_confidence(confidence)
    method = f"mean over seeds, {_percent(confidence)} Student t interval"
    if n == 0:
        return Estimate.unknown("no seeds", method)
    mean = float(np.mean(array))
    if n == 1:
        return Estimate(
            mean, None, None, method, 1, "an interval takes at least 2 seeds, there was 1"
        )
    half = student_t(confidence, n - 1) * float(np.std(array, ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, method, n)


def _median_interval(values: NDArray[np.float64], confidence: float, what: str) -> Estimate:
    check_confidence(confidence)
    n = len(values)
    method = f"{what}, {_percent(confidence)} interval by binomial order statistics"
    if n == 0:
        return Estimate.unknown("no process was measured", method)
    ordered = np.sort(values)
    median = float(np.median(ordered))
    rank = order_statistic(n, confidence)
    if rank == 0:
        needed = next(m for m in range(n + 1, 10_000) if order_statistic(m, confidence))
        reason = (
            f"an interval at {_percent(confidence)} takes at least {needed} processes, "
            f"there {'was' if n == 1 else 'were'} {n}"
        )
        return Estimate(median, None, None, method, n, reason)
    return Estimate(median, float(ordered[rank - 1]), float(ordered[n - rank]), method, n)


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"expected one figure each, shape (n,), found {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError("a figure that is not finite cannot be part of a conclusion")
    return array


def _percent(confidence: float) -> str:
    return f"{100.0 * confidence:g} %"
