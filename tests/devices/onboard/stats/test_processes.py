"""Conclusions: against published and hand-computed figures, and by simulated coverage."""

import math

import numpy as np
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.onboard.stats.processes import (
    median_over_processes,
    min_queries,
    ratio_over_processes,
)


@pytest.mark.parametrize(("percentile", "queries"), [(90, 64), (99, 662), (99.9, 6636)])
def test_min_queries_are_those_of_the_mlperf_rules(percentile, queries):
    assert min_queries(percentile) == queries


@pytest.mark.parametrize("percentile", [0.5, 50, 75, 90, 95, 99])
def test_min_queries_is_the_smallest_count_that_keeps_the_confidence(percentile):
    over = 1 - percentile / 100

    def chance_to_pass(n):
        return (1 - over) ** n + n * over * (1 - over) ** (n - 1)

    needed = min_queries(percentile)
    assert chance_to_pass(needed) <= 0.01 < chance_to_pass(needed - 1)


@pytest.mark.parametrize("percentile", [0, 100, -1, 200, math.nan])
def test_a_percentile_outside_its_range_is_refused(percentile):
    with pytest.raises(ValueError, match="between 0 and 100"):
        min_queries(percentile)


def test_the_median_interval_is_that_of_the_published_order_statistics():
    # David & Nagaraja 2003 and every table of the sign test: at 95 %, n = 6..8 gives the extremes,
    # n = 9..11 the second from each end, n = 20 the sixth.
    for n, rank in [(6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (20, 6), (100, 40)]:
        found = median_over_processes(np.arange(1, n + 1))
        assert (found.low, found.high) == (rank, n + 1 - rank), n


@pytest.mark.parametrize("n", [1, 2, 5])
def test_fewer_than_six_processes_have_a_median_and_no_interval(n):
    found = median_over_processes(np.arange(n))
    assert found.value == (n - 1) / 2
    assert (found.low, found.high) == (None, None)
    verb = "was" if n == 1 else "were"
    assert found.missing == f"an interval at 95 % takes at least 6 processes, there {verb} {n}"


def test_a_higher_confidence_takes_more_processes():
    assert "at least 8" in median_over_processes([1.0] * 6, confidence=0.99).missing


def test_no_process_at_all_is_unknown():
    assert median_over_processes([]) == Estimate.unknown(
        "no process was measured",
        "median over processes, 95 % interval by binomial order statistics",
    )
    assert median_over_processes([], unit="ms").unit == "ms"


def test_a_median_says_how_it_was_made_of_how_many_and_in_which_unit():
    how = "median over processes, 95 % interval by binomial order statistics"
    found = median_over_processes(np.arange(1, 8), unit="ms")
    assert found == Estimate(4.0, 1.0, 7.0, how, 7, None, "ms", "measured")
    few = median_over_processes([1.0, 4.0], unit="ms")
    assert few == Estimate(2.5, None, None, how, 2, few.missing, "ms", "measured")
    paired = "median of ratios paired by repetition, 95 % interval by binomial order statistics"
    ratio = ratio_over_processes([2.0] * 6, [1.0] * 6)
    assert ratio == Estimate(2.0, 2.0, 2.0, paired, 6, None, "ratio", "measured")


def test_figures_of_single_precision_are_not_rounded_to_it():
    ulp = 2.0**-23
    assert median_over_processes(np.array([1.0, 1.0 + ulp], np.float32)).value == 1.0 + ulp / 2


def test_figures_of_two_axes_are_refused_with_their_shape():
    with pytest.raises(ValueError, match=r"shape \(n,\), found \(2, 1\)"):
        median_over_processes([[1.0], [2.0]])


def test_the_median_interval_covers_a_skewed_distribution():
    random = np.random.default_rng(1)
    runs = random.lognormal(sigma=2.0, size=(3000, 9))
    found = [median_over_processes(run) for run in runs]
    covered = np.mean([one.low <= 1.0 <= one.high for one in found])
    # Exact coverage for n = 9, k = 2: 1 - 2 * (1 + 9) / 512 = 0.961.
    assert covered == pytest.approx(0.961, abs=0.012)


def test_ratios_are_paired_so_a_drift_that_hits_both_cancels():
    drift = np.linspace(1.0, 3.0, 9)
    found = ratio_over_processes(0.5 * drift, drift)
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("over", "under", "words"),
    [([1.0], [1.0, 2.0], "1 numerators for 2"), ([1.0], [0.0], "above 0")],
)
def test_ratios_that_mean_nothing_are_refused(over, under, words):
    with pytest.raises(ValueError, match=words):
        ratio_over_processes(over, under)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_figure_that_is_not_finite_never_reaches_a_conclusion(bad):
    with pytest.raises(ValueError, match="not finite"):
        median_over_processes([1.0, bad])


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, math.nan])
def test_a_confidence_outside_its_range_is_refused(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        median_over_processes([1.0], confidence)
