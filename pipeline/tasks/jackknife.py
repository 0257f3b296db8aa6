"""Intervals of any figure of test samples, by leaving out one independent unit at a time.

    mean([1.0, 2.0, 4.0, 5.0], "mean size", Sampling(0.95)).value       # 3.0

A unit is a sample, or where samples have groups a whole group.

Student's t over the jackknife's deviation (Tukey 1958; Efron & Tibshirani 1993, eq. 11.5) is right
for normal units only. Errors are skewed, and where a few units carry most of an error, samples that
happen to lack them look both better and surer. At the tails that a verdict asks for, t then errs
many times as often as it says. Three things hold it (figures in ``tests/bench/bench_promise.py``):

* what a model falls short of perfection is judged by its logarithm;
* the degrees of freedom fall with the units' kurtosis (Satterthwaite 1946 for the variance of a
  sample's variance);
* the end towards which units are skewed moves out by the first term of Cornish & Fisher 1938
  (Johnson, JASA 73, 1978), for one and a half times the skewness seen and never less than a floor.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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

BLOCKS = 100
"""At most as many units are left out by themselves; more are put together at random."""
FEWEST = 3
"""Units: of two an interval would rest on one difference."""
SKEWNESS_SEEN = 1.5
"""Few units show too little of their skewness: by what it is multiplied."""
LEAST_SKEWNESS = 1.5
"""What is assumed at least, towards either end, where the logarithm has taken its share."""
LEAST_SKEWNESS_OF_DIFFERENCES = math.sqrt(8.0)
"""The same for a difference, which has no logarithm: that of a squared normal error."""
FEW = 5.0
"""Of as many units as this the least skewness is doubled."""
WIDEST = 1000.0
"""A figure without bounds that may be as many times as large has no interval worth the name."""
_CELLS = 2**17
"""Weights at once, few enough for a cache."""
_ROUNDING = 1e-12
"""Figures no further apart, of their own size, are the same."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What is known of a figure before it is seen.

    Attributes:
        what: its name, for ``method``.
        unit: of its value.
        perfect: its value for a perfect model, beyond which it cannot be; None for a difference.
        bounds: the least and the most that it can be; None: unknown.
        parts: how many parts, such as classes, the figure is the mean of; 1: no parts.
        hidden: units behind each part that shows no spread of its own.
    """

    what: str
    unit: str = ""
    perfect: float | None = None
    bounds: tuple[float, float] | None = None
    parts: int = 1
    hidden: Sequence[int] = ()


def share_figure(what: str, parts: int = 1, hidden: Sequence[int] = ()) -> Figure:
    """A share that is 1 for a perfect model."""
    return Figure(what, "share", 1.0, (0.0, 1.0), parts, hidden)


def mean_share_figure(
    what: str, holds: Iterable[tuple[NDArray[Any], NDArray[np.bool_]]], sampling: Sampling
) -> Figure:
    """A share that is the mean of shares, such as that of classes.

    Args:
        what: the figure's name, for ``method``.
        holds: of each part, the numbers of its samples and of which of them something holds.
        sampling: how all samples were drawn.
    """
    parts = [(rows, flags) for rows, flags in holds if len(rows)]
    alike = [rows for rows, flags in parts if flags.all() or not flags.any()]
    return share_figure(what, max(1, len(parts)), sampling.behind(alike))


def of_sums(
    features: NDArray[Any], formula: OfSums, figure: Figure, sampling: Sampling
) -> Estimate:
    """A figure that is computed from sums over samples, such as a mean or a ratio.

    Args:
        features: what is summed, float [n, m].
        formula: of the sums.
        figure: what is known of it.
        sampling: how the samples were drawn.
    """
    units, count = sampling.units(len(features))
    sums = np.zeros((count, features.shape[1]))
    np.add.at(sums, units, features)
    return of_unit_sums(sums, formula, figure, sampling, len(features))


def of_unit_sums(
    sums: NDArray[np.float64], formula: OfSums, figure: Figure, sampling: Sampling, samples: int
) -> Estimate:
    """The same where samples were summed by unit, or by block of units, before.

    Args:
        sums: of each unit, float [units, m].
        formula: of the sums.
        figure: what is known of it.
        sampling: how the samples were drawn.
        samples: how many.
    """
    total, count = sums.sum(0), len(sums)
    value = float(formula(total[None])[0]) if count else math.nan
    left_out = formula(total - sums) if count >= FEWEST else np.empty(0)
    return interval(value, left_out, figure, sampling, samples)


def blocks_of_units(sampling: Sampling, samples: int) -> tuple[NDArray[np.int64], int]:
    """The unit of each sample, int64 [n], and how many; where there are many, random blocks."""
    units, count = sampling.units(samples)
    if count <= BLOCKS:
        return units, count
    return (np.random.default_rng(0).permutation(count) % BLOCKS)[units], BLOCKS


def of_weights(statistic: Statistic, n: int, figure: Figure, sampling: Sampling) -> Estimate:
    """Any figure of n samples that can be computed under weights, such as that of a ranking.

    Args:
        statistic: the figure under weights; called with blocks of left-out units.
        n: samples.
        figure: what is known of it.
        sampling: how the samples were drawn.
    """
    units, count = blocks_of_units(sampling, n)
    value = float(statistic(np.ones((1, n)))[0]) if n else math.nan
    step = max(1, _CELLS // max(1, n))
    left_out = [np.empty(0)]
    left_out += [
        statistic((units != np.arange(start, min(start + step, count))[:, None]).astype(np.float64))
        for start in range(0, count, step)
    ]
    return interval(value, np.concatenate(left_out), figure, sampling, n)


def mean(values: ArrayLike, figure: Figure, sampling: Sampling) -> Estimate:
    """Mean over samples.

    Args:
        values: one figure a sample, shape (n,).
        figure: what is known of it.
        sampling: how the samples were drawn.

    Raises:
        ValueError: a value that is not finite.
    """
    array = finite_figures(values)
    return of_sums(np.stack([array, np.ones(len(array))], 1), ratio, figure, sampling)


def ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first of two sums over the second; NaN where that is 0."""
    defined = sums[:, 1] > 0.0
    return np.where(defined, sums[:, 0] / np.where(defined, sums[:, 1], 1.0), np.nan)


