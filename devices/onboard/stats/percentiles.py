"""Percentiles of latency over all processes there could be, with what they leave unknown.

    >>> samples = [np.arange(1.0, 101.0) for _ in range(60)]
    >>> found = percentile_over_processes(samples, 90, 0.99)
    >>> found.value, found.low, found.high
    (90.0, 90.0, 91.0)

A p90 is the latency that nine of ten queries do not exceed, in whichever process they are. So the
queries of all processes are pooled, every process with the same weight, and the figure is the
pooled percentile: a latency that did occur. Its interval holds the latencies above which the share
of queries may be one of ten as far as the processes show (`betting`): with one process of seven
twice as slow the p90 is a slow process's, however fast the median process is. The upper end of a
p90 takes some 50 processes, that of a p99 some 500, since fewer may have missed the slow ones; with
fewer there is a lower end only.

Processes in a row are not processes at random. A verdict's interval is `guarded`: it holds too if
neighbours in time correlate by 0.9 (`dependence`), and reaches as far as latency would drift if
what drift the figures leave possible went on for five times as long, or one that they show for ten
times. That takes 16 processes at the least. Other intervals are wider only where a resemblance is
shown. Simulated, with the true p50 at the budget and looks from 16 to 59 processes: see
tests/bench/bench_latency_promise.py.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .betting import fewest_below, shown_above, shown_below
from .dependence import farthest, in_blocks, shown_correlation, span_of_dependence
from .distributions import check_confidence
from .drift import drift
from .estimate import Estimate
from .processes import min_queries, percent

RESEMBLANCE = 0.9
"""Correlation of neighbours in time that a guarded interval takes as given."""
_DRIFT_CONFIDENCE = 0.95
_MAY_GO_ON, _GOES_ON = 5.0, 10.0
"""For how many times as long as the measurement the largest drift that is possible is taken to go
on, and one that is shown."""
_FEWEST, _FEWEST_GUARDED = 4, 16
"""Processes from which something can be said of their order, and enough for a verdict: of 12 that
rise by 2 % one in twenty series shows no drift."""


class Pooled:
    """The queries of several processes, each process with the same weight.

    Attributes:
        latencies: each that occurred, once, ascending.
        queries: of all processes.
    """

    def __init__(self, samples: Sequence[NDArray[Any]]) -> None:
        """Take one 1-D array of latencies a process, none empty, in the order of time."""
        self._each = np.array([len(sample) for sample in samples])
        pooled = np.concatenate(samples)
        order = np.argsort(pooled)
        self._process = np.repeat(np.arange(len(samples)), self._each)[order]
        self.latencies, counts = np.unique(pooled[order], return_counts=True)
        self._within = np.cumsum(counts)
        self.queries = len(pooled)

    @property
    def processes(self) -> int:
        """How many there are."""
        return len(self._each)

    def shares_above(self, index: int) -> NDArray[np.float64]:
        """The share of each process's queries above one of `latencies`, shape (processes,)."""
        above = np.bincount(self._process[self._within[index] :], minlength=self.processes)
        shares: NDArray[np.float64] = above / self._each
        return shares

    def percentile(self, percentile: float) -> float:
        """The smallest latency that at least this share of the queries do not exceed."""
        above = 1.0 - percentile / 100.0
        # Sums of shares are rounded.
        index = self._first(lambda shares: float(shares.mean()) <= above + 1e-9)
        return float(self.latencies[index])

    def least_shown(self, above: float, error: float) -> float | None:
        """The largest latency known to be exceeded by more than a share of all queries, or equal.

        Args:
            above: the share.
            error: largest chance that fewer exceed it.
        """
        if not shown_above(np.ones(self.processes), above, error):
            return None
        index = self._first(lambda shares: not shown_above(_apart(shares), above, error))
        return float(self.latencies[index])

    def most_shown(self, above: float, error: float) -> float | None:
        """The smallest latency known to be exceeded by no more than a share of all queries.

        Args:
            above: the share.
            error: largest chance that more exceed it.
        """
        if not shown_below(np.zeros(self.processes), above, error):
            return None
        index = self._first(lambda shares: shown_below(_apart(shares), above, error))
        return float(self.latencies[index])

    def _first(self, holds: Callable[[NDArray[np.float64]], bool]) -> int:
        """Index of the first latency whose shares above it fulfil what the largest one's do."""
        low, high = 0, len(self.latencies) - 1
        while low < high:
            middle = (low + high) // 2
            if holds(self.shares_above(middle)):
                high = middle
            else:
                low = middle + 1
        return low


