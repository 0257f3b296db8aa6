"""Proportions of test samples and their paired differences, with intervals."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...devices.onboard.stats.distributions import normal_quantile
from ...devices.onboard.stats.estimate import Estimate
from ...devices.onboard.stats.processes import percent
from .group_mean import mean_of_groups
from .jackknife import Figure, share_figure
from .sampling import Sampling


def share(holds: ArrayLike, sampling: Sampling, what: str = "proportion") -> Estimate:
    """The share of samples of which something holds.

    Args:
        holds: boolean, shape (n,).
        sampling: how the samples were drawn.
        what: the figure's name, for ``method``.
    """
    flags = np.asarray(holds)
    if sampling.groups is None:
        return proportion(int(flags.sum()), len(flags), sampling.confidence)
    return mean_of_groups(flags, share_figure(what), sampling)


def proportion(successes: int, n: int, confidence: float) -> Estimate:
    """A proportion of independent samples with its exact interval (Clopper & Pearson 1934).

    Raises:
        ValueError: successes outside 0..n, or confidence outside (0, 1).
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    method = f"proportion, {percent(confidence)} exact interval by Clopper & Pearson 1934"
    half = Sampling(confidence).confidence / 2.0 + 0.5
    if n == 0:
        return Estimate.unknown("no observations", method)
    failures = n - successes
    low = float(betaincinv(successes, failures + 1, 1.0 - half)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, half)) if failures else 1.0
    return Estimate(successes / n, low, high, method, n, None, "share", "measured")


def paired_difference(correct_a: ArrayLike, correct_b: ArrayLike, sampling: Sampling) -> Estimate:
    """Accuracy of a minus accuracy of b on the same samples.

    Of independent samples the score interval of Tango, "Equivalence test and confidence interval
    for the difference in proportions for the paired-sample design", Statistics in Medicine 17,
    1998, its statistic moved so that no end errs more often than it says by more than a fifth (all
    outcomes are enumerated in ``tests/pipeline/tasks/test_proportions.py``).

    Args:
        correct_a: boolean, shape (n,), whether a was right on each sample.
        correct_b: boolean, shape (n,), the same samples in the same order.
        sampling: how the samples were drawn.

    Raises:
        ValueError: lengths differ, or an array is not boolean.
    """
    a, b = _booleans(correct_a, correct_b)
    if sampling.groups is not None:
        lost = Figure("paired difference", "share", bounds=(-1.0, 1.0))
        return mean_of_groups(a.astype(np.float64) - b, lost, sampling)
    n, confidence = len(a), sampling.confidence
    method = f"paired difference, {percent(confidence)} score interval by Tango 1998"
    if n == 0:
        return Estimate.unknown("no observations", method)
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    z = normal_quantile(confidence)
    low, high = -_most_lost(only_b, only_a, n, z), _most_lost(only_a, only_b, n, z)
    return Estimate((only_a - only_b) / n, low, high, method, n, None, "share", "measured")


_MOVED = (0.5, 1.5)
"""Samples by which a difference of counts is moved against an end that allows a difference, and
against one that shows one: whole numbers and their skewness."""


def _most_lost(only_a: int, only_b: int, n: int, z: float) -> float:
    """The upper end of the paired difference: the largest that the counts do not speak against."""
    low, high = (only_a - only_b) / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if _score(only_a, only_b, n, middle) > -z:
            low = middle
        else:
            high = middle
    return high


def _score(only_a: int, only_b: int, n: int, difference: float) -> float:
    """How far the counts are from a difference, in deviations under it (Tango 1998, eq. 3 to 5)."""
    linear = (2 * n - only_a + only_b) * difference - only_a - only_b
    constant = -only_b * difference * (1.0 - difference)
    root = math.sqrt(max(0.0, linear**2 - 8 * n * constant))
    share_b = max(0.0, -difference, (root - linear) / (4 * n))
    variance = n * (2.0 * share_b + difference * (1.0 - difference))
    if variance <= 0.0:
        return 0.0
    moved = _MOVED[difference < 0.0]
    return (only_a - only_b - n * difference + moved) / math.sqrt(variance)


def _booleans(*arrays: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    a, b = (np.asarray(array) for array in arrays)
    if a.dtype != np.bool_ or b.dtype != np.bool_:
        raise ValueError(f"expected boolean arrays, found {a.dtype} and {b.dtype}")
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"expected two arrays of one length, found {a.shape} and {b.shape}")
    return a, b
