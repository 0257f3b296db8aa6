"""Which READY variant ships; the rules by latency are tested with the gate."""

import dataclasses

import pytest
import report_example
from edgestill.pipeline.judge.choice import PREFERENCES, choose, preferred, subjects_of
from edgestill.pipeline.recipe.gate import Gate


def subjects():
    report = report_example.report()
    return subjects_of(report.quality, report.measured)


def test_every_preference_of_the_recipe_has_its_figure():
    assert set(PREFERENCES) == set(Gate.model_fields["prefer"].annotation.__args__)


def test_fp32_takes_exactly_its_own_time():
    fp32 = next(subject for subject in subjects() if subject.name == "fp32")
    time = fp32.time_over_fp32
    assert (time.value, time.kind, time.unit) == (1.0, "exact", "ratio")


def test_a_model_that_was_not_measured_beside_fp32_has_an_unknown_ratio():
    report = report_example.report()
    bench = dataclasses.replace(report.measured.benchmark, ratios=())
    measured = report.measured.model_copy(update={"benchmark": bench})
    other = next(s for s in subjects_of(report.quality, measured) if s.name != "fp32")
    assert other.time_over_fp32.missing == "not measured beside fp32"


@pytest.mark.parametrize("prefer", ["size", "energy"])
def test_the_smallest_and_the_cheapest_ship(prefer):
    ready = subjects()
    ship, why = choose(prefer, "accuracy", ready)
    assert ship.name == "int8-static"
    assert prefer in why


def test_one_ready_variant_ships_without_a_comparison():
    only = subjects()[:1]
    assert choose("latency", "accuracy", only) == (only[0], "fp32 is inside every budget")
    assert preferred("accuracy", "mAP") == "mAP"
