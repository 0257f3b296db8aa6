"""Processes in a row: how alike they are, and how far the truth may lie from their mean."""

import math

import numpy as np
import pytest
from edgestill.devices.onboard.stats.dependence import (
    farthest,
    in_blocks,
    shown_correlation,
    span_of_dependence,
)
from scipy.stats import t


def autoregressive(random, n, correlation):
    found = [random.standard_normal()]
    for _ in range(n - 1):
        fresh = math.sqrt(1.0 - correlation**2) * random.standard_normal()
        found.append(correlation * found[-1] + fresh)
    return np.asarray(found)


def test_neighbours_at_random_seem_alike_in_one_series_of_twenty():
    random = np.random.default_rng(0)
    shown = [shown_correlation(random.standard_normal(30)) > 0.0 for _ in range(1000)]
    assert np.mean(shown) == pytest.approx(0.05, abs=0.025)


def test_a_correlation_is_found_with_its_size_and_an_outlier_does_not_hide_it():
    random = np.random.default_rng(0)
    found = []
    for _ in range(50):
        series = autoregressive(random, 200, 0.8)
        series[7] = 1e6
        found.append(shown_correlation(series))
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


def test_the_correlation_is_that_of_mean_ranks_without_its_bias():
    # Of five, eight and three equal figures the mean ranks lie 5.5 below, 1 and 6.5 above the
    # middle: 183.25 / 286 between neighbours.
    values = np.repeat([1.0, 2.0, 3.0, 2.0, 1.0], [3, 6, 3, 2, 2])
    found = shown_correlation(values)
    assert found - (1 + 3 * found) / 16 == pytest.approx(183.25 / 286)
    # Of fifteen pairs of neighbours three differ: 9 / 16, beyond 1.645 / 4; of the others seven do.
    assert shown_correlation(np.repeat([1.0, 2.0, 1.0, 2.0], [4, 4, 4, 4])) > 0.0
    assert shown_correlation(np.tile([1.0, 1.0, 2.0, 2.0], 4)) == 0.0
    assert shown_correlation(np.arange(20.0)) == 0.95


def test_figures_that_are_all_equal_have_no_correlation_and_lie_where_they_are():
    assert shown_correlation(np.ones(20)) == 0.0
    assert farthest(np.ones(20), 0.005, 0.9) == 1.0


@pytest.mark.parametrize(("correlation", "n"), [(0.0, 16), (0.5, 16), (0.9, 16), (0.9, 59)])
def test_the_mean_lies_beyond_as_rarely_as_allowed_however_alike_neighbours_are(correlation, n):
    random, beyond = np.random.default_rng(0), 0
    for _ in range(1000):
        beyond += farthest(autoregressive(random, n, correlation), 0.01, 0.9) < 0.0
    assert beyond <= 20


def test_without_dependence_it_is_students_interval():
    values = np.array([1.0, 2.0, 4.0, 3.0, 5.0, 2.5])
    # t of five degrees of freedom, one-sided 2.5 %: 2.5706.
    wanted = values.mean() + 2.5706 * values.std(ddof=1) / math.sqrt(6)
    assert farthest(values, 0.025, 0.0) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(("n", "correlation"), [(6, 0.5), (16, 0.9), (40, 0.3)])
def test_with_dependence_its_moments_are_those_of_the_matrix_of_correlations(n, correlation):
    values = np.random.default_rng(3).permutation(n).astype(float)
    assert shown_correlation(values) == 0.0
    matrix = correlation ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    centred = (np.eye(n) - 1 / n) @ matrix
    trace = np.trace(centred)
    freedom = trace**2 / np.trace(centred @ centred)
    whole = int(freedom)
    low, high = t.ppf(0.975, [whole, whole + 1])
    quantile = low + (high - low) * (freedom - whole)
    deviation = values.std(ddof=1) / math.sqrt(trace / (n - 1))
    for away in (0.0, 1.5):
        reach = away + quantile * math.sqrt(matrix.mean() + away**2 / (2 * freedom))
        wanted = values.mean() + deviation * reach
        assert farthest(values, 0.025, correlation, away) == pytest.approx(wanted)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_outlier_counts_as_three_deviations_from_the_median(sign):
    # The median is 6, that of the distances to it 3: 6 + 3 * 1.4826 * 3.
    order = np.random.default_rng(1).permutation(11)
    values, clipped = (
        sign * np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, last], float)[order]
        for last in (1000.0, 6.0 + 9 * 1.4826)
    )
    assert farthest(values, 0.025, 0.0) == pytest.approx(farthest(clipped, 0.025, 0.0))
    mostly = np.array([1.0, 1.0, 3.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0])
    wanted = mostly.mean() + t.ppf(0.975, 8) * mostly.std(ddof=1) / 3
    assert farthest(mostly, 0.025, 0.0) == pytest.approx(wanted)


def test_what_lies_away_from_the_mean_is_farther_by_its_deviations_and_their_error():
    values = np.random.default_rng(0).standard_normal(400)
    tail = farthest(values, 0.025, 0.0, 1.2816)
    assert tail == pytest.approx(1.2816 + 1.96 * math.sqrt((1 + 1.2816**2 / 2) / 400), abs=0.15)
    assert farthest(values, 0.025, 0.0, -1.0) == farthest(values, 0.025, 0.0)


def test_shares_in_runs_count_in_blocks_and_others_singly():
    runs = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0, 0.0], 10)
    span = span_of_dependence(runs)
    # (1 + r) / (1 - r) for the correlation 0.875 of these shares, two thirds of which are 0.
    off = runs - 1 / 3
    found = (off[1:] * off[:-1]).sum() / (off**2).sum()
    assert span == math.ceil((1 + found) / (1 - found))
    # Thirteen of twenty products of neighbours remain: 1.65 / 0.35.
    assert span_of_dependence(np.repeat([0.0, 1.0, 0.0, 1.0], 5)) == 5
    blocks = in_blocks(runs, span)
    assert len(blocks) == len(runs) // span
    single = np.random.default_rng(0).permutation(runs)
    assert span_of_dependence(single) == 1
    assert span_of_dependence(np.zeros(9)) == 1
    assert in_blocks(runs, 1) is runs
