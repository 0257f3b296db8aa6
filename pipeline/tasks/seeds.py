"""Figures of students that were trained from several seeds."""

import math

import numpy as np
from numpy.typing import ArrayLike

from ...devices.onboard.stats.distributions import check_confidence, student_t
from ...devices.onboard.stats.estimate import Estimate
from ...devices.onboard.stats.processes import finite_figures, percent


def mean_over_seeds(values: ArrayLike, confidence: float) -> Estimate:
    """Mean over training seeds with Student's t interval (Student, Biometrika 6, 1908).

    Args:
        values: one figure a seed, shape (n,).
        confidence: in (0, 1).

    Raises:
        ValueError: a value that is not finite, or confidence outside (0, 1).
    """
    array = finite_figures(values)
    n = len(array)
    check_confidence(confidence)
    method = f"mean over seeds, {percent(confidence)} Student t interval"
    if n == 0:
        return Estimate.unknown("no seeds", method)
    mean = float(np.mean(array))
    if n == 1:
        reason = "an interval takes at least 2 seeds, there was 1"
        return Estimate(mean, None, None, method, 1, reason, kind="measured")
    half = student_t(confidence, n - 1) * float(np.std(array, ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, method, n, kind="measured")
