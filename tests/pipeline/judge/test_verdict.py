"""Which variant is the nearest where none is READY, and what the verdict says of it."""

import dataclasses

import pytest
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge import gate
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import Check, Predicted, VariantVerdict

NOTHING = Estimate.unknown("nothing")


def check(outcome, key="max_p50_ms", why="so"):
    return Check(key=key, budget=1.0, figure=NOTHING, outcome=outcome, why=why)


def verdict(name, missed=0, undecided=0, faults=0, unknown=0):
    checks = [check("not ready")] * missed + [check("undecided")] * undecided + [check("ready")]
    return VariantVerdict(
        name=name,
        outcome="not ready",
        checks=tuple(checks),
        faults=tuple(f"fault {i}" for i in range(faults)),
        unknown=tuple(f"unknown {i}" for i in range(unknown)),
        packages=(),
    )


@pytest.mark.parametrize(
    ("first", "second", "nearest"),
    [
        ({"missed": 2}, {"missed": 1, "undecided": 5}, "second"),
        ({"missed": 1, "undecided": 2}, {"missed": 1, "undecided": 1}, "second"),
        ({"faults": 2}, {"missed": 1}, "second"),
        ({"missed": 1}, {"faults": 1, "missed": 1}, "first"),
        ({"missed": 1, "unknown": 1}, {"missed": 1}, "second"),
        ({"undecided": 1, "unknown": 1}, {"undecided": 1}, "second"),
        ({"missed": 1}, {"missed": 1}, "first"),
        ({"faults": 1}, {"missed": 1}, "first"),
    ],
)
def test_the_nearest_misses_least_and_then_leaves_least_undecided(first, second, nearest):
    both = [verdict("first", **first), verdict("second", **second)]
    assert gate._nearest(both).name == nearest


@pytest.mark.parametrize(
    ("checks", "faults", "unknown", "why"),
    [
        (
            [check("not ready", "max_a"), check("undecided", "max_b"), check("ready", "max_c")],
            ("it differs",),
            ("nobody knows",),
            "no variant is inside every budget; the nearest, v, fails max_a, it differs and cannot "
            "be decided on max_b, nobody knows",
        ),
        ([check("undecided", "max_b")], (), (), "no variant is inside every budget; the nearest, "
         "v, cannot be decided on max_b"),
        ([], ("it differs",), (), "no variant is inside every budget; the nearest, v, fails it "
         "differs"),
        (
            [check("not ready", "above_constant.min_accuracy", "no better than that")],
            (),
            (),
            "no variant may ship; the nearest, v, is no better than that",
        ),
        (
            [
                check("ready", "above_constant.min_accuracy", "better"),
                check("undecided", "above_constant.min_macro_f1", "not shown to be better"),
                check("not ready", "max_a"),
            ],
            (),
            (),
            "no variant is inside every budget; the nearest, v, fails max_a and is not shown to be "
            "better",
        ),
    ],
)  # fmt: skip
def test_the_reason_names_what_fails_then_what_is_undecided_then_the_constant_answer(
    checks, faults, unknown, why
):
    nearest = VariantVerdict(
        name="v", outcome="not ready", checks=tuple(checks), faults=faults, unknown=unknown,
        packages=(),
    )  # fmt: skip
    assert gate._why_not(nearest) == why


@pytest.mark.parametrize(
    ("budget", "outcome", "ship", "nearest"),
    [(1e9, "ready", "int8-static", "int8-static"), (1e-3, "not ready", None, "fp32")],
)
def test_a_verdict_names_what_ships_or_what_is_nearest_and_what_was_preferred(
    budget, outcome, ship, nearest
):
    report = report_example.report()
    found = gate.judge(Gate(max_size_kib=budget, prefer="size"), report.quality, report.measured)
    assert (found.outcome, found.ship, found.nearest) == (outcome, ship, nearest)
    assert found.prefer == "size"
    assert [one.name for one in found.variants] == [v.name for v in report.quality.variants]
    for one in found.variants:
        assert one.packages[0].outcome == one.outcome == outcome


def test_one_undecided_variant_makes_a_verdict_undecided_that_others_miss():
    report = report_example.report()
    accuracies = [v.score for v in report.quality.variants]
    first, *rest = report.quality.variants
    poor = Estimate(0.1, 0.05, 0.2, "t", 9, kind="measured")
    variants = (first, *(v.model_copy(update={"score": poor}) for v in rest))
    quality = report.quality.model_copy(update={"variants": variants})
    found = gate.judge(Gate(min_score=accuracies[0].value), quality, report.measured)
    assert [one.outcome for one in found.variants] == ["undecided", "not ready", "not ready"]
    assert (found.outcome, found.ship, found.nearest) == ("undecided", None, "fp32")


