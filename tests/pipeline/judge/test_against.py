"""A run against a baseline, as a whole."""

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge.against import Against, Pair, combined
from edgestill.pipeline.judge.regression import Change, Limits


def pair(outcome, *, kind="exact"):
    figure = Estimate(1.0, 1.0, 1.0, "m", 9, None, "ratio", kind)
    changes = (Change("latency", figure, figure, figure, 1.05, outcome, "why"),)
    return Pair("fp32", "fp32", "onnx", changes, outcome, "paired")


def against(*pairs):
    return Against("digits", None, Limits(), pairs, 0.99)


def test_the_worst_pair_decides():
    assert against(pair("ready"), pair("undecided")).outcome == "undecided"
    assert against(pair("ready"), pair("not ready"), pair("undecided")).outcome == "not ready"
    assert against(pair("ready")).outcome == "ready"


@pytest.mark.parametrize(
    ("verdict", "found", "both"),
    [
        ("ready", "ready", "ready"),
        ("ready", "not ready", "not ready"),
        ("undecided", "ready", "undecided"),
        ("not ready", "undecided", "not ready"),
    ],
)
def test_a_build_passes_only_where_budgets_and_baseline_do(verdict, found, both):
    assert combined(verdict, found) == both


def test_each_measured_latency_adds_its_own_rate_of_error():
    assert against(pair("ready")).error_rate == pytest.approx(0.005)
    measured = pair("ready", kind="measured")
    assert against(measured, measured).error_rate == pytest.approx(0.015)