def interval(
    value: float,
    left_out: NDArray[np.float64],
    figure: Figure,
    sampling: Sampling,
    samples: int,
) -> Estimate:
    """The interval of a figure, from what it is without each unit.

    Args:
        value: of all samples; NaN where it does not exist.
        left_out: the figure without each unit (or block of units), NaN where it does not exist.
        figure: what is known of it.
        sampling: how the samples were drawn; its confidence.
        samples: how many.
    """
    n = sampling.n(samples)
    noun = "samples" if sampling.groups is None else "groups"
    sure = percent(sampling.confidence)
    method = f"{figure.what}, {sure} interval by jackknife over {n:,} {noun}"
    if not math.isfinite(value):
        reason = "it is not defined on these samples" if n else "no observations"
        return Estimate.unknown(reason, method, n, figure.unit)

    def without(reason: str) -> Estimate:
        return Estimate(value, None, None, method, n, reason, figure.unit, "measured")

    if n < FEWEST:
        return without(f"an interval takes at least {FEWEST} {noun}, there were {n}")
    if not np.isfinite(left_out).all():
        return without(f"it does not exist without some of the {noun}")
    if np.ptp(left_out) > _ROUNDING * max(1.0, abs(value)):
        ends = _ends(value, left_out, figure, n, sampling.confidence)
    elif figure.bounds is None:
        return without(f"all {noun} give the same, which says nothing of others")
    else:
        ends = _unseen(value, figure, figure.bounds, n, sampling.confidence)
        method = f"{figure.what}, {sure} interval of what {n:,} {noun} may not show"
    if ends is None:
        return without(f"the {noun} differ too much")
    return Estimate(value, *ends, method, n, None, figure.unit, "measured")


