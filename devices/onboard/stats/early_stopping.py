"""Percentiles by MLPerf's early-stopping rule: never better than the true one but in 1 of 100 runs.

    >>> import numpy as np
    >>> early_stopping(np.arange(1, 65), 90)        # of 64 queries the worst
    64.0
    >>> early_stopping(np.arange(63), 90) is None   # no p90 of fewer
    True

The plain p90 of a hundred queries is as often below the true p90 as above it. MLPerf reports the
upper end of its one-sided interval instead (Inference rules, "early stopping"; `EarlyStopping` in
loadgen's results.cc): it comes down to the plain percentile as queries are added.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .estimate import Estimate
from .processes import median_over_processes, min_queries

_CONFIDENCE = 0.99


def early_stopping(latencies: NDArray[Any], percentile: float) -> float | None:
    """One process's early-stopping estimate of a percentile.

    With t the largest number for which P(Binomial(n, 1 - p) <= t) <= 1 - c, at c = 0.99, it is the
    t-th highest latency: t - 1 are discarded.

    Args:
        latencies: shape (n,), any order, any unit; taken to be independent.
        percentile: in percent, above 0 and below 100.

    Returns:
        In the unit of the latencies; None where n is below `min_queries`, at which t is 1.

    Raises:
        ValueError: percentile outside (0, 100).
    """
    n = len(latencies)
    if n < min_queries(percentile):
        return None
    over = discarded(n, percentile) + 1
    return float(np.partition(latencies, n - over)[n - over])


def discarded(n: int, percentile: float) -> int:
    """How many of the highest latencies the rule discards: t - 1.

    Args:
        n: queries, at least `min_queries(percentile)`.
        percentile: in percent.
    """
    chance = 1.0 - percentile / 100.0
    # log P(X = i) from P(X = 0) by the ratio of neighbours; t lies below the mean.
    i = np.arange(int(n * chance) + 1)
    steps = np.log((n - i) / (i + 1.0)) + np.log(chance) - np.log1p(-chance)
    log_mass = n * np.log1p(-chance) + np.concatenate([[0.0], np.cumsum(steps)])
    within = np.cumsum(np.exp(log_mass)) <= 1.0 - _CONFIDENCE
    return int(np.count_nonzero(within)) - 2


def early_stopping_over_processes(
    samples: Sequence[NDArray[Any]], percentile: float, confidence: float = 0.95, unit: str = ""
) -> Estimate:
    """The early-stopping estimate of each process, then the median over processes.

    Args:
        samples: one 1-D array of latencies a process, any numeric dtype.
        percentile: in percent.
        confidence: of the interval over processes.
        unit: of the samples.

    Returns:
        In the unit of the samples; unknown where any process has fewer than `min_queries`.
    """
    each = [early_stopping(sample, percentile) for sample in samples]
    known = [one for one in each if one is not None]
    what = f"MLPerf early-stopping estimate of p{percentile:g} of each process"
    if len(known) < len(each) or not each:
        reason = (
            f"p{percentile:g} takes at least {min_queries(percentile)} queries a process, "
            f"there were {min((len(sample) for sample in samples), default=0)} in the shortest"
        )
        return Estimate.unknown(reason, what, len(each), unit)
    estimate = median_over_processes(known, confidence, unit)
    return replace(estimate, method=f"{what}; {estimate.method}")
