"""Intervals over samples and seeds: published and computed figures, and simulated coverage."""

import math

import numpy as np
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.tasks.class_recall import worst_of
from edgestill.pipeline.tasks.proportions import paired_difference, proportion
from edgestill.pipeline.tasks.sampling import Sampling
from edgestill.pipeline.tasks.seeds import mean_over_seeds

ANY = Sampling(0.95)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_figure_that_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        mean_over_seeds([1.0, bad], 0.95)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, math.nan])
def test_a_confidence_outside_its_range_is_refused(confidence):
    for conclude in (
        lambda: proportion(1, 2, confidence),
        lambda: mean_over_seeds([1.0, 2.0], confidence),
        lambda: Sampling(confidence),
    ):
        with pytest.raises(ValueError, match="between 0 and 1"):
            conclude()


def test_the_exact_interval_is_the_published_one():
    # Newcombe, Statistics in Medicine 17, 1998, table I, method 5.
    for successes, n, low, high in [
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ]:
        found = proportion(successes, n, 0.95)
        assert found.value == successes / n
        assert (found.low, found.high) == (
            pytest.approx(low, abs=5e-5),
            pytest.approx(high, abs=5e-5),
        )


def test_the_exact_interval_ends_exactly_at_its_bounds():
    assert proportion(0, 7, 0.95).low == 0.0
    assert proportion(7, 7, 0.95).high == 1.0
    assert proportion(0, 0, 0.95).missing == "no observations"


def _pairs(both, only_a, only_b, neither):
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    return a, b


def test_the_paired_difference_has_the_published_interval():
    # statpsych's ci.prop.ps, by the paper's first author: f11, f10, f01, f00 = 6, 26, 4, 12.
    found = paired_difference(*_pairs(6, 26, 4, 12), ANY)
    assert found.value == pytest.approx(22 / 48)
    assert (found.low, found.high) == (
        pytest.approx(0.2548067, abs=1e-7),
        pytest.approx(0.6251933, abs=1e-7),
    )
    # Fagerland, Lydersen & Laake, Statistics in Medicine 33, 2014: 1, 1, 7, 12.
    found = paired_difference(*_pairs(1, 1, 7, 12), ANY)
    assert (found.low, found.high) == (
        pytest.approx(-0.508, abs=5e-4),
        pytest.approx(-0.013, abs=5e-4),
    )


def test_two_models_that_never_differ_still_have_an_interval():
    found = paired_difference(*_pairs(100, 0, 0, 0), ANY)
    assert found.value == 0.0
    assert found.low < 0.0 < found.high


def test_the_paired_difference_covers_where_models_hardly_disagree():
    random = np.random.default_rng(2)
    outcomes = random.choice(4, p=[0.93, 0.03, 0.02, 0.02], size=(2000, 300))
    found = [paired_difference(one < 2, (one == 0) | (one == 2), ANY) for one in outcomes]
    covered = np.mean([one.low <= 0.01 <= one.high for one in found])
    assert covered >= 0.94


def test_paired_arrays_must_be_boolean_and_of_one_length():
    with pytest.raises(ValueError, match="boolean"):
        paired_difference([1, 0], [True, False], ANY)
    with pytest.raises(ValueError, match="one length"):
        paired_difference([True], [True, False], ANY)


def test_student_quantiles_are_those_of_the_table():
    # Two-sided 95 % and 99 %, from any t table.
    for freedom, t95, t99 in [
        (1, 12.7062, 63.6567),
        (2, 4.3027, 9.9248),
        (3, 3.1824, 5.8409),
        (4, 2.7764, 4.6041),
        (9, 2.2622, 3.2498),
        (30, 2.0423, 2.7500),
    ]:
        values = np.zeros(freedom + 1)
        values[0] = 1.0
        error = np.std(values, ddof=1) / math.sqrt(freedom + 1)
        for confidence, t in [(0.95, t95), (0.99, t99)]:
            found = mean_over_seeds(values, confidence)
            half = (found.high - found.low) / 2
            assert half / error == pytest.approx(t, rel=2e-5), (freedom, confidence)


def test_the_mean_over_seeds_covers_normal_data():
    random = np.random.default_rng(3)
    found = [mean_over_seeds(run, 0.95) for run in random.standard_normal((2000, 5))]
    covered = np.mean([one.low <= 0.0 <= one.high for one in found])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_one_seed_has_a_mean_and_no_interval():
    found = mean_over_seeds([0.9], 0.95)
    assert (found.value, found.low, found.high) == (0.9, None, None)
    assert found.missing == "an interval takes at least 2 seeds, there was 1"
    assert mean_over_seeds([], 0.95).missing == "no seeds"


def test_the_worst_lies_between_the_largest_ends():
    found = worst_of(
        [Estimate(0.1, 0.05, 0.15, "m", 9), Estimate(0.0, -0.5, 0.5, "m", 2)], most=1.0
    )
    assert (found.value, found.low, found.high, found.n) == (0.1, 0.05, 0.5, 11)


def test_what_could_not_be_had_may_be_the_worst():
    found = worst_of([Estimate(0.1, 0.05, 0.15, "m", 9), Estimate.unknown("no sample")], most=1.0)
    assert (found.value, found.low, found.high) == (0.1, 0.05, 1.0)
    assert "; not available, so anything up to 1: 1" in found.method
    none = worst_of([Estimate.unknown("no sample")], most=1.0)
    assert (none.value, none.missing) == (None, "no sample")
    half = worst_of([Estimate(0.1, None, None, "m", 1, "only one")], most=1.0)
    assert (half.value, half.low, half.missing) == (0.1, None, "only one")


def test_the_worst_of_simultaneous_intervals_covers_the_worst():
    random = np.random.default_rng(9)
    drops, n = np.array([0.0, 0.02, 0.05, 0.05]), 150
    covered, family = [], Sampling(1 - 0.05 / 4)
    for _ in range(500):
        lost = random.random((4, n)) < (0.03 + drops)[:, None]
        won = ~lost & (random.random((4, n)) < 0.03 / (0.97 - drops)[:, None])
        each = [paired_difference(~w, ~one, family) for one, w in zip(lost, won, strict=True)]
        worst = worst_of(each, most=1.0)
        covered.append(worst.low <= drops.max() <= worst.high)
    assert np.mean(covered) >= 0.95
