"""Percentiles over all processes: the value, both ends, and what is said where one is missing."""

import math

import numpy as np
import pytest
from edgestill.devices.onboard.stats.dependence import farthest, shown_correlation
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.onboard.stats.percentiles import (
    Pooled,
    fewest_processes,
    nearest_rank,
    over_processes,
    percentile_over_processes,
)
from scipy.stats import norm


def quiet(processes, queries=80, seed=0, between=0.01):
    random = np.random.default_rng(seed)
    shape = (processes, queries)
    return list(np.exp(random.normal(0, between, (processes, 1)) + random.normal(0, 0.03, shape)))


@pytest.mark.parametrize("percentile", [0.1, 10.0, 100 / 3, 50.0, 90.0, 99.0, 99.9])
@pytest.mark.parametrize("number", [1, 2, 3, 10, 80, 99, 100, 101])
def test_a_nearest_rank_is_that_of_numpy(number, percentile):
    drawn = np.random.default_rng(number).random(number)
    assert nearest_rank(drawn, percentile) == np.percentile(
        drawn, percentile, method="inverted_cdf"
    )


def test_a_p90_of_64_queries_is_the_samples_p90_and_not_their_maximum():
    # Seen: 0.1156 ms reported where the samples' p90 is 0.0056, and a budget of 0.02 missed by it.
    samples = [np.r_[np.full(60, 0.0050), [0.0056] * 3, 0.1156] for _ in range(9)]
    p50, p90 = over_processes(samples, (50, 90), 0.95, "ms", guarded=False)
    assert (p50.value, p90.value) == (0.0050, 0.0050)
    assert p90.low <= p90.value
    samples = [np.r_[np.full(55, 0.0050), [0.0056] * 8, 0.1156] for _ in range(9)]
    assert percentile_over_processes(samples, 90).value == 0.0056


def test_every_process_has_the_same_weight_however_many_queries_it_timed():
    samples = [np.full(1000, 1.0), np.full(10, 2.0), np.full(10, 2.0)]
    assert percentile_over_processes(samples, 50).value == 2.0
    assert percentile_over_processes(samples, 25).value == 1.0


@pytest.mark.parametrize("percentile", [10, 50, 90, 99])
def test_of_equally_many_queries_it_is_the_nearest_rank_of_them_all(percentile):
    samples = quiet(20, queries=100)
    wanted = np.percentile(np.concatenate(samples), percentile, method="inverted_cdf")
    assert percentile_over_processes(samples, percentile).value == wanted


def test_where_15_of_100_processes_are_slow_the_p90_is_theirs_and_the_p50_is_not():
    samples = [1.0 + 0.01 * one for one in quiet(100)]
    for i in range(0, 90, 6):
        samples[i] = 2.0 * samples[i]
    p50, p90 = over_processes(samples, (50, 90), 0.99)
    assert p50.high < 1.2
    assert p90.value > 2.0
    assert p90.low > 1.0
    assert p90.high > 2.0


@pytest.mark.parametrize(("percentile", "plain", "guarded"), [(50, 8, 16), (90, 53, 53)])
def test_an_interval_has_both_ends_from_as_many_processes_as_it_says(percentile, plain, guarded):
    for fewest, careful in ((plain, False), (guarded, True)):
        found = fewest_processes(percentile, 0.99, guarded=careful)
        assert found in (fewest, fewest + 1)
        enough = percentile_over_processes(quiet(found), percentile, 0.99, guarded=careful)
        assert enough.low <= enough.value <= enough.high
        assert (enough.missing, enough.n) == (None, found)
        few = percentile_over_processes(quiet(found - 1), percentile, 0.99, guarded=careful)
        assert few.high is None
        assert f"at least {found} processes, there were {found - 1}" in few.missing


@pytest.mark.parametrize(("n", "were"), [(1, "was 1"), (2, "were 2")])
def test_of_one_or_two_processes_no_end_is_known(n, were):
    found = percentile_over_processes(quiet(n), 50, unit="ms")
    assert (found.low, found.high, found.n, found.unit) == (None, None, n, "ms")
    wanted = f"an interval of p50 at 95 % takes at least 16 processes, there {were}"
    assert found.missing == wanted


def test_unless_told_otherwise_an_interval_is_a_verdicts_at_95_percent():
    samples = quiet(16)
    (found,) = over_processes(samples, (50,))
    assert found == percentile_over_processes(samples, 50, 0.95, guarded=True)
    assert found != percentile_over_processes(samples, 50, 0.95, guarded=False)
    assert fewest_processes(50, 0.95) == fewest_processes(50, 0.95, guarded=True) == 16
    assert found.kind == "measured"
    assert found.method.startswith("p50 of the queries of all processes")
    assert found.method.endswith("for neighbours that correlate by 0.9 and a drift that goes on")


def test_of_a_tail_few_processes_know_the_lower_end_alone():
    found = percentile_over_processes(quiet(9), 90, guarded=False)
    assert found.low <= found.value
    assert found.high is None
    assert found.missing.startswith("the upper end of an interval of p90 at 95 % takes")


