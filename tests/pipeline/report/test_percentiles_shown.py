"""Percentiles as a reader meets them: one end of an interval, MLPerf's estimate, the curve."""

import dataclasses

import numpy as np
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.report import numbers, rows, samples

WHY = "the upper end takes 53 processes"


def test_an_interval_without_an_upper_end_is_shown_with_its_lower_one_and_the_reason():
    found = Estimate(0.01, 0.0099, None, "t", 9, WHY, "ms", "measured")
    assert numbers.show(found, numbers.MILLISECONDS) == f"10.0 µs (9.9 or more: {WHY})"
    below = dataclasses.replace(found, low=None, high=0.0104)
    assert numbers.show(below, numbers.MILLISECONDS) == f"10.0 µs (10.4 or less: {WHY})"
    value, interval = numbers.without_reason(found, numbers.MILLISECONDS)
    assert (value, interval) == ("10.0 µs", "9.9 or more")


def test_mlperfs_estimate_has_a_name_of_its_own_beside_the_percentile():
    report = report_example.report()
    row = rows.models(report)[1]
    estimate = Estimate(0.5, 0.4, 0.6, "t", 9, None, "ms", "measured")
    figures = dataclasses.replace(row.figures, early_stopping_p90_ms=estimate)
    row = dataclasses.replace(row, figures=figures)
    assert rows.EARLY_STOPPING["Latency p90, MLPerf early stopping"](row) == estimate
    assert row.p90_ms != estimate
    unmeasured = dataclasses.replace(row, figures=None)
    assert rows.EARLY_STOPPING["Latency p99, MLPerf early stopping"](unmeasured).value is None


def test_the_curve_gives_every_process_the_same_weight():
    quick, slow = np.full(9_000, 1_000_000), np.full(1_000, 2_000_000)
    curve = samples.curve([quick, slow, slow])
    assert np.interp(2.0, curve.odds, curve.milliseconds) == 2.0
    assert (curve.queries, curve.processes) == (11_000, 3)
