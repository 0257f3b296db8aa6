"""The few quantiles that the conclusions need, exactly, in the standard library.

    >>> round(student_t(0.95, 4), 4)
    2.7764

scipy has them too, but takes longer to import than a small model takes to measure.
"""

import math
from statistics import NormalDist


def normal_quantile(confidence: float) -> float:
    """The z with P(|Z| <= z) = confidence for the standard normal."""
    check_confidence(confidence)
    return NormalDist().inv_cdf(0.5 + confidence / 2.0)


def check_confidence(confidence: float) -> None:
    """Refuse what is no probability strictly between 0 and 1.

    Raises:
        ValueError: outside (0, 1), or not a number.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")


def order_statistic(n: int, confidence: float) -> int:
    """Largest k with 2 P(Binomial(n, 1/2) <= k - 1) <= 1 - confidence, 0 where there is none."""
    # Compared as counts of equally likely outcomes; a float cannot hold 2**-n for large n.
    allowed, rank, tail = (1.0 - confidence) / 2.0, 0, 1
    while tail / 2**n <= allowed:
        rank += 1
        tail += math.comb(n, rank)
    return rank


def fewest_for_median(confidence: float) -> int:
    """Fewest figures from which order statistics give the median an interval."""
    n = 1
    while not order_statistic(n, confidence):
        n += 1
    return n


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(Binomial(n, p) <= k), the plain sum in logarithms."""
    return math.fsum(
        math.exp(
            math.lgamma(n + 1)
            - math.lgamma(i + 1)
            - math.lgamma(n - i + 1)
            + i * math.log(p)
            + (n - i) * math.log1p(-p)
        )
        for i in range(min(k, n) + 1)
    )


def student_t(confidence: float, freedom: int) -> float:
    """The t with P(|T| <= t) = confidence for whole degrees of freedom, by bisection."""
    low, high = 0.0, 1.0
    while _student_within(high, freedom) < confidence:
        high *= 2.0
    while low < (middle := (low + high) / 2.0) < high:
        if _student_within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return high


def _student_within(t: float, freedom: int) -> float:
    """P(|T| <= t): the finite sums of Abramowitz & Stegun 1964, 26.7.3 and 26.7.4."""
    theta = math.atan(t / math.sqrt(freedom))
    cos, sin = math.cos(theta), math.sin(theta)
    odd = freedom % 2 == 1
    term, total = (cos, 0.0) if odd else (1.0, 0.0)
    for i in range(freedom // 2):
        total += term
        term *= cos * cos * ((2 * i + 2) / (2 * i + 3) if odd else (2 * i + 1) / (2 * i + 2))
    return 2.0 / math.pi * (theta + sin * total) if odd else sin * total
