"""Intervals of any figure of test samples, by resampling the samples.

>>> bootstrap_mean([1.0, 2.0, 4.0, 5.0], "mean size").value
3.0
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...devices.onboard.stats.distributions import (
    check_confidence,
    normal_quantile,
    student_t,
)
from ...devices.onboard.stats.estimate import Estimate
from ...devices.onboard.stats.processes import finite_figures, percent

RESAMPLES = 2000
"""Of a bootstrap: its 2.5 % ends then are those of 2.5 % ± 0.7 % (two standard errors)."""
_BLOCK = 2**20
"""Weights in memory at once, so that memory does not grow with the resamples."""
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


@dataclass(frozen=True, slots=True)
class Resampling:
    """How samples are resampled, and what is known of the figure.

    Attributes:
        confidence: of the interval, in (0, 1).
        resamples: how many.
        seed: of the resamples; two statistics of one seed and n are drawn alike.
        bounds: the least and the most that one sample can bring to the figure; None: unknown.
        rarest: samples behind the part of the figure that rests on the fewest; None: all.
    """

    confidence: float = 0.95
    resamples: int = RESAMPLES
    seed: int = 0
    bounds: tuple[float, float] | None = None
    rarest: int | None = None


_DEFAULT = Resampling()


def bootstrap(statistic: Statistic, n: int, what: str, how: Resampling = _DEFAULT) -> Estimate:
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
        how: confidence, resamples, seed, and what is known of the figure.

    Raises:
        ValueError: confidence outside (0, 1).
    """
    check_confidence(how.confidence)
    interval = f"{percent(how.confidence)} interval by BCa bootstrap, {how.resamples} resamples"
    method = f"{what}, {interval}"
    if n == 0:
        return Estimate.unknown("no observations", method)
    value = float(statistic(np.ones((1, n)))[0])
    if not math.isfinite(value):
        return Estimate.unknown("it is not defined on these samples", method, n)
    if n == 1:
        reason = "an interval takes at least 2 samples, there was 1"
        return Estimate(value, None, None, method, n, reason, kind="measured")
    random = np.random.default_rng(how.seed)
    figures = np.concatenate([statistic(w) for w in _resampled(n, how.resamples, random)])
    figures = figures[np.isfinite(figures)]
    if len(figures) < _ENOUGH_DEFINED * how.resamples:
        reason = f"it exists in only {len(figures)} of {how.resamples} resamples"
        return Estimate(value, None, None, method, n, reason, kind="measured")
    if np.ptp(figures) <= _ROUNDING * max(1.0, abs(value)):
        return _unanimous(value, what, n, how)
    z = _expanded(how.confidence, n if how.rarest is None else how.rarest)
    low, high = _bca(value, figures, _jackknifed(statistic, n, random), z)
    return Estimate(value, low, high, method, n, kind="measured")


def bootstrap_paired(
    reference: Statistic, variant: Statistic, n: int, what: str, how: Resampling = _DEFAULT
) -> Estimate:
    """A figure of a reference minus that of a variant, on the same samples.

    Both are resampled together, so that what makes a sample hard for both cancels.

    Args:
        reference: its figure under weights.
        variant: the same figure of the variant, its samples in the same order.
        n: samples.
        what: the difference's name, for ``method``.
        how: as for ``bootstrap``; the bounds are those of the difference.

    Raises:
        ValueError: confidence outside (0, 1).
    """
    return bootstrap(lambda weights: reference(weights) - variant(weights), n, what, how)


def bootstrap_mean(values: ArrayLike, what: str, how: Resampling = _DEFAULT) -> Estimate:
    """Mean over samples of any distribution, with the interval of ``bootstrap``.

    Args:
        values: one figure a sample, shape (n,).
        what: their name, for ``method``.
        how: as for ``bootstrap``; the bounds are the least and the most that a value can be.

    Raises:
        ValueError: a value that is not finite, or confidence outside (0, 1).
    """
    array = finite_figures(values)
    return bootstrap(lambda weights: weights @ array / weights.sum(1), len(array), what, how)


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
    parts = [
        statistic((of != np.arange(start, min(start + step, groups))[:, None]).astype(np.float64))
        for start in range(0, groups, step)
    ]
    values = np.concatenate(parts)
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


def _unanimous(value: float, what: str, n: int, how: Resampling) -> Estimate:
    """Where all resamples agree: as far as samples of a kind not met could take it."""
    if how.bounds is None:
        reason = "all resamples give the same, which says nothing of other samples"
        return Estimate(value, None, None, f"{what}, bootstrap", n, reason, kind="measured")
    seen = n if how.rarest is None else how.rarest
    unseen = 1.0 - ((1.0 - how.confidence) / 2.0) ** (1.0 / seen)
    low, high = (value + unseen * (end - value) for end in how.bounds)
    by = "interval of the unseen by Hanley & Lippman-Hand 1983"
    method = f"{what}, {percent(how.confidence)} {by}"
    return Estimate(value, min(low, value), max(high, value), method, n, kind="measured")
