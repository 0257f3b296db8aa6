"""Bounds on a mean of shares, by simulated error and against the binomial test."""

import math

import numpy as np
import pytest
from edgestill.devices.onboard.stats.betting import fewest_below, shown_above, shown_below


@pytest.mark.parametrize(
    ("mean", "error", "fewest"), [(0.5, 0.005, 8), (0.1, 0.005, 53), (0.01, 0.005, 554)]
)
def test_shares_of_zero_take_hardly_more_processes_than_the_binomial_test(mean, error, fewest):
    assert fewest_below(mean, error) == fewest
    binomial = math.log(error) / math.log1p(-mean)
    assert binomial <= fewest <= 1.07 * binomial + 1


@pytest.mark.parametrize("mean", [0.5, 0.1])
def test_who_looks_after_every_process_is_wrong_no_more_often_than_allowed(mean):
    random, wrong = np.random.default_rng(0), {"below": 0, "above": 0}
    for _ in range(300):
        # The expectation of all shares is exactly the mean; most processes have none or all.
        shares = (random.random(120) < mean).astype(float)
        wrong["below"] += any(shown_below(shares[:n], mean, 0.05) for n in range(1, 121, 3))
        wrong["above"] += any(shown_above(shares[:n], mean, 0.05) for n in range(1, 121, 3))
    assert max(wrong.values()) <= 0.05 * 300 + 8


def test_the_capital_is_that_of_three_bets_that_are_multiplied():
    # Gains of 1: 0.9 * 1.97**3 + 0.05 * 1.6**3 + 0.05 * 1.25**3 = 7.1833.
    assert shown_below(np.zeros(3), 0.5, 1 / 7.183)
    assert not shown_below(np.zeros(3), 0.5, 1 / 7.184)
    # Gains of 3: 0.9 * 3.91**2 + 0.05 * 2.8**2 + 0.05 * 1.75**2 = 14.3044.
    assert shown_above(np.ones(2), 0.25, 1 / 14.304)
    assert not shown_above(np.ones(2), 0.25, 1 / 14.305)


def test_shares_that_are_spread_show_what_their_mean_is():
    random = np.random.default_rng(0)
    shares = random.uniform(0.0, 0.1, 200)
    assert shown_below(shares, 0.1, 0.005)
    assert not shown_below(shares, 0.05, 0.005)
    assert shown_above(shares, 0.02, 0.005)
    assert not shown_above(shares, 0.05, 0.005)


def test_one_slow_process_is_outweighed_by_many_quick_ones():
    assert not shown_below(np.r_[1.0, np.zeros(53)], 0.1, 0.005)
    assert shown_below(np.r_[1.0, np.zeros(99)], 0.1, 0.005)
