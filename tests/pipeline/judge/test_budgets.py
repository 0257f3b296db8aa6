"""A figure against its budget, at the budget and on either side of it."""

import dataclasses
import math

import pytest
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge.budgets import BUDGETS, UNDECIDING, hold, percentiles, scaled

INSIDE, OUTSIDE = (
    "the whole interval is inside the budget",
    "the whole interval is outside the budget",
)
BETWEEN = "the budget lies inside the interval; measure more or on more samples"


def figure(low, value, high, **more):
    return Estimate(value, low, high, "test", 9, **{"kind": "measured", **more})


@pytest.mark.parametrize(
    ("direction", "low", "high", "outcome", "why"),
    [
        ("at most", 0.5, 1.0, "ready", INSIDE),
        ("at most", 1.0, 1.0, "ready", INSIDE),
        ("at most", 1.0, 1.5, "undecided", BETWEEN),
        ("at most", 0.5, 1.01, "undecided", BETWEEN),
        ("at most", 1.01, 1.5, "not ready", OUTSIDE),
        ("at least", 1.0, 1.5, "ready", INSIDE),
        ("at least", 1.0, 1.0, "ready", INSIDE),
        ("at least", 0.5, 1.0, "undecided", BETWEEN),
        ("at least", 0.99, 1.5, "undecided", BETWEEN),
        ("at least", 0.5, 0.99, "not ready", OUTSIDE),
        ("above", 1.01, 1.5, "ready", INSIDE),
        ("above", 1.0, 1.5, "undecided", BETWEEN),
        ("above", 0.5, 1.01, "undecided", BETWEEN),
        ("above", 0.5, 1.0, "not ready", OUTSIDE),
        ("above", 1.0, 1.0, "not ready", OUTSIDE),
    ],
)
def test_the_budget_itself_is_met_unless_a_figure_has_to_lie_above_it(
    direction, low, high, outcome, why
):
    assert hold(direction, 1.0, figure(low, (low + high) / 2, high)) == (outcome, why)


@pytest.mark.parametrize(
    ("direction", "low", "high", "outcome"),
    [
        ("at least", None, 0.9, "not ready"),
        ("at least", None, 1.1, "undecided"),
        ("at least", 1.1, None, "undecided"),
        ("at most", None, None, "undecided"),
    ],
)
def test_one_end_can_only_miss_a_budget(direction, low, high, outcome):
    found = figure(low, 1.0, high, missing="few processes")
    why = OUTSIDE if outcome == "not ready" else "no interval: few processes"
    assert hold(direction, 1.0, found) == (outcome, why)


@pytest.mark.parametrize("kind", sorted(UNDECIDING))
def test_a_figure_that_was_not_measured_decides_nothing_and_says_why(kind):
    found = figure(0.1, 0.2, 0.3, kind=kind)
    for budget in (1.0, 0.01):
        assert hold("at most", budget, found) == ("undecided", UNDECIDING[kind])
    assert hold("at most", 1.0, figure(0.1, math.nan, 0.3, kind=kind))[0] == "not ready"


def test_a_figure_in_another_unit_keeps_all_else():
    found = figure(1.0, 2.0, 3.0, unit="bytes", caution="c")
    assert scaled(found, -2.0, "x") == dataclasses.replace(
        found, value=-4.0, low=-6.0, high=-2.0, unit="x"
    )
    assert scaled(found, 3.0).unit == "bytes"
    open_ = Estimate(2.0, None, None, "t", 1, "one", kind="measured")
    assert scaled(open_, 3.0) == dataclasses.replace(open_, value=6.0)
    assert scaled(Estimate.unknown("lost"), 2.0) == Estimate.unknown("lost")


def test_only_budgets_of_latency_have_a_percentile():
    budgets = {"max_p99_ms": 1.0, "max_size_kib": 1.0, "max_p50_ms": 1.0}
    assert percentiles(budgets) == [99.0, 50.0]


def test_each_budget_has_the_figure_of_its_name():
    report = report_example.report()
    quality = report.quality.variants[1]
    (model,) = (m for m in report.measured.benchmark.models if m.name == quality.name)
    model = dataclasses.replace(model, instructions=figure(7.0, 8.0, 9.0))
    wanted = {
        "min_score": quality.score,
        "max_drop_vs_teacher": quality.drop_vs_teacher,
        "max_drop_vs_fp32": quality.drop_vs_fp32,
        "min_agreement": quality.agreement_with_teacher,
        "max_worst_class_drop": quality.fidelity.worst_drop,
        "max_p50_ms": model.p50_ms,
        "max_p90_ms": model.p90_ms,
        "max_p99_ms": model.p99_ms,
        "max_energy_uj": model.energy_uj,
        "max_instructions": model.instructions,
        "max_size_kib": Estimate.exact(model.file_bytes / 1024, "file size", "KiB"),
    }
    for key, found in wanted.items():
        assert BUDGETS[key].figure(quality, model) == found, key
    nothing = dataclasses.replace(BUDGETS["min_score"], quality=None, title="it")
    assert nothing.figure(quality, model).missing == "no stage finds it"
    alone = quality.model_copy(update={"fidelity": None})
    told = BUDGETS["max_worst_class_drop"].figure(alone, model).missing
    assert told == "the teacher's answers on test are not known"
