"""Intervals of any figure of test samples, by leaving out one independent unit at a time.

    mean([1.0, 2.0, 4.0, 5.0], "mean size", Sampling(0.95)).value       # 3.0

A unit is a sample, or where samples have groups a whole group.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...devices.onboard.stats.estimate import Estimate
from ...devices.onboard.stats.processes import finite_figures, percent
from .sampling import Sampling

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""A figure under weights: float64 [r, n], how often each sample counts, to float64 [r].

NaN where it does not exist under those weights.
"""
OfSums = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""A figure of sums over samples: float64 [r, m] to float64 [r]; NaN where it does not exist."""
Bounds = tuple[float, float]
"""The least and the most that a figure can be."""

BLOCKS = 400
"""At most as many units are left out by themselves; more are put together at random."""
FEWEST = 3
"""Units: of two an interval would rest on one difference."""
_CELLS = 2**20
"""Weights in memory at once."""
_ROUNDING = 1e-12
"""Figures no further apart, of their own size, are the same."""


def of_sums(
    features: NDArray[Any],
    figure: OfSums,
    what: str,
    sampling: Sampling,
    *,
    bounds: Bounds | None = None,
    unit: str = "",
) -> Estimate:
    """A figure that is computed from sums over samples, such as a mean or a ratio.

    Args:
        features: what is summed, float [n, m].
        figure: of the sums.
        what: the figure's name, for ``method``.
        sampling: how the samples were drawn.
        bounds: of the figure; None: it has none.
        unit: of the figure.
    """
    units, count = sampling.units(len(features))
    sums = np.zeros((count, features.shape[1]))
    np.add.at(sums, units, features)
    total = sums.sum(0)
    value = float(figure(total[None])[0]) if count else math.nan
    left_out = figure(total - sums) if count >= FEWEST else np.full(count, math.nan)
    return interval(value, left_out, what, sampling, bounds=bounds, unit=unit)


def of_weights(
    statistic: Statistic,
    n: int,
    what: str,
    sampling: Sampling,
    *,
    bounds: Bounds | None = None,
    rarest: int | None = None,
    unit: str = "",
) -> Estimate:
    """Any figure of n samples that can be computed under weights, such as that of a ranking.

    Args:
        statistic: the figure under weights; called with blocks of left-out units.
        n: samples.
        what: the figure's name, for ``method``.
        sampling: how the samples were drawn.
        bounds: of the figure; None: it has none.
        rarest: units behind the part of the figure that rests on the fewest; None: all.
        unit: of the figure.
    """
    units, count = sampling.units(n)
    value = float(statistic(np.ones((1, n)))[0]) if n else math.nan
    if count > BLOCKS:
        units = (np.random.default_rng(0).permutation(count) % BLOCKS)[units]
        count = BLOCKS
    step = max(1, _CELLS // max(1, n))
    left_out = [
        statistic((units != np.arange(start, min(start + step, count))[:, None]).astype(np.float64))
        for start in range(0, count, step)
    ]
    values = np.concatenate(left_out) if left_out else np.empty(0)
    return interval(value, values, what, sampling, bounds=bounds, rarest=rarest, unit=unit)


def mean(
    values: ArrayLike,
    what: str,
    sampling: Sampling,
    *,
    bounds: Bounds | None = None,
    unit: str = "",
) -> Estimate:
    """Mean over samples.

    Args:
        values: one figure a sample, shape (n,).
        what: their name, for ``method``.
        sampling: how the samples were drawn.
        bounds: the least and the most that a value can be; None: unknown.
        unit: of the values.

    Raises:
        ValueError: a value that is not finite.
    """
    array = finite_figures(values)
    features = np.stack([array, np.ones(len(array))], 1)
    return of_sums(features, ratio, what, sampling, bounds=bounds, unit=unit)


def ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first of two sums over the second; NaN where that is 0."""
    defined = sums[:, 1] > 0.0
    return np.where(defined, sums[:, 0] / np.where(defined, sums[:, 1], 1.0), np.nan)


def interval(
    value: float,
    left_out: NDArray[np.float64],
    what: str,
    sampling: Sampling,
    *,
    bounds: Bounds | None = None,
    rarest: int | None = None,
    unit: str = "",
) -> Estimate:
    """The interval of a figure, from what it is without each unit.

    Student's t over the jackknife's deviation (Tukey 1958; Efron & Tibshirani 1993, eq. 11.5).

    Args:
        value: of all samples; NaN where it does not exist.
        left_out: the figure without each unit (or block of units), NaN where it does not exist.
        what: the figure's name, for ``method``.
        sampling: how the samples were drawn; its confidence.
        bounds: of the figure.
        rarest: units behind the part of the figure that rests on the fewest; None: all.
        unit: of the figure.
    """
    from scipy.special import stdtrit

    grouped = sampling.groups is not None
    units = sampling.n(len(left_out)) if grouped else len(left_out)
    noun = "groups" if grouped else "samples"
    method = f"{what}, {percent(sampling.confidence)} interval by jackknife over {units:,} {noun}"
    if not math.isfinite(value):
        reason = "it is not defined on these samples" if len(left_out) else "no observations"
        return Estimate.unknown(reason, method, units, unit)

    def without(reason: str) -> Estimate:
        return Estimate(value, None, None, method, units, reason, unit, "measured")

    if len(left_out) < FEWEST:
        return without(f"an interval takes at least {FEWEST} {noun}, there were {len(left_out)}")
    if not np.isfinite(left_out).all():
        return without(f"it does not exist without one of the {noun}")
    m, away = len(left_out), left_out - value
    deviation = math.sqrt((m - 1) / m * float(np.sum(away**2)))
    if deviation <= _ROUNDING * max(1.0, abs(value)):
        if bounds is None:
            return without(f"all {noun} give the same, which says nothing of others")
        # A share of up to 1 - ((1 - confidence) / 2)^(1/n) may be of a kind not met here (Hanley &
        # Lippman-Hand, JAMA 249, 1983).
        unseen = 1.0 - ((1.0 - sampling.confidence) / 2.0) ** (1.0 / (rarest or units))
        low, high = (value + unseen * (end - value) for end in bounds)
        by = f"{what}, {percent(sampling.confidence)} interval of the unseen of {units:,} {noun}"
        return Estimate(value, min(low, value), max(high, value), by, units, None, unit, "measured")
    half = float(stdtrit(m - 1, 0.5 + sampling.confidence / 2.0)) * deviation
    low, high = value - half, value + half
    if bounds is not None:
        low, high = max(low, min(bounds[0], value)), min(high, max(bounds[1], value))
    return Estimate(value, low, high, method, units, None, unit, "measured")
