"""Average precision under weights: by hand, and where nothing counts."""

import numpy as np
import pytest
from edgestill.pipeline.tasks.average_precision import average_precision

SCORES = np.array([0.7, 0.9, 0.8, 0.7])
POSITIVE = np.array([True, True, False, False])


def found(*weights):
    with np.errstate(all="raise"):
        return average_precision(SCORES, POSITIVE)(np.array(weights, np.float64))


def test_it_is_the_mean_precision_at_the_scores_of_the_positives():
    # At 0.9 one of one; at 0.7 two of four, as the last two samples share it.
    assert found([1, 1, 1, 1]).tolist() == [pytest.approx((1 + 2 / 4) / 2)]
    # Without the second: none of the sample at 0.8, one of three at 0.7.
    assert found([1, 0, 1, 1], [1, 1, 0, 0]).tolist() == [pytest.approx(1 / 3), 1.0]


def test_weights_of_another_size_change_nothing():
    weights = np.random.default_rng(0).integers(1, 5, (10, 4))
    assert found(*weights / 16) == pytest.approx(found(*weights))


def test_without_the_weight_of_any_positive_it_does_not_exist():
    one, none, nothing = found([0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0])
    assert one == 1.0
    assert np.isnan([none, nothing]).all()
