"""Intervals by leaving out units: formulas of textbooks, groups, and what no interval may claim."""

import math

import numpy as np
import pytest
from edgestill.pipeline.tasks.jackknife import BLOCKS, mean, of_sums, of_weights
from edgestill.pipeline.tasks.sampling import Sampling
from scipy import stats

ANY = Sampling(0.95)


def weighted_mean(values):
    return lambda weights: weights @ values / weights.sum(1)


def test_the_interval_of_a_mean_is_students():
    values = np.random.default_rng(0).standard_normal(40)
    found = mean(values, "mean", ANY)
    half = stats.t.ppf(0.975, 39) * values.std(ddof=1) / math.sqrt(40)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == (
        pytest.approx(values.mean() - half),
        pytest.approx(values.mean() + half),
    )
    assert (found.n, found.kind) == (40, "measured")


def test_groups_of_one_size_are_judged_by_their_means():
    values = np.random.default_rng(1).standard_normal(60) + np.repeat([0, 1, 2, 3, 4, 5], 10)
    found = mean(values, "mean", Sampling(0.95, np.repeat(list("fedcba"), 10)))
    means = values.reshape(6, 10).mean(1)
    half = stats.t.ppf(0.975, 5) * means.std(ddof=1) / math.sqrt(6)
    assert found.high - found.value == pytest.approx(half)
    assert found.n == 6
    assert "6 groups" in found.method


def test_two_groups_have_no_interval():
    found = mean(np.arange(8.0), "mean", Sampling(0.95, np.repeat([0, 1], 4)))
    assert (found.value, found.low) == (3.5, None)
    assert found.missing == "an interval takes at least 3 groups, there were 2"


def test_a_figure_under_weights_leaves_out_blocks_where_there_are_many_samples():
    values = np.random.default_rng(2).standard_normal(5000)
    rows = []

    def watched(weights):
        rows.append(len(weights))
        return weighted_mean(values)(weights)

    found = of_weights(watched, 5000, "mean", ANY)
    assert sum(rows) == 1 + BLOCKS
    own = mean(values, "mean", ANY)
    assert found.high - found.low == pytest.approx(own.high - own.low, rel=0.15)
    few = of_weights(weighted_mean(values[:50]), 50, "mean", ANY)
    assert (few.low, few.high) == pytest.approx(
        (mean(values[:50], "mean", ANY).low, mean(values[:50], "mean", ANY).high)
    )


def test_samples_that_all_agree_have_the_interval_of_the_unseen_or_none():
    ones = np.ones(100)
    found = mean(ones, "mean", ANY, bounds=(0.0, 1.0))
    # 1 - 0.025 ** (1 / 100), that is Clopper & Pearson's end at 100 of 100.
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.963783, abs=1e-6)
    rare = mean(ones, "mean", Sampling(0.95, np.repeat(np.arange(10), 10)), bounds=(0.0, 1.0))
    assert rare.low == pytest.approx(0.691503, abs=1e-6)
    without = mean(ones, "mean", ANY)
    assert (without.value, without.low, without.high) == (1.0, None, None)
    assert "says nothing of others" in without.missing


def test_a_figure_that_does_not_exist_without_a_unit_has_no_interval():
    found = of_sums(
        np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 1.0]]),
        lambda sums: np.where(sums[:, 1] > 0, sums[:, 0], np.nan),
        "odd",
        ANY,
    )
    assert (found.value, found.low) == (6.0, None)
    assert "does not exist without one" in found.missing
    assert mean([], "mean", ANY).missing == "no observations"
    with pytest.raises(ValueError, match="finite"):
        mean([1.0, np.nan], "mean", ANY)
