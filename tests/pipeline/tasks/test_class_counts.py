"""Means over classes of ratios of counts."""

import numpy as np
import pytest
from edgestill.pipeline.tasks.class_counts import macro_f1, mean_ratio


def test_classes_that_are_neither_there_nor_answered_do_not_count():
    # F1 of 2·3/(3+4) and of 0/(2+0); the third class is nowhere.
    found = macro_f1(np.array([3, 0, 0]), np.array([3, 2, 0]), np.array([4, 0, 0]))
    assert found == pytest.approx((6 / 7 + 0.0) / 2)


def test_the_mean_is_taken_over_the_last_axis_and_nan_where_nothing_counts():
    found = mean_ratio(np.array([[1, 1], [5, 5]]), np.array([[2, 4], [0, 0]]))
    assert found[0] == pytest.approx(0.375)
    assert np.isnan(found[1])
