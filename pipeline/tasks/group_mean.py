"""The mean of bounded figures over samples that come in groups, with an interval.

    mean_of_groups(right, share_figure("recall"), Sampling(0.99, speakers))

The jackknife says little where only a few groups differ from the others, as those of a class of
which nearly all is right. A bound by betting says little where many differ. Either has a part of
the error, so that the nearer ends err no more often than all of it (Bonferroni).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...devices.onboard.stats.betting import shown_above_zero
from ...devices.onboard.stats.estimate import Estimate
from ...devices.onboard.stats.processes import percent
from .jackknife import Figure, mean
from .sampling import Sampling

_OF_BOUND = 0.1
"""Of the error that an interval may make, what the bound may."""
_HALVINGS = 40


def mean_of_groups(values: ArrayLike, figure: Figure, sampling: Sampling) -> Estimate:
    """The mean over samples, of which those of one group are not independent.

    Args:
        values: one a sample, within the figure's bounds, shape (n,).
        figure: what is known of it; it has bounds.
        sampling: how the samples were drawn; it has groups.

    Raises:
        ValueError: a value that is not finite, or a figure without bounds.
    """
    if figure.bounds is None:
        raise ValueError(f"{figure.what} has no bounds")
    wrong = 1.0 - sampling.confidence
    estimate = mean(values, figure, sampling.at(1.0 - (1.0 - _OF_BOUND) * wrong))
    if estimate.low is None or estimate.high is None:
        return estimate
    array = np.asarray(values, np.float64)
    units, count = sampling.units(len(array))
    sums = np.bincount(units, array, count).astype(np.float64)
    sizes = np.bincount(units, minlength=count).astype(np.float64)
    (least, most), error = figure.bounds, _OF_BOUND * wrong / 2.0
    value = float(sums.sum() / sizes.sum())
    low = _lower_end(sums, sizes, least, (estimate.low, value), error)
    high = -_lower_end(-sums, sizes, -most, (-estimate.high, -value), error)
    at = percent(sampling.confidence)
    method = f"{figure.what}, {at} interval by jackknife over {count:,} groups"
    if low > estimate.low or high < estimate.high:
        method += ", or by betting (Waudby-Smith & Ramdas 2024) where that end is nearer"
    return replace(estimate, low=low, high=high, method=method)


def _lower_end(
    sums: NDArray[np.float64],
    sizes: NDArray[np.float64],
    least: float,
    between: tuple[float, float],
    error: float,
) -> float:
    """The largest mean that the groups show the true one to be above, or an end that is nearer.

    Where ``middle`` is the true mean over samples, what a group has over it,
    ``sum - middle * size``, is 0 on average over groups, and no less than the largest group of
    samples that are all at the least.

    Args:
        sums: of the samples of each group, float64 [groups].
        sizes: samples of each group, float64 [groups].
        least: that a sample can be.
        between: the end that is known without this, and the mean that was seen.
        error: the largest chance that the true mean is below.
    """
    largest = float(sizes.max())

    def is_shown(middle: float) -> bool:
        gains = (sums - middle * sizes) / ((middle - least) * largest)
        # Close to the least one, rounding may lead below it.
        return shown_above_zero(np.maximum(gains, -1.0), error)

    known, value = between
    if known > least and not is_shown(known):
        return known
    return _boundary(is_shown, known, value)


def _boundary(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where something that holds at a low value ceases to hold."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if not low < middle < high:
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