def test_too_few_queries_of_all_processes_together_are_no_percentile():
    found = percentile_over_processes([np.ones(64)] * 9, 99)
    assert found.value is None
    assert found.missing == "p99 takes at least 662 queries, there were 576"
    assert (found.n, found.kind) == (9, "unknown")
    assert percentile_over_processes([np.ones(74)] * 9, 99).value == 1.0
    assert percentile_over_processes([np.ones(64)], 90).value == 1.0
    none = percentile_over_processes([], 50, unit="ms")
    assert none == Estimate.unknown("no process was measured", unit="ms")
    some = over_processes([np.ones(9), []], (50, 90), unit="ms")
    assert some == (Estimate.unknown("a process timed no query", n=2, unit="ms"),) * 2


def two_levels(n=60):
    """Half of all processes a tenth slower, in an order at random: no drift, and no resemblance."""
    levels = np.random.default_rng(0).permutation(np.repeat([1.0, 1.1], n // 2))
    assert shown_correlation(levels) == 0.0
    return [level * np.array([1.0, 1.2, 1.4, 1.6]) for level in levels], levels


def test_without_resemblance_and_guard_the_ends_are_those_of_the_bets_alone():
    samples, _ = two_levels()
    found = percentile_over_processes(samples, 90, 0.99, guarded=False)
    pooled = Pooled(samples)
    assert found.low == pooled.least_shown(0.1, 0.005)
    assert found.high == pooled.most_shown(0.1, 0.005) == 1.1 * 1.6
    assert found.caution is None


@pytest.mark.parametrize(("percentile", "nearest"), [(10, 1.0), (90, 1.6)])
def test_a_guard_reaches_as_far_as_neighbours_that_correlate_by_nine_tenths(percentile, nearest):
    samples, levels = two_levels()
    logs, away = np.log(levels * nearest), norm.ppf(percentile / 100)
    found = percentile_over_processes(samples, percentile, 0.99)
    assert found.low == pytest.approx(math.exp(-farthest(-logs, 0.005, 0.9, -away)), rel=1e-12)
    assert found.high == pytest.approx(math.exp(farthest(logs, 0.005, 0.9, away)), rel=1e-12)
    assert (found.missing, found.caution) == (None, None)


def test_latencies_of_zero_have_no_interval():
    for n in (16, 17):
        found = percentile_over_processes([np.zeros(9)] * n, 50)
        assert (found.value, found.low, found.high) == (0.0, None, None)
        assert found.missing == found.caution == "a latency of 0 has no interval"


def test_processes_that_depend_on_each_other_too_much_have_no_guarded_interval():
    # Quicker, then slower again: the slope is 0, and neighbours lie on the same side of it.
    level = 1.0 + 0.01 * np.abs(np.arange(16) - 7.6)
    found = percentile_over_processes([np.full(9, one) for one in level], 50)
    assert (found.low, found.high) == (None, None)
    assert found.missing == "the windows depend on each other too much for an interval"


@pytest.mark.parametrize(("rise", "words"), [(0.1, "rose by 10.0 %"), (-0.04, "fell by 4.0 %")])
def test_a_drift_that_is_shown_goes_on_for_ten_times_as_long(rise, words):
    # A straight line, and next to nothing from it to either side in turn.
    level = 1.0 + rise * np.linspace(-0.5, 0.5, 40) + np.tile([1e-7, -1e-7], 20)
    found = percentile_over_processes([np.full(9, one) for one in level], 50)
    middle = math.exp(np.log(level).mean())
    assert words in found.caution
    reached = found.high if rise > 0 else found.low
    assert reached == pytest.approx(middle * (1 + 10 * rise), rel=1e-3)


def test_more_dependence_and_more_noise_make_a_verdicts_interval_wider():
    calm, restless = (
        percentile_over_processes(quiet(30, between=one), 50, 0.99) for one in (0.005, 0.05)
    )
    assert calm.high - calm.low < restless.high - restless.low
    careless = percentile_over_processes(quiet(30), 50, 0.99, guarded=False)
    careful = percentile_over_processes(quiet(30), 50, 0.99)
    assert careful.low < careless.low < careless.high < careful.high


def test_a_drift_is_named_and_the_interval_reaches_as_far_as_it_may_go():
    level = np.linspace(0.95, 1.05, 40)
    rising = [one * factor for one, factor in zip(quiet(40), level, strict=True)]
    found = percentile_over_processes(rising, 50, 0.99)
    assert found.caution.startswith("latency rose by")
    assert found.high > 1.5
    falling = percentile_over_processes(rising[::-1], 50, 0.99)
    assert falling.caution.startswith("latency fell by")
    assert falling.low < 0.5
    assert falling.high < 1.2


def test_neighbours_that_are_alike_are_named_and_make_any_interval_wider():
    # Ten processes quick, ten slow, and so on: not a drift.
    level = np.tile(np.repeat([0.9, 1.1], 10), 3)
    alike = [one * factor for one, factor in zip(quiet(60), level, strict=True)]
    mixed = [alike[i] for i in np.random.default_rng(0).permutation(60)]
    found = percentile_over_processes(alike, 50, guarded=False)
    assert "resemble each other" in found.caution
    other = percentile_over_processes(mixed, 50, guarded=False)
    assert other.caution is None
    assert found.high - found.low > other.high - other.low
    assert "resemble each other" in percentile_over_processes(alike, 50).caution


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_a_confidence_outside_its_range_is_refused(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        percentile_over_processes(quiet(9), 50, confidence)


@pytest.mark.parametrize("percentile", [0, 100])
def test_a_percentile_outside_its_range_is_refused(percentile):
    with pytest.raises(ValueError, match="between 0 and 100"):
        percentile_over_processes(quiet(9), percentile)
