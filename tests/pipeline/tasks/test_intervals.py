"""Intervals over samples and seeds: published and computed figures, and simulated coverage."""

import math

import numpy as np
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.tasks.bootstrap import (
    Resampling,
    bootstrap,
    bootstrap_mean,
    bootstrap_paired,
)
from edgestill.pipeline.tasks.class_recall import worst_of
from edgestill.pipeline.tasks.proportions import paired_difference, proportion
from edgestill.pipeline.tasks.seeds import mean_over_seeds


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_figure_that_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        mean_over_seeds([1.0, bad])


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, math.nan])
def test_a_confidence_outside_its_range_is_refused(confidence):
    for conclude in (
        lambda: proportion(1, 2, confidence),
        lambda: mean_over_seeds([1.0, 2.0], confidence),
        lambda: bootstrap_mean([1.0, 2.0], "mean", Resampling(confidence=confidence)),
    ):
        with pytest.raises(ValueError, match="between 0 and 1"):
            conclude()


def test_wilson_gives_the_published_intervals():
    # Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
    for successes, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        found = proportion(successes, n)
        assert found.value == successes / n
        assert (found.low, found.high) == (
            pytest.approx(low, abs=5e-5),
            pytest.approx(high, abs=5e-5),
        )


def test_wilson_ends_exactly_at_its_bounds():
    assert proportion(0, 7).low == 0.0
    assert proportion(7, 7).high == 1.0
    assert proportion(0, 0).missing == "no observations"


def _pairs(both, only_a, only_b, neither):
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    return a, b


def test_the_paired_difference_has_the_published_interval():
    # statpsych's ci.prop.ps, by the paper's first author: f11, f10, f01, f00 = 6, 26, 4, 12.
    found = paired_difference(*_pairs(6, 26, 4, 12))
    assert found.value == pytest.approx(22 / 48)
    assert (found.low, found.high) == (
        pytest.approx(0.2548067, abs=1e-7),
        pytest.approx(0.6251933, abs=1e-7),
    )
    # Fagerland, Lydersen & Laake, Statistics in Medicine 33, 2014: 1, 1, 7, 12.
    found = paired_difference(*_pairs(1, 1, 7, 12))
    assert (found.low, found.high) == (
        pytest.approx(-0.508, abs=5e-4),
        pytest.approx(-0.013, abs=5e-4),
    )


def test_two_models_that_never_differ_still_have_an_interval():
    found = paired_difference(*_pairs(100, 0, 0, 0))
    assert found.value == 0.0
    assert found.low < 0.0 < found.high


def test_the_paired_difference_covers_where_models_hardly_disagree():
    random = np.random.default_rng(2)
    outcomes = random.choice(4, p=[0.93, 0.03, 0.02, 0.02], size=(2000, 300))
    found = [paired_difference(one < 2, (one == 0) | (one == 2)) for one in outcomes]
    covered = np.mean([one.low <= 0.01 <= one.high for one in found])
    assert covered >= 0.94


def test_paired_arrays_must_be_boolean_and_of_one_length():
    with pytest.raises(ValueError, match="boolean"):
        paired_difference([1, 0], [True, False])
    with pytest.raises(ValueError, match="one length"):
        paired_difference([True], [True, False])


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
    found = [mean_over_seeds(run) for run in random.standard_normal((2000, 5))]
    covered = np.mean([one.low <= 0.0 <= one.high for one in found])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_one_seed_has_a_mean_and_no_interval():
    found = mean_over_seeds([0.9])
    assert (found.value, found.low, found.high) == (0.9, None, None)
    assert found.missing == "an interval takes at least 2 seeds, there was 1"
    assert mean_over_seeds([]).missing == "no seeds"


FEW = Resampling(resamples=400)


def mean_of(values):
    return lambda weights: weights @ values / weights.sum(1)


def test_the_bootstrap_interval_is_that_of_another_implementation():
    from scipy.stats import bootstrap as scipys

    values = np.random.default_rng(4).lognormal(size=60)
    found = bootstrap_mean(values, "mean", Resampling(resamples=20_000))
    other = scipys((values,), np.mean, n_resamples=20_000, random_state=5).confidence_interval
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == (
        pytest.approx(other.low, rel=0.02),
        pytest.approx(other.high, rel=0.02),
    )
    assert found.method == "mean, 95 % interval by BCa bootstrap, 20000 resamples"


