"""Where a series of figures changed its level, if that is more than chance.

>>> changes([1.0, 1.1, 1.2, 1.0, 1.1, 1.2, 2.0, 2.2, 2.1, 2.0, 2.1, 2.3])[0].at
6

Every place where the series may be cut in two is scored by the rank sum of one side, standardized
(Wilcoxon), and the largest score counts, as in Pettitt, "A non-parametric approach to the
change-point problem", Applied Statistics 28, 1979. How often chance alone gives such a score is
counted over random orders of the same figures (a permutation test, which holds for any
distribution and for ties). Each side of a change is searched again. A level that is left and
returned to shows in no single cut until one side of it is long.

On a series without a change, whose figures could as well have come in any other order, a change is
found in at most ``ERROR_RATE`` of all series. Figures that drift, or resemble those before them, as
latencies of a machine whose load changes do, are found to change more often: what changed is then
the machine.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

ERROR_RATE = 0.01
"""Of finding a change in a stretch that has none."""
LEAST = 3
"""Figures on either side of a change."""
_ORDERS = 9_999
_SEED = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A change of level.

    Attributes:
        at: index of the first figure behind it.
        p: share of orders by chance that have a cut as sharp.
        before: median of the stretch before it, back to the change before.
        after: median of the stretch from it on.
    """

    at: int
    p: float
    before: float
    after: float


def fewest(rate: float = ERROR_RATE) -> int:
    """Figures below which no series can show a change: even the sharpest cut is likely enough."""
    n = 2 * LEAST
    while 2.0 / math.comb(n, n // 2) > rate:
        n += 1
    return n


def changes(series: Sequence[float], rate: float = ERROR_RATE) -> list[Change]:
    """The changes of level, in order.

    Args:
        series: in the order of time, finite.
        rate: of false alarms in a stretch without a change.
    """
    cuts = _placed(np.asarray(series, np.float64), sorted(_cuts(series, 0, rate)))
    ends = [0, *(at for at, _ in cuts), len(series)]
    return [
        Change(
            at,
            p,
            float(np.median(series[ends[number] : at])),
            float(np.median(series[at : ends[number + 2]])),
        )
        for number, (at, p) in enumerate(cuts)
    ]


def _placed(series: NDArray[np.float64], cuts: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Each cut where it is sharpest between its neighbours: further changes may have drawn it."""
    from scipy import stats

    placed = list(cuts)
    for number, (_, p) in enumerate(cuts):
        start = placed[number - 1][0] if number else 0
        end = placed[number + 1][0] if number + 1 < len(placed) else len(series)
        scores = _scores(stats.rankdata(series[start:end]))
        placed[number] = (start + int(np.argmax(scores)) + LEAST, p)
    return placed


def _cuts(series: Sequence[float], start: int, rate: float) -> Iterator[tuple[int, float]]:
    if len(series) < fewest(rate) or np.ptp(series) == 0.0:
        return
    from scipy import stats

    ranks = stats.rankdata(series)
    found = stats.permutation_test(
        (ranks,),
        partial(_sharpest),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=_ORDERS,
        alternative="greater",
        rng=np.random.default_rng(_SEED),
    )
    if found.pvalue > rate:
        return
    at = int(np.argmax(_scores(ranks))) + LEAST
    yield start + at, float(found.pvalue)
    yield from _cuts(series[:at], start, rate)
    yield from _cuts(series[at:], start + at, rate)


def _sharpest(ranks: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    """The largest score of each series of ranks."""
    largest: NDArray[Any] = _scores(np.moveaxis(ranks, axis, -1)).max(axis=-1)
    return largest


def _scores(ranks: NDArray[Any]) -> NDArray[Any]:
    """Of each cut with ``LEAST`` figures on either side, how far its rank sum is from chance."""
    n = ranks.shape[-1]
    k = np.arange(LEAST, n - LEAST + 1)
    sums = np.cumsum(ranks, axis=-1)[..., k - 1]
    scores: NDArray[Any] = np.abs(sums - k * (n + 1) / 2.0) / np.sqrt(k * (n - k))
    return scores
