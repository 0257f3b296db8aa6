"""Means over classes with intervals that few wrong samples do not make wide.

mean_of_classes("mean recall", jackknifed, recalled, Sampling(0.95))
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from ...devices.onboard.stats.processes import percent
from .class_recall import together
from .proportions import share
from .sampling import Sampling


def mean_of_classes(
    what: str,
    jackknifed: Callable[[Sampling], Estimate],
    holds: Iterable[tuple[NDArray[np.intp], NDArray[np.bool_]]],
    sampling: Sampling,
    of_share: Callable[[float], float] = float,
) -> Estimate:
    """A mean over classes of a share, or of what grows with one, by the nearer end on either side.

    The jackknife says little where few samples are wrong. The recall of a class is a proportion:
    the exact intervals of all classes hold together, and so does the mean of their ends for the
    mean. Each of the two has half of the error, so that the nearer ends have no more than all of it
    (Bonferroni).

    Args:
        what: the figure's name, for ``method``.
        jackknifed: the mean with its interval by jackknife, at the confidence of a sampling.
        holds: of each class, the numbers of its samples and of which of them something holds.
        sampling: of all of test. Samples of one group are no independent trials of a proportion,
            so that with groups the jackknife stands alone.
        of_share: the figure of a class by its share.
    """
    tested = [(rows, flags) for rows, flags in holds if len(rows)]
    if sampling.groups is not None or not tested:
        return jackknifed(sampling)
    halved = sampling.at(together(sampling.confidence, 2))
    estimate = jackknifed(halved)
    if estimate.value is None:
        return estimate
    family = halved.at(together(halved.confidence, len(tested)))
    classes = [share(flags, family.of(rows)) for rows, flags in tested]
    low = float(np.mean([of_share(each.low) for each in classes if each.low is not None]))
    high = float(np.mean([of_share(each.high) for each in classes if each.high is not None]))
    if estimate.low is not None and estimate.high is not None:
        low, high = max(low, estimate.low), min(high, estimate.high)
    sure = f"{what}, {percent(sampling.confidence)} interval: the nearer ends of a jackknife "
    method = f"{sure}over {estimate.n:,} samples and of exact intervals of all classes"
    return replace(estimate, low=low, high=high, method=method, missing=None)


def f1_of_overlap(overlap: float) -> float:
    """F1 by the share of right ones among the samples that are of a class or answered with it.

    2 h / (here + told) where h / (here + told - h) is the share: it grows with it, so that an
    interval of the one, a proportion of so many samples, is an interval of the other.
    """
    return 2.0 * overlap / (1.0 + overlap)
