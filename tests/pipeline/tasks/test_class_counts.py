"""Means over classes of ratios of counts."""

import numpy as np
import pytest
from edgestill.pipeline.tasks.class_counts import (
    balanced_accuracy,
    counts_by_unit,
    macro_f1,
    mean_ratio,
    value_of,
    worst_recall,
)
from edgestill.pipeline.tasks.sampling import Sampling

# Three samples of class 0, right, one of class 1 answered with 0, one right; class 2 is nowhere.
LABELS, ANSWERS = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 0, 0, 1])
COUNTED = counts_by_unit(LABELS, ANSWERS, 3, Sampling(0.95))
TOTAL = COUNTED.sum(0)


def test_hits_labels_and_answers_are_counted_by_unit():
    assert TOTAL.tolist() == [3, 1, 0, 3, 2, 0, 4, 1, 0]
    groups = counts_by_unit(LABELS, ANSWERS, 3, Sampling(0.95, np.array([1, 1, 1, 0, 0])))
    assert groups.tolist() == [[0, 1, 0, 0, 2, 0, 1, 1, 0], [3, 0, 0, 3, 0, 0, 3, 0, 0]]
    many = counts_by_unit(np.arange(5000) % 3, np.arange(5000) % 2, 3, Sampling(0.95))
    assert len(many) <= 100
    assert many.sum() == 2 * 5000 + 1668


def test_classes_that_are_neither_there_nor_answered_do_not_count():
    assert macro_f1(TOTAL)(TOTAL[None])[0] == pytest.approx((6 / 7 + 2 / 3) / 2)
    assert balanced_accuracy(TOTAL)(TOTAL[None])[0] == pytest.approx((1.0 + 0.5) / 2)


def test_without_a_class_the_figure_is_another_and_does_not_exist():
    without_1 = COUNTED[:3].sum(0)[None]
    assert np.isnan(macro_f1(TOTAL)(without_1)[0])
    assert np.isnan(balanced_accuracy(TOTAL)(without_1)[0])


def test_the_mean_is_taken_over_the_last_axis_and_nan_where_nothing_counts():
    found = mean_ratio(np.array([[1, 1], [5, 5]]), np.array([[2, 4], [0, 2]]))
    assert found[0] == pytest.approx(0.375)
    assert np.isnan(found[1])
    assert np.isnan(mean_ratio(np.empty((1, 0)), np.empty((1, 0)))[0])


def test_a_class_of_one_sample_or_of_one_answer_counts():
    one = np.array([[3.0, 0.0, 0.0], [4.0, 1.0, 0.0], [4.0, 0.0, 1.0]])
    total = one.ravel()
    with np.errstate(all="raise"):
        assert macro_f1(total)(total[None]).tolist() == [pytest.approx((6 / 8 + 0 + 0) / 3)]
        assert balanced_accuracy(total)(total[None]).tolist() == [pytest.approx((3 / 4 + 0) / 2)]
        assert worst_recall(total)(total[None]).tolist() == [0.0]


def test_each_row_of_sums_is_a_figure_of_its_own():
    total = np.array([3.0, 1, 3, 2, 4, 2])
    without = total - np.array([[1.0, 0, 1, 0, 1, 0], [0, 1, 0, 2, 1, 1], [0, 0, 0, 1, 1, 0]])
    with np.errstate(all="raise"):
        recalls, lowest = (f(total)(without) for f in (balanced_accuracy, worst_recall))
        f1 = macro_f1(total)(without)
    assert recalls == pytest.approx([(1 + 1 / 2) / 2, np.nan, (1 + 1) / 2], nan_ok=True)
    assert lowest == pytest.approx([1 / 2, np.nan, 1.0], nan_ok=True)
    assert f1 == pytest.approx([(4 / 5 + 2 / 4) / 2, (6 / 6 + 0) / 2, (6 / 6 + 2 / 3) / 2])


def test_of_no_class_there_is_no_figure_and_its_value_is_0():
    nothing = np.zeros(6)
    for figure in (macro_f1, balanced_accuracy, worst_recall):
        with np.errstate(all="raise"):
            assert np.isnan(figure(nothing)(nothing[None])).tolist() == [True]
        assert value_of(figure, nothing) == 0.0
    assert value_of(balanced_accuracy, np.array([1.0, 0, 2, 0, 1, 1])) == 0.5


def test_a_mean_of_ratios_is_over_the_last_axis_of_any_number():
    with np.errstate(all="raise"):
        assert mean_ratio(np.array([1, 1]), np.array([2, 4])) == pytest.approx(0.375)
        assert np.isnan(mean_ratio(np.array([0, 1]), np.array([0, 4])))
        assert mean_ratio(np.array([[0.1], [0.2]]), np.array([[0.5], [0.5]])).tolist() == [0.2, 0.4]
