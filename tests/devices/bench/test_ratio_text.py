"""How a ratio is stated."""

import pytest
from edgestill.devices.bench.ratio_text import interval, stated, times
from edgestill.devices.onboard.stats.estimate import Estimate


def ratio(value, low=None, high=None, missing=None):
    return Estimate(value, low, high, "m", 9, missing, "ratio", "measured")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (ratio(1.27, 1.25, 1.28), "1.27× the latency of fp32 (1.25 to 1.28)"),
        (ratio(0.98, 0.95, 1.02), "0.98× the latency of fp32 (0.95 to 1.02, no difference shown)"),
        (
            ratio(0.98, missing="2 processes"),
            "0.98× the latency of fp32 (no interval: 2 processes)",
        ),
        (ratio(0.5, 0.5, 0.5), "0.50× the latency of fp32"),
        (ratio(None, missing="lost"), "latency of fp32 unknown (lost)"),
        (ratio(None), "latency of fp32 unknown (no reason was recorded)"),
    ],
)
def test_a_ratio_is_stated_in_one_way(found, text):
    assert stated(found, "latency", "fp32") == text
    assert stated(found, "latency") == text.replace(" of fp32", "")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (ratio(1.1, 1.0, 1.2), "1.00 to 1.20, no difference shown"),
        (ratio(0.9, 0.8, 1.0), "0.80 to 1.00, no difference shown"),
        (ratio(1.1, 1.001, 1.2), "1.00 to 1.20"),
        (ratio(0.9, 0.8, 0.999), "0.80 to 1.00"),
        (ratio(1.1), "no interval"),
        (ratio(1.1, 1.0), "no interval"),
        (ratio(1.1, None, 1.0), "no interval"),
        (ratio(1.1, missing="1 process"), "no interval: 1 process"),
        (ratio(1.0, 1.0, 1.0), None),
        # The ends have the decimals of the value, whatever their own size.
        (ratio(11.0, 9.5, 120.0), "9.5 to 120.0"),
        (ratio(150.0, 99.5, 210.4), "100 to 210"),
        (ratio(0.09, 0.05, 0.5), "0.050 to 0.500"),
    ],
)
def test_the_interval_says_whether_it_shows_a_difference(found, text):
    assert interval(found) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0994, "0.099×"),
        (0.1, "0.10×"),
        (1.0, "1.00×"),
        (9.994, "9.99×"),
        (10.0, "10.0×"),
        (10.26, "10.3×"),
        (99.94, "99.9×"),
        (100.0, "100×"),
        (100.6, "101×"),
        (1234.5, "1,234×"),
        (-12.34, "-12.3×"),
    ],
)
def test_a_factor_has_as_many_decimals_as_suit_its_size(value, text):
    assert times(value) == text
