"""How much more one pair of models differs than another pair, on the same samples."""

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.estimate import Estimate
from .jackknife import Figure, blocks_of_units, interval
from .metric import Metric, Outputs, Truth
from .sampling import Sampling

_FURTHEST = 2.0
"""One pair may gain all of a share while the other loses all of it."""


def difference_of_drops(
    metric: Metric,
    first: tuple[Outputs, Outputs],
    second: tuple[Outputs, Outputs],
    truth: Truth,
    sampling: Sampling,
) -> Estimate:
    """What the first pair loses minus what the second loses, with its interval over samples.

    All four models answer the same samples, so that what makes a sample hard cancels out.

    Args:
        metric: one that has a value.
        first: outputs of a model before and after a change, [n, k] each.
        second: the same of another model.
        truth: labels of the samples.
        sampling: how they were drawn.
    """
    n = len(truth)
    units, count = blocks_of_units(sampling, n)

    def difference(rows: NDArray[np.bool_]) -> float:
        told = truth[rows]
        before, after, other_before, other_after = (
            metric.measure(outputs[rows], told) for outputs in (*first, *second)
        )
        return (before - after) - (other_before - other_after)

    share = metric.unit == "share"
    figure = Figure(
        f"difference of paired differences of {metric.name}",
        "share" if share else "",
        bounds=(-_FURTHEST, _FURTHEST) if share else None,
    )
    left_out = np.array([difference(units != unit) for unit in range(count)])
    return interval(difference(np.ones(n, bool)), left_out, figure, sampling, n)
