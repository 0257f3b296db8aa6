"""Proportions of test samples and their paired differences, with intervals."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...devices.onboard.stats.distributions import normal_quantile
from ...devices.onboard.stats.estimate import Estimate
from ...devices.onboard.stats.processes import percent
from .jackknife import mean
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
    return mean(flags, what, sampling, bounds=(0.0, 1.0), unit="share")


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

    The interval is the adjusted Wald of Bonett & Price, "Adjusted Wald confidence interval for a
    difference of binomial proportions based on paired data", JEBS 37, 2012: one is added to
    each discordant count and two to n. It keeps its coverage where the two hardly ever disagree.

    Args:
        correct_a: boolean, shape (n,), whether a was right on each sample.
        correct_b: boolean, shape (n,), the same samples in the same order.
        sampling: how the samples were drawn.

    Raises:
        ValueError: lengths differ, or an array is not boolean.
    """
    a, b = _booleans(correct_a, correct_b)
    if sampling.groups is not None:
        lost = a.astype(np.float64) - b
        return mean(lost, "paired difference", sampling, bounds=(-1.0, 1.0), unit="share")
    n, confidence = len(a), sampling.confidence
    method = f"paired difference, {percent(confidence)} interval by Bonett & Price 2012"
    z = normal_quantile(confidence)
    if n == 0:
        return Estimate.unknown("no observations", method)
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    p_a, p_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    centre = p_a - p_b
    half = z * math.sqrt((p_a + p_b - centre * centre) / (n + 2))
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    return Estimate((only_a - only_b) / n, low, high, method, n, None, "share", "measured")


def _booleans(*arrays: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    a, b = (np.asarray(array) for array in arrays)
    if a.dtype != np.bool_ or b.dtype != np.bool_:
        raise ValueError(f"expected boolean arrays, found {a.dtype} and {b.dtype}")
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"expected two arrays of one length, found {a.shape} and {b.shape}")
    return a, b
