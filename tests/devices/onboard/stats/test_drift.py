"""Drift of a series: what is one, and what is only noise."""

import numpy as np
import pytest
from edgestill.devices.onboard.stats.drift import drift


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
    with pytest.raises(ValueError, match="at least two"):
        drift([1.0])
    with pytest.raises(ValueError, match="above 0"):
        drift([1.0, 0.0])
