"""Percentiles by MLPerf's early-stopping rule."""

import numpy as np
import pytest
from edgestill.devices.onboard.stats.early_stopping import (
    discarded,
    early_stopping,
    early_stopping_over_processes,
)
from edgestill.devices.onboard.stats.estimate import Estimate
from scipy.stats import binom


def test_early_stopping_discards_what_loadgen_discards():
    # 1268 of 13505 for p90 is from a summary of loadgen 6.0.17; 64 and 662 are its fewest queries.
    assert discarded(13_505, 90) == 1268
    assert discarded(64, 90) == 0
    assert discarded(662, 99) == 0
    latencies = np.random.default_rng(0).permutation(13_505)
    assert early_stopping(latencies, 90) == 13_504 - 1268
    assert early_stopping(latencies[:63], 90) is None
    assert early_stopping(latencies[:661], 99) is None


def test_early_stopping_is_better_than_the_truth_in_one_of_a_hundred_runs():
    random = np.random.default_rng(0)
    truth = -np.log(0.1)  # p90 of the exponential distribution
    for n in (64, 100, 1000):
        below = [early_stopping(random.exponential(size=n), 90) < truth for _ in range(4000)]
        assert np.mean(below) < 0.0125
    plain = [np.percentile(random.exponential(size=100), 90) < truth for _ in range(1000)]
    assert np.mean(plain) > 0.4  # which is why


def test_a_percentile_of_too_few_queries_in_one_process_is_unknown():
    samples = [np.arange(1000.0)] * 6 + [np.arange(63.0)]
    found = early_stopping_over_processes(samples, 90)
    assert found.value is None
    assert "at least 64 queries a process, there were 63" in found.missing
    none = early_stopping_over_processes([], 90, unit="ms")
    assert none == Estimate.unknown(
        "p90 takes at least 64 queries a process, there were 0 in the shortest",
        "MLPerf early-stopping estimate of p90 of each process",
        unit="ms",
    )
    enough = early_stopping_over_processes([np.arange(1000.0) + i for i in range(7)], 90)
    assert enough.value == 1000 - 1 - discarded(1000, 90) + 3
    assert (enough.low, enough.high) == (enough.value - 3, enough.value + 3)


def test_an_estimate_over_processes_says_how_it_was_made_and_in_which_unit():
    found = early_stopping_over_processes([np.full(64, 2.0)] * 6, 90, unit="ms")
    what = "MLPerf early-stopping estimate of p90 of each process; median over processes, 95 %"
    assert found.method.startswith(what)
    assert (found.value, found.n, found.unit, found.kind) == (2.0, 6, "ms", "measured")


@pytest.mark.parametrize(
    ("n", "percentile"), [(64, 90), (500, 90), (5000, 99), (13, 50), (400, 50)]
)
def test_what_is_discarded_follows_the_binomial_distribution(n, percentile):
    with np.errstate(all="raise"):
        found = discarded(n, percentile)
    # t is the largest number with P(Binomial(n, 1 - p) <= t) <= 0.01; t - 1 are discarded.
    within, after = binom.cdf([found + 1, found + 2], n, 1 - percentile / 100)
    assert within <= 0.01 < after
