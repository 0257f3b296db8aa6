"""The settings that every scenario shares."""

import math

import pytest
from edgestill.devices.bench.settings import Settings
from edgestill.errors import UsageError


@pytest.mark.parametrize(
    ("key", "least"),
    [("processes", 1), ("seed", 0), ("memory_processes", 0), ("memory_mib", 1)],
)
def test_a_number_below_its_least_is_refused_by_name(key, least):
    assert getattr(Settings(**{key: least}), key) == least
    with pytest.raises(UsageError) as refused:
        Settings(**{key: least - 1})
    error = refused.value
    assert (error.where, error.expected, error.found) == (key, f"at least {least}", f"{least - 1}")


@pytest.mark.parametrize("key", ["timeout_s", "idle_seconds"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_a_time_that_no_clock_can_keep_is_refused_by_name(key, value):
    assert getattr(Settings(**{key: 1e-3}), key) == 1e-3
    with pytest.raises(UsageError, match=f"{key}: found {value}, expected above 0"):
        Settings(**{key: value})


@pytest.mark.parametrize("value", [0, 1, 1.5, -0.5, math.nan])
def test_a_confidence_is_a_probability(value):
    assert Settings(confidence=0.999).confidence == 0.999
    with pytest.raises(UsageError, match=f"confidence: found {value}, expected between 0 and 1"):
        Settings(confidence=value)


def test_cores_are_counted_from_zero():
    assert Settings(cores=(0, 1)).cores == (0, 1)
    with pytest.raises(UsageError, match="cores: found -2, expected at least 0"):
        Settings(cores=(3, -1, -2))
