"""Intervals over test samples and seeds: proportions, paired differences, bootstraps.

The unit that is resampled is the test sample; a seed where several students were trained.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...devices.onboard.stats.distributions import (
    check_confidence,
    normal_quantile,
    student_t,
)
from ...devices.onboard.stats.estimate import Estimate
from ...devices.onboard.stats.processes import _finite, _percent

RESAMPLES = 2000
"""Of a bootstrap: its 2.5 % ends then are those of 2.5 % ± 0.7 % (two standard errors)."""


_BLOCK = 2**20
"""Weights held at once, so that memory does not grow with the resamples."""


_JACKKNIFE_GROUPS = 200
"""The skewness of a statistic needs no more: leaving out groups finds the same acceleration."""


_ENOUGH_DEFINED = 0.95
"""Share of resamples in which a statistic must exist."""


_FEW = 1000
"""Beyond as many samples Student's t is the normal, to a part in a thousand."""


_ROUNDING = 1e-12
"""Figures no further apart are the same."""


Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""A figure under weights: float64 [r, n], how often each sample counts, to float64 [r].

NaN where it does not exist under those weights.
"""


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
    method = f"paired difference, {_percent(confidence)} interval by Bonett & Price 2012"
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


def bootstrap(
    statistic: Statistic,
    n: int,
    what: str,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    bounds: tuple[float, float] | None = None,
    rarest: int | None = None,
) -> Estimate:
    """Any figure of n samples with its BCa bootstrap interval.

    Bias-corrected and accelerated (Efron, "Better bootstrap confidence intervals", JASA 82, 1987):
    percentiles of the resampled figures, moved for their bias and for a spread that changes with
    the figure. The acceleration is the jackknife's, leaving out one of up to 200 groups at a time.
    As percentiles of few samples lie too close together, they are taken as far out as Student's t
    lies beyond the normal (Hesterberg, "What teachers should know about the bootstrap", The
    American Statistician 69, 2015, "expanded percentile interval").

    Where no resample differs from the sample, the bootstrap sees no spread although another sample
    may differ. With ``bounds`` the interval then is that of the unseen: a share of up to
    1 - ((1 - confidence) / 2)^(1/n) of all samples may be of a kind not met here (Hanley &
    Lippman-Hand, JAMA 249, 1983), each as far away as the bounds allow; without, there is none.

    Args:
        statistic: the figure under weights; it is called with blocks of resamples.
        n: samples.
        what: the figure's name, for ``method``.
        confidence: in (0, 1).
        resamples: how many.
        seed: of the resamples; two statistics of one seed and n are drawn alike.
        bounds: the least and the most one sample can bring to the figure.
        rarest: samples behind the part of the figure that rests on the fewest, n where not told.

    Raises:
        ValueError: confidence outside (0, 1).
    """
    check_confidence(confidence)
    method = f"{what}, {_percent(confidence)} interval by BCa bootstrap, {resamples} resamples"
    if n == 0:
        return Estimate.unknown("no observations", method)
    value = float(statistic(np.ones((1, n)))[0])
    if not math.isfinite(value):
        return Estimate.unknown("it is not defined on these samples", method, n)
    if n == 1:
        reason = "an interval takes at least 2 samples, there was 1"
        return Estimate(value, None, None, method, n, reason, kind="measured")
    random = np.random.default_rng(seed)
    found = np.concatenate([statistic(weights) for weights in _resampled(n, resamples, random)])
    found = found[np.isfinite(found)]
    if len(found) < _ENOUGH_DEFINED * resamples:
        reason = f"it exists in only {len(found)} of {resamples} resamples"
        return Estimate(value, None, None, method, n, reason, kind="measured")
    if np.ptp(found) <= _ROUNDING * max(1.0, abs(value)):
        seen = n if rarest is None else rarest
        return _unanimous(value, what, confidence, bounds, n=n, seen=seen)
    z = _expanded(confidence, n if rarest is None else rarest)
    low, high = _bca(value, found, _jackknifed(statistic, n, random), z)
    return Estimate(value, low, high, method, n, kind="measured")


def bootstrap_paired(
    reference: Statistic,
    variant: Statistic,
    n: int,
    what: str,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    bounds: tuple[float, float] | None = None,
    rarest: int | None = None,
) -> Estimate:
    """A figure of a reference minus that of a variant, on the same samples.

    Both are resampled together, so that what makes a sample hard for both cancels.

    Args:
        reference: its figure under weights.
        variant: the same figure of the variant, its samples in the same order.
        n: samples.
        what: the difference's name, for ``method``.
        confidence: as in ``bootstrap``, like all that follows.
        resamples: how many.
        seed: of the resamples.
        bounds: the least and the most one sample can bring to the difference.
        rarest: samples behind the part of the figure that rests on the fewest.

    Raises:
        ValueError: confidence outside (0, 1).
    """
    return bootstrap(
        lambda weights: reference(weights) - variant(weights),
        n,
        what,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        bounds=bounds,
        rarest=rarest,
    )


def bootstrap_mean(
    values: ArrayLike,
    what: str,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """Mean over samples of any distribution, with the interval of ``bootstrap``.

    Args:
        values: one figure a sample, shape (n,).
        what: their name, for ``method``.
        confidence: in (0, 1).
        resamples: how many.
        seed: of the resamples.
        bounds: the least and the most a value can be.

    Raises:
        ValueError: a value that is not finite, or confidence outside (0, 1).
    """
    array = _finite(values)
    return bootstrap(
        lambda weights: weights @ array / weights.sum(1),
        len(array),
        what,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        bounds=bounds,
    )


def worst_of(estimates: Sequence[Estimate], most: float) -> Estimate:
    """The largest of several figures, with an interval that holds for the largest.

    Where intervals hold simultaneously, each at confidence 1 - 0.05 / k (Bonferroni), the largest
    true figure lies between the largest of their lower and of their upper ends. A figure that could
    not be had may be anything up to ``most``, and so may the largest.

    Args:
        estimates: figures whose intervals hold simultaneously.
        most: the largest a figure can be.

    Returns:
        Unknown where all are. The value is the largest observed, which tends to lie above the
        largest true one: the more figures, the more so.
    """
    known = [one for one in estimates if one.value is not None]
    method = f"largest of {len(known)}, from the largest lower to the largest upper end"
    n = sum(one.n for one in known)
    if not known:
        reason = next((one.missing for one in estimates if one.missing), "there are none")
        return Estimate.unknown(reason, method, n)
    method += f"; each: {known[0].method}"
    unseen = len(estimates) - len(known)
    if unseen:
        method += f"; {unseen} more could not be had and may be anything up to {most:g}"
    value = max(one.value for one in known if one.value is not None)
    lows = [one.low for one in known if one.low is not None]
    highs = [one.high for one in known if one.high is not None]
    if min(len(lows), len(highs)) < len(known):
        reason = next((one.missing for one in known if one.missing), "an interval is missing")
        return replace(
            known[0], value=value, low=None, high=None, method=method, n=n, missing=reason
        )
    high = most if unseen else max(highs)
    return replace(known[0], value=value, low=max(lows), high=high, method=method, n=n)


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
            mean,
            None,
            None,
            method,
            1,
            "an interval takes at least 2 seeds, there was 1",
            kind="measured",
        )
    half = student_t(confidence, n - 1) * float(np.std(array, ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, method, n, kind="measured")


def _resampled(
    n: int, resamples: int, random: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """How often each sample is drawn, in blocks [r, n] of resamples."""
    step = max(1, _BLOCK // n)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = random.integers(0, n, (rows, n)) + n * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _jackknifed(statistic: Statistic, n: int, random: np.random.Generator) -> NDArray[np.float64]:
    """The statistic without each group of samples, where it exists; groups are drawn at random."""
    groups = min(n, _JACKKNIFE_GROUPS)
    of = random.permutation(n) % groups
    step = max(1, _BLOCK // n)
    found = [
        statistic((of != np.arange(start, min(start + step, groups))[:, None]).astype(np.float64))
        for start in range(0, groups, step)
    ]
    values = np.concatenate(found)
    return values[np.isfinite(values)]


def _bca(
    value: float,
    resampled: NDArray[np.float64],
    jackknifed: NDArray[np.float64],
    z: float,
) -> tuple[float, float]:
    """The BCa ends (Efron & Tibshirani 1993, eq. 14.9 to 14.15); never without the value."""
    normal, n = NormalDist(), len(resampled)
    below = float(np.sum(resampled < value)) + 0.5 * float(np.sum(resampled == value))
    bias = normal.inv_cdf(min(max(below, 0.5), n - 0.5) / n)
    acceleration = _acceleration(jackknifed)
    ends = []
    for side in (-z, z):
        moved = bias + side
        scale = 1.0 - acceleration * moved
        # Beyond its pole the transformation says nothing but which side it is.
        level = normal.cdf(bias + moved / scale) if scale > 0.0 else float(side > 0.0)
        ends.append(float(np.quantile(resampled, level)))
    return min(ends[0], value), max(ends[1], value)


def _expanded(confidence: float, n: int) -> float:
    """The normal quantile, as far out as the t interval of n samples with a deviation over n is."""
    if n > _FEW:
        return normal_quantile(confidence)
    n = max(2, n)
    return math.sqrt(n / (n - 1)) * student_t(confidence, n - 1)


def _acceleration(jackknifed: NDArray[np.float64]) -> float:
    if not len(jackknifed):
        return 0.0
    influence = jackknifed.mean() - jackknifed
    largest = float(np.abs(influence).max())
    if largest <= _ROUNDING:
        return 0.0
    influence /= largest
    return float(np.sum(influence**3) / (6.0 * np.sum(influence**2) ** 1.5))


def _unanimous(
    value: float,
    what: str,
    confidence: float,
    bounds: tuple[float, float] | None,
    *,
    n: int,
    seen: int,
) -> Estimate:
    """Where all resamples agree: as far as samples of a kind not met could take it."""
    if bounds is None:
        reason = "all resamples give the same, which says nothing of other samples"
        return Estimate(value, None, None, f"{what}, bootstrap", n, reason, kind="measured")
    unseen = 1.0 - ((1.0 - confidence) / 2.0) ** (1.0 / seen)
    low, high = (value + unseen * (end - value) for end in bounds)
    method = f"{what}, {_percent(confidence)} interval of the unseen by Hanley & Lippman-Hand 1983"
    return Estimate(value, min(low, value), max(high, value), method, n, kind="measured")