@pytest.mark.parametrize(
    ("key", "method", "why"),
    [
        ("max_energy_uj", "by a meter", "the whole interval is inside the budget; by a meter"),
        ("max_energy_uj", "", "the whole interval is inside the budget"),
        ("max_p50_ms", "by a clock", "the whole interval is inside the budget"),
    ],
)
def test_a_check_of_energy_says_how_it_was_found(key, method, why):
    found = Estimate(0.5, 0.4, 0.6, method, 9, kind="measured")
    one = gate.check(key, 1.0, found)
    assert (one.key, one.budget, one.figure, one.outcome, one.why) == (
        key,
        1.0,
        found,
        "ready",
        why,
    )
    other = dataclasses.replace(gate.BUDGETS[key], direction="at least", with_method=False)
    assert gate.check(key, 1.0, found, other).outcome == "not ready"


@pytest.mark.parametrize(
    ("on_target", "why"),
    [
        (None, "this run does not record whether it was measured on the device to ship to; build "
         "it again"),
        (False, "nothing was measured on board, only on host; measure it there"),
    ],
)  # fmt: skip
def test_a_budget_of_another_device_says_what_is_missing_and_what_to_do(on_target, why):
    measured = report_example.report().measured
    measured = measured.model_copy(
        update={"on_target": on_target, "target": "board", "predicted": ()}
    )
    one = gate.check_elsewhere("max_p90_ms", 2.0, "fp32", measured)
    assert (one.key, one.budget, one.outcome, one.why) == ("max_p90_ms", 2.0, "undecided", why)
    assert one.figure == Estimate.unknown(why.partition(";")[0])


PREDICTION = Predicted(
    name="fp32", target="board", device="Board", threads=1,
    p50_ms=Estimate(1.0, 0.5, 2.0, "PREDICTED", 0, unit="ms", kind="predicted"),
    call_us=0.0, spread=0.1, unroofed=0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("key", "name", "is_shown"),
    [
        ("max_p50_ms", "fp32", True),
        ("max_p90_ms", "fp32", False),
        ("max_p50_ms", "int8-static", False),
    ],
)
def test_a_prediction_is_shown_for_the_median_of_its_variant_and_decides_nothing(
    key, name, is_shown
):
    measured = report_example.report().measured.model_copy(
        update={
            "on_target": False, "target": "board", "measured_on": "desk",
            "predicted": (PREDICTION.model_copy(update={"name": "other"}), PREDICTION),
        }
    )  # fmt: skip
    one = gate.check_elsewhere(key, 100.0, name, measured)
    nothing = "nothing was measured on board, only on desk"
    assert (one.outcome, one.budget, one.key) == ("undecided", 100.0, key)
    if is_shown:
        assert one.figure == PREDICTION.p50_ms
        assert one.why == (
            f"PREDICTED, and {nothing}: a prediction decides nothing; measure it there"
        )
    else:
        assert one.figure == Estimate.unknown(nothing)
        assert one.why == f"{nothing}; measure it there"


def test_elsewhere_only_what_was_measured_on_the_machine_is_undecided():
    report = report_example.report()
    measured = report.measured.model_copy(update={"on_target": False, "target": "board"})
    budgets = {"max_p50_ms": 1e9, "max_peak_memory_mib": 1e9, "max_size_kib": 1e9}
    found = gate.judge(Gate(min_accuracy=0.01, **budgets), report.quality, measured)
    for variant in found.variants:
        outcomes = {one.key: one.outcome for one in variant.checks if one.budget}
        assert outcomes == {
            "max_p50_ms": "undecided", "max_peak_memory_mib": "undecided",
            "max_size_kib": "ready", "min_accuracy": "ready",
        }  # fmt: skip
        assert variant.outcome == "undecided"


def with_fp32(**fields):
    report = report_example.report()
    first, *rest = report.quality.variants
    variants = (first.model_copy(update=fields), *rest)
    return report.quality.model_copy(update={"variants": variants}), report.measured


def test_a_format_that_answers_otherwise_is_a_fault_of_its_variant():
    quality, measured = with_fp32()
    package = quality.variants[0].packages[0].model_copy(update={"max_abs_difference": 9.0})
    quality, measured = with_fp32(packages=(package,), checker="bad node")
    first, *rest = gate.judge(Gate(max_size_kib=1e9), quality, measured).variants
    assert first.outcome == "not ready"
    assert first.faults == ("onnx.checker: bad node", ".ort differs from .onnx by 9")
    assert [each.outcome for each in first.packages] == ["not ready", "not ready"]
    assert (first.name, [one.name for one in rest]) == ("fp32", ["int8-dynamic", "int8-static"])


def test_what_was_not_recorded_leaves_a_variant_undecided_unless_a_budget_is_missed():
    quality, measured = with_fp32(steadiness=None)
    for budget, outcome in ((1e9, "undecided"), (1e-3, "not ready")):
        first = gate.judge(Gate(max_size_kib=budget), quality, measured).variants[0]
        assert (first.outcome, len(first.unknown)) == (outcome, 1)


def test_checks_stand_in_the_order_of_the_gate_and_then_the_constant_answers():
    quality, measured = with_fp32()
    found = gate.judge(Gate(max_size_kib=1e9, min_macro_f1=0.1), quality, measured)
    (size, f1, *constants) = found.variants[0].checks
    assert {size.key, f1.key} == {"max_size_kib", "min_macro_f1"}
    assert [one.key for one in constants] == [
        "above_constant.min_accuracy",
        "above_constant.min_balanced_accuracy",
    ]
