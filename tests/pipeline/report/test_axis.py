"""Ends and ticks of axes."""

import pytest
from edgestill.pipeline.report.axis import scale_of
from edgestill.pipeline.report.plot import Axis


def texts(scale):
    return [text for _, text in scale.ticks]


def test_a_linear_axis_has_round_ticks_and_shows_every_value():
    scale = scale_of(Axis(), [95.1, 99.5], ticks=5)
    assert texts(scale) == ["95", "96", "97", "98", "99"]
    assert 0.0 < scale.share(95.1) < scale.share(99.5) < 1.0


def test_what_begins_at_zero_has_no_room_before_it():
    assert scale_of(Axis(), [0.0, 8.0], ticks=5).share(0.0) == 0.0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.03, 0.5], ["0.05", "0.1", "0.2", "0.5"]),
        ([0.001, 900.0], ["0.001", "0.01", "0.1", "1", "10", "100"]),
        ([0.031, 0.034], ["0.032", "0.034"]),
        ([2.0, 2.0], ["2.0"]),
    ],
)
def test_a_logarithmic_axis_writes_every_tick_out(values, expected):
    found = texts(scale_of(Axis(log=True), values, ticks=5))
    assert [one for one in found if one in expected] == expected
    assert len(found) <= 7


def test_a_logarithmic_axis_has_no_place_for_zero():
    scale = scale_of(Axis(log=True), [0.0, 1.0, 10.0], ticks=5)
    assert not scale.has(0.0)
    assert scale.has(10.0)
    assert scale.share(1.0) > 0.0


def test_a_reversed_span_begins_with_its_larger_end():
    axis = Axis(ticks=((0.0, "first"), (1.0, "second")), span=(1.5, -0.5))
    scale = scale_of(axis, [0.0, 1.0], ticks=3)
    assert scale.share(0.0) > scale.share(1.0)
    assert texts(scale) == ["first", "second"]


def test_given_ticks_outside_of_what_is_shown_are_left_out():
    axis = Axis(log=True, ticks=((2.0, "p50"), (100.0, "p99"), (1e4, "p99.99")))
    assert texts(scale_of(axis, [1.0, 600.0], ticks=5)) == ["p50", "p99"]
