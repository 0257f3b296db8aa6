"""What a figure says of itself."""

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate


@pytest.mark.parametrize(
    ("value", "low", "high", "known"),
    [
        (10.0, 9.0, 11.0, True),
        (-10.0, -11.0, -9.0, True),
        (10.0, 9.0, 11.125, False),
        (0.5, 0.45, 0.55, True),
        (0.5, 0.4, 0.6, False),
        (None, 9.0, 11.0, False),
        (10.0, None, 11.0, False),
        (10.0, 9.0, None, False),
    ],
)
def test_half_the_interval_is_compared_with_a_share_of_the_value(value, low, high, known):
    assert Estimate(value, low, high, "m", 9).known_within(0.1 + 1e-9) is known


def test_an_interval_of_exactly_the_share_is_within_it():
    assert Estimate(8.0, 6.0, 10.0, "m", 9).known_within(0.25)


def test_an_exact_figure_is_its_own_interval():
    found = Estimate.exact(3, "counted", "bytes")
    assert found == Estimate(3.0, 3.0, 3.0, "counted", 1, None, "bytes", "exact")
    assert Estimate.exact(3, "counted").unit == ""


def test_an_unknown_figure_has_a_reason_and_rests_on_nothing():
    assert Estimate.unknown("lost") == Estimate(None, None, None, "", 0, "lost", "", "unknown")
    found = Estimate.unknown("lost", "counted", 7, "bytes")
    assert found == Estimate(None, None, None, "counted", 7, "lost", "bytes", "unknown")
