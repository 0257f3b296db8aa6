"""Drift of a series: what is one, and what is only noise."""

import math
from itertools import combinations

import numpy as np
import pytest
from edgestill.devices.onboard.stats.drift import drift
from edgestill.devices.onboard.stats.estimate import Estimate
from scipy.stats import norm, rankdata


def _autoregressive(random, n, coefficient):
    noise = random.normal(size=n) * (1 - coefficient**2) ** 0.5
    found = [random.normal()]
    for each in noise[1:]:
        found.append(coefficient * found[-1] + each)
    return np.asarray(found)


@pytest.mark.parametrize(("coefficient", "most"), [(0.0, 0.07), (0.6, 0.13)])
def test_noise_is_no_drift_even_where_neighbours_resemble_each_other(coefficient, most):
    random = np.random.default_rng(0)
    seen = []
    for _ in range(300):
        found = drift(100 + _autoregressive(random, 60, coefficient))
        seen.append(not found.low <= 0 <= found.high)
    assert np.mean(seen) <= most


def test_a_drift_is_found_with_its_size_and_one_outlier_is_none():
    random = np.random.default_rng(0)
    noise = 1 + 0.01 * random.normal(size=60)
    found = drift(noise * np.linspace(1.0, 1.1, 60))
    assert found.low < 0.0952 < found.high  # 0.1 over the median of 1.05
    assert found.low > 0.08
    spoilt = noise.copy()
    spoilt[-1] = 50.0
    assert abs(drift(spoilt).value) < 0.01


def test_a_drift_of_few_windows_has_no_interval_and_of_none_is_refused():
    assert "at least 10 windows" in drift([1.0, 2.0, 3.0]).missing
    assert drift([1.0, 2.0, 3.0]).value == pytest.approx(1.0)
    # From 1 to 2 with a median of 1.5.
    assert drift([1.0, 2.0]).value == pytest.approx(2 / 3)
    assert drift(np.arange(1.0, 10.0)).low is None
    for series in ([1.0], [1.0, 0.0], [1.0, math.inf], [1.0, math.nan]):
        with pytest.raises(ValueError, match="at least two figures, all above 0"):
            drift(series)


def test_counts_of_a_type_without_sign_fall_too():
    assert drift(np.array([3, 2, 1], np.uint8)).value == -1.0


def _slopes(series):
    """The slopes of all pairs, ascending, as a share of the median over the whole series."""
    scale = (len(series) - 1) / np.median(series)
    pairs = combinations(enumerate(series), 2)
    return sorted(scale * (b - a) / (j - i) for (i, a), (j, b) in pairs)


def _alternating(n):
    """A rise whose distances from the line alternate, so that neighbours do not resemble."""
    random = np.random.default_rng(n)
    return 100 + 0.3 * np.arange(n) + np.tile([1, -1], n)[:n] * random.uniform(1, 2, n)


@pytest.mark.parametrize(
    ("n", "confidence", "left_out"),
    [
        # (n (n - 1) / 2 - z sqrt(n (n - 1) (2 n + 5) / 18)) / 2: (45 - 21.91) / 2, and so on.
        (10, 0.95, 11),
        (16, 0.95, 38),
        (16, 0.99, 31),
        (40, 0.95, 305),
    ],
)
def test_the_interval_leaves_out_as_many_slopes_as_kendalls_s_allows(n, confidence, left_out):
    series = _alternating(n)
    slopes, found = _slopes(series), drift(series, confidence)
    ends = pytest.approx((slopes[left_out], slopes[-1 - left_out]), rel=1e-9)
    assert (found.low, found.high) == ends
    wanted = np.median(slopes)
    assert found == Estimate(
        pytest.approx(wanted), found.low, found.high, found.method, n, None, "share", "measured"
    )
    assert f"over {n} windows" in found.method
    assert f"; {100 * confidence:g} % interval" in found.method


@pytest.mark.parametrize(("reach", "left_out"), [(42.5, 1), (44.0, 0), (45.5, None), (48, None)])
def test_the_widest_interval_is_that_of_all_slopes_and_beyond_there_is_none(reach, left_out):
    # The variance of Kendall's S of ten figures is 10 * 9 * 25 / 18 = 125.
    series = _alternating(10)
    slopes, found = _slopes(series), drift(series, 1 - 2 * norm.sf(reach / math.sqrt(125)))
    if left_out is None:
        reason = "the windows depend on each other too much for an interval"
        value = pytest.approx(np.median(slopes))
        assert found == Estimate(value, None, None, found.method, 10, reason, "share", "measured")
    else:
        ends = pytest.approx((slopes[left_out], slopes[-1 - left_out]))
        assert (found.low, found.high) == ends


def test_of_few_windows_the_record_is_complete_but_for_the_interval():
    found = drift([1.0, 2.0, 3.0])
    reason = "an interval takes at least 10 windows, there were 3"
    assert found == Estimate(1.0, None, None, found.method, 3, reason, "share", "measured")


@pytest.mark.parametrize("n", [12, 24, 60])
def test_neighbours_that_resemble_widen_it_by_the_sum_of_their_correlations(n):
    random = np.random.default_rng(2)
    series = 100 + _autoregressive(random, n, 0.5) + 1e-3 * np.arange(n)
    slopes, found = _slopes(series), drift(series)
    at = np.arange(n)
    ranks = rankdata(series - np.median(slopes) * np.median(series) / (n - 1) * at)
    ranks -= ranks.mean()
    seen = (ranks[1:] * ranks[:-1]).sum() / (ranks**2).sum()
    # E(seen) = rho - (2 + 4 rho) / n; a mean of n figures varies by the sum of rho**|i - j| / n.
    rho = (n * seen + 2) / (n - 4)
    assert 0.2 < rho < 0.9
    inflation = (rho ** np.abs(np.subtract.outer(at, at))).sum() / n
    reach = norm.ppf(0.975) * math.sqrt(n * (n - 1) * (2 * n + 5) / 18 * inflation)
    left_out = int((len(slopes) - reach) / 2)
    assert left_out > 0
    ends = pytest.approx((slopes[left_out], slopes[-1 - left_out]))
    assert (found.low, found.high) == ends
