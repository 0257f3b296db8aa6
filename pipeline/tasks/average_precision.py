"""Average precision of a ranking, as a figure under weights, so that samples can be left out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jackknife import Statistic

_TINY = np.finfo(np.float64).tiny


def average_precision(scores: NDArray[Any], positive: NDArray[Any]) -> Statistic:
    """Average precision of one label, as a ``Statistic``.

    Σ (R_i - R_{i-1}) · P_i over the thresholds, without interpolation: the mean over the positives
    of the precision at the score of each (scikit-learn's ``average_precision_score``). Samples of
    one score share a threshold. Sorted once; weights only change the cumulated counts.

    Args:
        scores: float [n].
        positive: bool [n].

    Returns:
        NaN under weights that leave no positive.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, places = scores[order], np.flatnonzero(positive[order])
    # The last sample, and the last positive, that share a positive's score.
    last = np.searchsorted(-ranked, -ranked[places], side="right") - 1
    last_positive = np.searchsorted(places, last, side="right") - 1

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        counted = weights[:, order]
        own = counted[:, places]
        hits = np.cumsum(own, axis=1)[:, last_positive]
        above = np.cumsum(counted, axis=1)[:, last]
        # Where no weight is above a positive it has none itself, and there is no hit either.
        precision = hits / np.maximum(above, _TINY)
        total = own.sum(1)
        mean = np.full(len(weights), np.nan)
        np.divide((own * precision).sum(1), total, out=mean, where=total > 0.0)
        return mean

    return statistic
