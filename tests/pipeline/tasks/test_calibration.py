"""The calibration error: its bins and sums by hand."""

import math

import numpy as np
import pytest
from edgestill.pipeline.tasks.calibration import calibration


def answers(confidences, right):
    """Logits of two classes with these confidences in class 1, and labels."""
    c = np.array(confidences)
    return np.stack([np.zeros(len(c)), np.log(c / (1 - c))], 1), np.array(right)


def test_bins_of_equal_count_are_summed_by_hand():
    # In order: 0.55 0.6 | 0.65 0.7 | 0.8 0.9 0.95; 3 bins of 7 samples start at 0, 2 and 4.
    logits, labels = answers([0.9, 0.55, 0.7, 0.95, 0.6, 0.8, 0.65], [1, 1, 1, 1, 0, 0, 1])
    found = calibration(logits, labels, bins=3)
    gaps = abs(1 - 1.15), abs(2 - 1.35), abs(2 - 2.65)
    assert found.error == pytest.approx(sum(gaps) / 7)
    assert found.overconfidence == pytest.approx(5.15 / 7 - 5 / 7)
    variances = 0.2475 + 0.24, 0.2275 + 0.21, 0.16 + 0.09 + 0.0475
    # The mean size of a normal error is √(2 / π) of its deviation.
    expected = sum(math.sqrt(2 / math.pi) * math.sqrt(v) for v in variances) / 7
    assert found.by_chance == pytest.approx(expected)
    assert found.bins == 3


def test_samples_of_one_confidence_are_not_cut_apart():
    # A cut before the third sample would fall between equals: the second bin begins with them.
    logits, labels = answers([0.6, 0.7, 0.7, 0.7, 0.8, 0.9], [1, 0, 0, 1, 1, 1])
    found = calibration(logits, labels, bins=3)
    assert found.bins == 3
    gaps = abs(1 - 0.6), abs(1 - 2.1), abs(2 - 1.7)
    assert found.error == pytest.approx(sum(gaps) / 6)


def test_fewer_samples_than_bins_are_bins_of_one():
    logits, labels = answers([0.6, 0.9], [0, 1])
    found = calibration(logits, labels)
    assert (found.bins, found.error) == (2, pytest.approx((0.6 + 0.1) / 2))


def test_a_model_that_is_sure_and_right_has_no_error_at_all():
    found = calibration(1e4 * np.eye(3), np.arange(3))
    assert (found.error, found.by_chance, found.overconfidence) == (0.0, 0.0, 0.0)
