"""How far a classifier's confidence is from how often it is right."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records import Calibration
from .blocks import blocks
from .probabilities import log_softmax

BINS = 15
"""Of a calibration error (Guo et al. 2017)."""


def calibration(logits: NDArray[Any], labels: NDArray[Any], bins: int = BINS) -> Calibration:
    """Expected calibration error in bins of equal count, and its sign.

    Σ_b n_b / n · |accuracy - mean confidence| (Guo et al. 2017, eq. 3); equal counts where the
    paper has equal widths, for nearly all of a good model's confidences lie in its last bin.

    Args:
        logits: float [n, classes].
        labels: int64 [n].
        bins: how many.
    """
    confidence = np.concatenate(
        [np.exp(log_softmax(logits[rows]).max(1)) for rows in blocks(*logits.shape)]
    )
    right = (logits.argmax(1) == labels).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    ordered, n = confidence[order], len(confidence)
    # A cut between equals would sort them by their place in test.
    wanted = ordered[np.arange(bins) * n // bins]
    starts = np.unique(np.searchsorted(ordered, wanted))
    gaps = np.add.reduceat(right[order] - ordered, starts)
    variances = np.add.reduceat(ordered * (1.0 - ordered), starts)
    return Calibration(
        error=float(np.abs(gaps).sum() / n),
        # The mean of |normal| is √(2 / π) deviations.
        by_chance=float(np.sqrt(2.0 / np.pi * variances).sum() / n),
        overconfidence=float(confidence.mean() - right.mean()),
        bins=len(starts),
    )