def percentile_over_processes(
    samples: Sequence[NDArray[Any]],
    percentile: float,
    confidence: float = 0.95,
    unit: str = "",
    *,
    guarded: bool = True,
) -> Estimate:
    """A percentile of the latency of a query, in whichever process; see `over_processes`."""
    (one,) = over_processes(samples, (percentile,), confidence, unit, guarded=guarded)
    return one


def over_processes(
    samples: Sequence[NDArray[Any]],
    percentiles: Sequence[float],
    confidence: float = 0.95,
    unit: str = "",
    *,
    guarded: bool = True,
) -> tuple[Estimate, ...]:
    """Percentiles of the latency of a query, in whichever process.

    Args:
        samples: one 1-D array of latencies a process, any numeric dtype, in the order of time.
        percentiles: in percent.
        confidence: of each interval, for any number of looks at a growing measurement.
        unit: of the samples.
        guarded: whether intervals hold too if neighbours in time resemble each other and latency
            drifts, for a verdict.

    Returns:
        In the unit of the samples. Unknown where all processes together have fewer than
        `min_queries`; an end of the interval is None where it takes more processes.

    Raises:
        ValueError: a percentile outside (0, 100) or a confidence outside (0, 1).
    """
    check_confidence(confidence)
    if not samples or not all(len(sample) for sample in samples):
        reason = "a process timed no query" if samples else "no process was measured"
        return tuple(Estimate.unknown(reason, n=len(samples), unit=unit) for _ in percentiles)
    pooled, found = Pooled(samples), []
    for percentile in percentiles:
        each = [nearest_rank(one, percentile) for one in samples]
        estimate = _estimate(pooled, np.array(each, np.float64), percentile, confidence, guarded)
        found.append(replace(estimate, unit=unit))
    return tuple(found)


def nearest_rank(sample: NDArray[Any], percentile: float) -> float:
    """The percentile of some latencies that did occur: numpy's of method ``inverted_cdf``.

    numpy takes 13 times as long for the 80 queries of a process, and a look takes one of each.
    """
    index = max(0, math.ceil(len(sample) * (percentile / 100.0) - 1.0))
    return float(np.partition(sample, index)[index])


def fewest_processes(percentile: float, confidence: float, *, guarded: bool = True) -> int:
    """Processes from which an interval can have both ends.

    Args:
        percentile: in percent.
        confidence: of the interval.
        guarded: as in `over_processes`.
    """
    rarer = min(percentile, 100.0 - percentile) / 100.0
    least = fewest_below(rarer, (1.0 - confidence) / 2.0)
    return max(_FEWEST_GUARDED if guarded else _FEWEST, least)