def _ends(
    value: float, left_out: NDArray[np.float64], figure: Figure, n: int, confidence: float
) -> tuple[float, float] | None:
    """The ends of the interval, where units differ; None where they are too far apart."""
    away = value - left_out
    deviation = math.sqrt((len(away) - 1) / len(away) * float(np.sum(away**2)))
    floor = LEAST_SKEWNESS_OF_DIFFERENCES if figure.perfect is None else LEAST_SKEWNESS
    down, up = _reach(away, n, confidence, floor)
    if figure.perfect is None:
        low, high = value - down * deviation, value + up * deviation
    else:
        # Units that raise the figure lower what it falls short of perfection from below.
        sign = 1.0 if value <= figure.perfect else -1.0
        lost = abs(value - figure.perfect)
        more, less = (down, up) if sign > 0 else (up, down)
        if figure.bounds is None and more * deviation > math.log(WIDEST) * lost:
            return None
        largest = lost * math.exp(min(more * deviation / lost, math.log(WIDEST)))
        smallest = lost * math.exp(-less * deviation / lost)
        low, high = sorted((figure.perfect - sign * largest, figure.perfect - sign * smallest))
    if figure.bounds is not None:
        low, high = max(low, figure.bounds[0]), min(high, figure.bounds[1])
        if figure.hidden:
            least, most = _unseen(value, figure, figure.bounds, n, confidence)
            low = max(figure.bounds[0], value - math.hypot(value - low, value - least))
            high = min(figure.bounds[1], value + math.hypot(high - value, most - value))
    return min(low, value), max(high, value)


def _reach(
    away: NDArray[np.float64], n: int, confidence: float, floor: float
) -> tuple[float, float]:
    """How many deviations the lower and the upper end are away from the value.

    Args:
        away: what each unit, or block of units, adds to the figure, float64 [m].
        n: units.
        confidence: of the interval.
        floor: of the skewness of a unit.
    """
    from scipy.special import stdtrit

    m = len(away)
    centred = away - away.mean()
    spread = math.sqrt(float(np.mean(centred**2)))
    skewness = float(np.mean(centred**3)) / spread**3 * math.sqrt(m * (m - 1)) / (m - 2)
    kurtosis = float(np.mean(centred**4)) / spread**4
    freedom = min(m - 1.0, max(1.0, 2.0 * m / (kurtosis - 1.0 + 2.0 / (m - 1))))
    t = float(stdtrit(freedom, 0.5 + confidence / 2.0))
    step = (2.0 * t * t + 1.0) / (6.0 * math.sqrt(m))
    # A block's mean is less skewed than a unit, and of few units less is known.
    least = floor * math.sqrt(m / n) * (1.0 + FEW / n)
    down, up = (t + step * max(least, SKEWNESS_SEEN * side) for side in (-skewness, skewness))
    return down, up


def _unseen(
    value: float, figure: Figure, bounds: tuple[float, float], n: int, confidence: float
) -> tuple[float, float]:
    """How far samples of a kind that was not met could take a figure with bounds.

    A share of up to 1 - ((1 - confidence) / 2)^(1/n) of all units may be of such a kind (Hanley &
    Lippman-Hand, JAMA 249, 1983), each as far away as the bounds allow. Of a mean of parts, each
    part may hide its own.
    """
    tail = (1.0 - confidence) / 2.0
    hidden = [1.0 - tail ** (1.0 / units) for units in figure.hidden or (n,) * figure.parts]
    share = math.hypot(*hidden) / figure.parts
    low, high = (value + share * (end - value) for end in bounds)
    return min(low, value), max(high, value)
