"""Which READY variant ships; the rules by latency are tested with the gate."""

import dataclasses

import pytest
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
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


def with_ratios(**ratios):
    """The variants with these ratios to fp32; a number has no interval."""
    found = []
    for subject in subjects():
        ratio = ratios.get(subject.name.replace("-", "_"), subject.time_over_fp32)
        if isinstance(ratio, float):
            why = "an interval at 99 % takes at least 8 processes, there were 6"
            ratio = Estimate(ratio, None, None, "t", 6, why, "ratio", "measured")
        found.append(dataclasses.replace(subject, time_over_fp32=ratio))
    return found


def known(low, value, high):
    return Estimate(value, low, high, "t", 9, None, "ratio", "measured")


def test_a_ratio_without_an_interval_takes_the_place_of_fp32_for_nothing():
    ship, why = choose("latency", "accuracy", with_ratios(int8_static=0.95, int8_dynamic=0.6))
    assert ship.name == "fp32"
    assert "int8-dynamic, int8-static without an interval, so not preferred to it" in why
    ship, why = choose(
        "latency", "accuracy", with_ratios(int8_static=0.5, int8_dynamic=known(0.8, 0.85, 0.9))
    )
    assert ship.name == "int8-dynamic"
    assert "int8-static without an interval" in why


def test_a_choice_that_no_interval_supports_says_so():
    without = [s for s in with_ratios(int8_static=0.95, int8_dynamic=0.9) if s.name != "fp32"]
    ship, why = choose("latency", "accuracy", without)
    assert ship.name == "int8-dynamic"
    assert "by figures without an interval" in why
    assert "takes at least 8 processes, there were 6" in why
    assert "another may be better" in why


def sized(**sizes):
    """The variants with these files and the same figure each, which overlap."""
    found = []
    for subject in subjects():
        score = known(0.8, 0.9, 0.95)
        figures = dataclasses.replace(
            subject.figures, file_bytes=sizes[subject.name.replace("-", "_")]
        )
        quality = subject.quality.model_copy(update={"score": score})
        found.append(dataclasses.replace(subject, figures=figures, quality=quality))
    return found


@pytest.mark.parametrize(
    ("fp32", "ships"),
    [(1020, "fp32"), (1021, "int8-dynamic"), (1000, "fp32"), (5000, "int8-dynamic")],
)
def test_files_within_two_percent_are_of_one_size_and_the_plainest_ships(fp32, ships):
    ready = sized(fp32=fp32, int8_dynamic=1000, int8_static=3000)
    assert [one.name for one in ready] == ["fp32", "int8-dynamic", "int8-static"]
    ship, why = choose("accuracy", "mAP", ready)
    assert ship.name == ships
    others = ", ".join(one.name for one in ready if one.name != ships)
    assert why == (
        f"{ships} is inside every budget; in mAP its interval overlaps that of {others}, and no "
        "file of these is smaller by more than 2 %"
    )


@pytest.mark.parametrize(("high", "ships"), [(0.9, "int8-dynamic"), (0.89, "int8-static")])
def test_intervals_that_touch_overlap(high, ships):
    ready = sized(fp32=4000, int8_dynamic=1000, int8_static=3000)
    scores = {"fp32": known(0.5, 0.6, 0.7), "int8-dynamic": known(0.85, 0.88, high),
              "int8-static": known(0.9, 0.95, 1.0)}  # fmt: skip
    ready = [
        dataclasses.replace(one, quality=one.quality.model_copy(update={"score": scores[one.name]}))
        for one in ready
    ]
    ship, why = choose("accuracy", "accuracy", ready)
    assert ship.name == ships
    if ships == "int8-static":
        assert why == "int8-static is inside every budget, the best of 3 in accuracy"


def test_a_choice_by_size_says_so_and_names_no_ratio():
    ship, why = choose("size", "accuracy", sized(fp32=3000, int8_dynamic=2000, int8_static=1000))
    assert (ship.name, why) == (
        "int8-static",
        "int8-static is inside every budget, the best of 3 in size",
    )


@pytest.mark.parametrize(("kind", "ships"), [("declared", "int8-static"), ("measured", "fp32")])
def test_a_declared_energy_is_compared_without_its_interval_and_a_measured_one_with_it(kind, ships):
    """All files share the declared prices, so that an interval of them tells no two apart."""
    found = []
    for subject in subjects():
        static = subject.name == "int8-static"
        energy = Estimate(*((1.0, 0.5, 2.5) if static else (2.0, 1.0, 5.0)), "t", 9, kind=kind)
        size = 900 if static else 500 if subject.name == "fp32" else 800
        figures = dataclasses.replace(subject.figures, energy_uj=energy, file_bytes=size)
        found.append(dataclasses.replace(subject, figures=figures))
    assert choose("energy", "accuracy", found)[0].name == ships


def test_a_model_whose_energy_is_unknown_is_not_preferred():
    found = []
    for subject in subjects():
        energy = Estimate.unknown("no meter") if subject.name == "fp32" else known(1.0, 1.5, 2.0)
        figures = dataclasses.replace(subject.figures, energy_uj=energy)
        found.append(dataclasses.replace(subject, figures=figures))
    ship, why = choose("energy", "accuracy", found)
    assert ship.name != "fp32"
    assert why.endswith("; fp32 without an interval, so not preferred to it")


def test_an_energy_that_is_declared_is_named_as_such():
    assert "by the declared model" in choose("energy", "accuracy", subjects())[1]


def test_one_ready_variant_ships_without_a_comparison():
    only = subjects()[:1]
    assert choose("latency", "accuracy", only) == (only[0], "fp32 is inside every budget")
    assert preferred("accuracy", "mAP") == "mAP"


def test_the_reason_names_a_few_variants_however_many_there_are():
    some = [s for s in subjects() if s.name != "fp32"]
    many = [
        dataclasses.replace(
            some[0],
            quality=some[0].quality.model_copy(update={"name": f"v{index}"}),
            figures=dataclasses.replace(some[0].figures, name=f"v{index}"),
            time_over_fp32=known(0.5 + index / 100, 0.55 + index / 100, 0.6 + index / 100),
        )
        for index in range(12)
    ]
    ship, why = choose("latency", "accuracy", many)
    assert ship.name == "v0"
    assert "its interval overlaps that of v1, v2 and 8 others" in why
    assert why.endswith(", and 9 more in the report")
    assert why.count("the latency of fp32") == 3
