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


def test_what_lies_away_from_the_mean_is_farther_by_its_deviations_and_their_error():
    values = np.random.default_rng(0).standard_normal(400)
    tail = farthest(values, 0.025, 0.0, 1.2816)
    assert tail == pytest.approx(1.2816 + 1.96 * math.sqrt((1 + 1.2816**2 / 2) / 400), abs=0.15)
    assert farthest(values, 0.025, 0.0, -1.0) == farthest(values, 0.025, 0.0)


def test_shares_in_runs_count_in_blocks_and_others_singly():
    runs = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0, 0.0], 10)
    span = span_of_dependence(runs)
    assert span > 5
    blocks = in_blocks(runs, span)
    assert len(blocks) == len(runs) // span
    single = np.random.default_rng(0).permutation(runs)
    assert span_of_dependence(single) == 1
    assert span_of_dependence(np.zeros(9)) == 1
    assert in_blocks(runs, 1) is runs