def test_the_bootstrap_covers_a_skewed_mean():
    random = np.random.default_rng(6)
    found = [bootstrap_mean(run, "mean", FEW) for run in random.exponential(size=(300, 80))]
    covered = np.mean([one.low <= 1.0 <= one.high for one in found])
    assert 0.91 <= covered <= 0.98
    assert np.mean([one.high < 1.0 for one in found]) < 0.06


def test_the_bootstrap_of_few_samples_is_not_too_narrow():
    random = np.random.default_rng(10)
    found = [bootstrap_mean(run, "mean", FEW) for run in random.standard_normal((500, 8))]
    # Plain percentiles cover 88 %.
    assert np.mean([one.low <= 0.0 <= one.high for one in found]) >= 0.92


def test_the_bootstrap_is_the_same_each_time_and_whatever_its_blocks():
    values = np.random.default_rng(7).standard_normal(3000)
    once, again = (bootstrap_mean(values, "mean", Resampling(resamples=800)) for _ in range(2))
    assert once == again
    # More than 2**20 weights are drawn in several blocks.
    sizes = []

    def watched(weights):
        sizes.append(weights.shape)
        return mean_of(values)(weights)

    assert bootstrap(watched, 3000, "mean", Resampling(resamples=800)) == once
    assert max(rows * n for rows, n in sizes) <= 2**20
    assert sum(rows for rows, _ in sizes) == 1 + 800 + 200


def test_paired_resamples_cancel_what_both_share():
    random = np.random.default_rng(8)
    hard = 10.0 * random.standard_normal(200)
    a, b = hard + 1.0 + 0.1 * random.standard_normal(200), hard
    found = bootstrap_paired(mean_of(a), mean_of(b), 200, "difference")
    assert found.low < found.value < found.high
    assert found.high - found.low < 0.04
    assert found.value == pytest.approx(float(np.mean(a - b)))


def test_a_figure_that_never_varies_has_the_interval_of_the_unseen_or_none():
    ones = np.ones(100)
    found = bootstrap_mean(ones, "mean", Resampling(bounds=(0.0, 1.0)))
    # 1 - 0.025 ** (1 / 100), that is Clopper & Pearson's end at 100 of 100.
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.963783, abs=1e-6)
    rare = bootstrap(mean_of(ones), 100, "mean", Resampling(bounds=(0.0, 1.0), rarest=10))
    assert rare.low == pytest.approx(0.691503, abs=1e-6)
    without = bootstrap_mean(ones, "mean")
    assert (without.value, without.low, without.high) == (1.0, None, None)
    assert "all resamples give the same" in without.missing


def test_one_sample_has_a_figure_and_no_interval():
    found = bootstrap_mean([0.5], "mean", Resampling(bounds=(0.0, 1.0)))
    assert (found.value, found.low) == (0.5, None)
    assert found.missing == "an interval takes at least 2 samples, there was 1"
    assert bootstrap_mean([], "mean").missing == "no observations"


def test_a_figure_that_most_resamples_do_not_have_is_no_interval():
    def only_with_the_first(weights):
        return np.where(weights[:, 0] > 0, weights @ np.arange(50.0), np.nan)

    found = bootstrap(only_with_the_first, 50, "odd", Resampling(resamples=200))
    assert found.value == np.arange(50).sum()
    assert found.low is None
    assert "of 200 resamples" in found.missing
    never = bootstrap(lambda weights: np.full(len(weights), np.nan), 5, "never")
    assert never.value is None


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
    covered = []
    for _ in range(500):
        lost = random.random((4, n)) < (0.03 + drops)[:, None]
        won = ~lost & (random.random((4, n)) < 0.03 / (0.97 - drops)[:, None])
        each = [paired_difference(~w, ~one, 1 - 0.05 / 4) for one, w in zip(lost, won, strict=True)]
        worst = worst_of(each, most=1.0)
        covered.append(worst.low <= drops.max() <= worst.high)
    assert np.mean(covered) >= 0.95