def _estimate(
    pooled: Pooled,
    each: NDArray[np.float64],
    percentile: float,
    confidence: float,
    guarded: bool,
) -> Estimate:
    """One percentile; ``each`` has that of every process, in the order of time."""
    n, needed = pooled.processes, min_queries(percentile)
    method = (
        f"p{percentile:g} of the queries of all processes, each of equal weight; "
        f"{percent(confidence)} interval over processes by betting (Waudby-Smith & Ramdas 2024)"
    )
    if guarded:
        method += f", for neighbours that correlate by {RESEMBLANCE:g} and a drift that goes on"
    if pooled.queries < needed:
        few = f"p{percentile:g} takes at least {needed} queries, there were {pooled.queries}"
        return Estimate.unknown(few, method, n)
    bounds, reason = _Bounds(None, None), None
    fewest = fewest_processes(percentile, confidence, guarded=guarded)
    if n >= (_FEWEST_GUARDED if guarded else _FEWEST):
        bounds = _bounds(pooled, each, percentile, (1.0 - confidence) / 2.0, guarded)
    if (bounds.low is None or bounds.high is None) and n >= fewest:
        reason = bounds.caution
    elif bounds.low is None or bounds.high is None:
        end = "the upper end of " if bounds.low is not None else ""
        reason = (
            f"{end}an interval of p{percentile:g} at {percent(confidence)} takes at least {fewest} "
            f"processes, there {'was' if n == 1 else 'were'} {n}"
        )
    return Estimate(
        pooled.percentile(percentile),
        bounds.low,
        bounds.high,
        method,
        n,
        reason,
        kind="measured",
        caution=bounds.caution,
    )


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Ends of an interval, None where there is none, and what makes more of it than chance."""

    low: float | None
    high: float | None
    caution: str | None = None


def _bounds(
    pooled: Pooled,
    each: NDArray[np.float64],
    percentile: float,
    error: float,
    guarded: bool,
) -> _Bounds:
    """The interval of a percentile.

    Args:
        pooled: the queries.
        each: the percentile of each process, in the order of time.
        percentile: in percent.
        error: allowed at each end.
        guarded: as in `over_processes`.
    """
    if each.min() <= 0.0:
        return _Bounds(None, None, "a latency of 0 has no interval")
    above, logs = 1.0 - percentile / 100.0, np.log(each)
    low, high = pooled.least_shown(above, error), pooled.most_shown(above, error)
    shown = shown_correlation(logs)
    correlation = max(shown, RESEMBLANCE if guarded else 0.0)
    if correlation > 0.0:
        # Where processes differ, a percentile of all queries lies away from the middle of theirs.
        away = NormalDist().inv_cdf(percentile / 100.0)
        low = low and min(low, math.exp(-farthest(-logs, error, correlation, -away)))
        high = high and max(high, math.exp(farthest(logs, error, correlation, away)))
    caution = None
    if shown > 0.0:
        caution = (
            f"processes in a row resemble each other (correlation of neighbours {shown:.1f}), so "
            "they say less than as many at random"
        )
    found = _Bounds(low, high, caution)
    return _drifting(found, each, math.exp(float(logs.mean()))) if guarded else found


def _drifting(bounds: _Bounds, each: NDArray[np.float64], middle: float) -> _Bounds:
    """Bounds that reach as far as latency would drift.

    Args:
        bounds: without a drift.
        each: the figure of each process, in the order of time.
        middle: of these figures.
    """
    found = drift(each, _DRIFT_CONFIDENCE)
    if found.value is None or found.low is None or found.high is None:
        return _Bounds(None, None, found.missing)
    falls, rises = _MAY_GO_ON * min(0.0, found.low), _MAY_GO_ON * max(0.0, found.high)
    caution = bounds.caution
    if not found.low <= 0.0 <= found.high:
        falls, rises = min(falls, _GOES_ON * found.value), max(rises, _GOES_ON * found.value)
        caution = (
            f"latency {'rose' if found.value > 0.0 else 'fell'} by "
            f"{100.0 * abs(found.value):.1f} % from the first measuring process to the last; it "
            "may go on so, for which the interval leaves room"
        )
    low = bounds.low and min(bounds.low, middle * max(0.0, 1.0 + falls))
    high = bounds.high and max(bounds.high, middle * (1.0 + rises))
    return _Bounds(low, high, caution)


def _apart(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of processes, or of blocks of them where those above a latency come in runs."""
    return in_blocks(shares, span_of_dependence(shares))
