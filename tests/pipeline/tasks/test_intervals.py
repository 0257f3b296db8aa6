"""Intervals over seeds: published figures, and simulated coverage."""

import math

import numpy as np
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.tasks.proportions import proportion
from edgestill.pipeline.tasks.sampling import Sampling
from edgestill.pipeline.tasks.seeds import mean_over_seeds
from scipy import stats


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


def test_a_mean_over_seeds_says_what_it_is():
    values, told = [0.8, 0.9, 0.7], "mean over seeds, 95 % Student t interval"
    found = mean_over_seeds(values, 0.95)
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found.value, found.low) == (pytest.approx(0.8), pytest.approx(low))
    assert found.high == pytest.approx(high)
    assert (found.method, found.n, found.kind, found.missing) == (told, 3, "measured", None)
    missing = "an interval takes at least 2 seeds, there was 1"
    one = Estimate(0.9, None, None, told, 1, missing, kind="measured")
    assert mean_over_seeds([0.9], 0.95) == one
    assert mean_over_seeds([], 0.95) == Estimate.unknown("no seeds", told)
