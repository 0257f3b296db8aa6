"""Proportions of test samples and their paired differences, with intervals."""

import math

import numpy as np
from numpy.typing import ArrayLike

from ...devices.onboard.stats.distributions import normal_quantile
from ...devices.onboard.stats.estimate import Estimate
from ...devices.onboard.stats.processes import percent


def proportion(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """A proportion with its score interval (Wilson, JASA 22, 1927, p. 209).

    Raises:
        ValueError: successes outside 0..n, or confidence outside (0, 1).
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    method = f"proportion, {percent(confidence)} interval by Wilson 1927"
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
    return Estimate(p, low, high, method, n, None, "share", "measured")


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
    method = f"paired difference, {percent(confidence)} interval by Bonett & Price 2012"
    z = normal_quantile(confidence)
    if n == 0:
        return Estimate.unknown("no observations", method)
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    p_a, p_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    centre = p_a - p_b
    half = z * math.sqrt((p_a + p_b - centre * centre) / (n + 2))
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    lost = (only_a - only_b) / n
    return Estimate(lost, low, high, method, n, None, "share", "measured")
