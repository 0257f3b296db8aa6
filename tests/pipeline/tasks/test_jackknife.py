"""Intervals by leaving out units: formulas, groups, and what no interval may claim."""

import math

import numpy as np
import pytest
from edgestill.pipeline.tasks.jackknife import (
    BLOCKS,
    Figure,
    mean,
    mean_share_figure,
    of_sums,
    of_weights,
    share_figure,
)
from edgestill.pipeline.tasks.sampling import Sampling
from scipy import stats

ANY = Sampling(0.95)
MEAN = Figure("mean")


def weighted_mean(values):
    return lambda weights: weights @ values / weights.sum(1)


def reach(units, skewness=2.8284271247, confidence=0.95):
    """Student's t and the step of Cornish & Fisher for the skewness that is assumed at least."""
    skewness *= 1 + 5 / len(units)
    kurtosis = stats.kurtosis(units, fisher=False)
    freedom = min(len(units) - 1, 2 * len(units) / (kurtosis - 1 + 2 / (len(units) - 1)))
    t = stats.t.ppf((1 + confidence) / 2, freedom)
    return t + skewness * (2 * t * t + 1) / (6 * math.sqrt(len(units)))


def even(n):
    """Normal quantiles, which are not skewed."""
    return stats.norm.ppf((np.arange(n) + 0.5) / n)


def test_the_interval_of_a_mean_is_students_and_a_step_further():
    values = 3.0 + even(40)
    found = mean(values, MEAN, ANY)
    half = reach(values) * values.std(ddof=1) / math.sqrt(40)
    assert found.value == pytest.approx(3.0)
    assert (found.low, found.high) == (pytest.approx(3.0 - half), pytest.approx(3.0 + half))
    assert (found.n, found.kind) == (40, "measured")
    surer = mean(values, MEAN, Sampling(0.999))
    assert surer.low < found.low < found.high < surer.high


def test_what_falls_short_of_perfection_is_judged_by_its_logarithm():
    errors = 3.0 + even(40)
    step = reach(errors, 1.5) * errors.std(ddof=1) / math.sqrt(40) / 3.0
    found = mean(errors, Figure("MAE", perfect=0.0), ANY)
    assert found.low == pytest.approx(3.0 * math.exp(-step))
    assert found.high == pytest.approx(3.0 * math.exp(step))
    scores = mean(1.0 - errors, Figure("R²", perfect=1.0), ANY)
    assert (scores.low, scores.high) == (
        pytest.approx(1.0 - found.high),
        pytest.approx(1.0 - found.low),
    )


def test_the_end_towards_which_units_are_skewed_is_further_away():
    values = np.random.default_rng(0).exponential(size=60) ** 3
    found, other = (mean(sign * values, MEAN, ANY) for sign in (1.0, -1.0))
    assert found.high - found.value > 1.1 * (found.value - found.low)
    assert (other.low, other.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


def test_one_unit_that_stands_out_makes_a_wide_interval():
    values = np.zeros(50)
    values[7] = 1.0
    assert mean(values, MEAN, Sampling(0.99)).high > 0.5
    assert mean(values, MEAN, Sampling(0.99)).low < -0.2


def test_groups_of_one_size_are_judged_by_their_means():
    means = even(6)
    values = np.repeat(means, 10) + np.tile(even(10), 6)
    found = mean(values, MEAN, Sampling(0.95, np.repeat(list("fedcba"), 10)))
    half = reach(means) * means.std(ddof=1) / math.sqrt(6)
    assert found.high - found.value == pytest.approx(half)
    assert found.n == 6
    assert "6 groups" in found.method


def test_two_groups_have_no_interval():
    found = mean(np.arange(8.0), MEAN, Sampling(0.95, np.repeat([0, 1], 4)))
    assert (found.value, found.low) == (3.5, None)
    assert found.missing == "an interval takes at least 3 groups, there were 2"


def test_a_figure_under_weights_leaves_out_blocks_where_there_are_many_samples():
    values, rows = np.random.default_rng(2).standard_normal(5000), []

    def watched(weights):
        rows.append(len(weights))
        return weighted_mean(values)(weights)

    found = of_weights(watched, 5000, MEAN, ANY)
    assert sum(rows) == 1 + BLOCKS
    assert found.n == 5000
    own = mean(values, MEAN, ANY)
    assert found.high - found.low == pytest.approx(own.high - own.low, rel=0.2)
    few, same = of_weights(weighted_mean(values[:50]), 50, MEAN, ANY), mean(values[:50], MEAN, ANY)
    assert (few.low, few.high) == (pytest.approx(same.low), pytest.approx(same.high))


def test_samples_that_all_agree_have_the_interval_of_the_unseen_or_none():
    ones, people = np.ones(100), np.repeat(np.arange(10), 10)
    found = mean(ones, share_figure("share"), ANY)
    # 1 - 0.025 ** (1 / 100), that is Clopper & Pearson's end at 100 of 100.
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.963783, abs=1e-6)
    of_people = mean(ones, share_figure("share"), Sampling(0.95, people))
    assert of_people.low == pytest.approx(0.691503, abs=1e-6)
    without = mean(ones, MEAN, ANY)
    assert (without.value, without.low, without.high) == (1.0, None, None)
    assert "says nothing of others" in without.missing


def test_a_part_without_spread_may_hide_what_it_does_not_show():
    right = np.r_[np.zeros(10), np.ones(90)]
    rows = np.arange(90), np.arange(90, 100)
    figure = mean_share_figure("share", [(part, right[part] > 0) for part in rows], ANY)
    assert (figure.parts, figure.hidden) == (2, (10,))
    sure, hidden = mean(right, share_figure("share"), ANY), mean(right, figure, ANY)
    expected = math.hypot(0.9 - sure.low, 0.9 * (1 - 0.025 ** (1 / 10)) / 2)
    assert 0.9 - hidden.low == pytest.approx(expected)
    people = np.repeat(np.arange(20), 5)
    grouped = mean_share_figure("share", [(rows[1], right[rows[1]] > 0)], Sampling(0.95, people))
    assert grouped.hidden == (2,)


def test_a_figure_that_does_not_exist_without_a_unit_has_no_interval():
    found = of_sums(
        np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 1.0]]),
        lambda sums: np.where(sums[:, 1] > 0, sums[:, 0], np.nan),
        Figure("odd"),
        ANY,
    )
    assert (found.value, found.low) == (6.0, None)
    assert "does not exist without some" in found.missing
    assert mean([], MEAN, ANY).missing == "no observations"
    with pytest.raises(ValueError, match="finite"):
        mean([1.0, np.nan], MEAN, ANY)


def test_units_that_differ_beyond_measure_have_no_interval():
    found = mean([1.0, 1.0, 1.0, 1e9], Figure("MAE", perfect=0.0), ANY)
    assert (found.low, found.missing) == (None, "the samples differ too much")
