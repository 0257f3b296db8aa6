"""The verdict on each format of a variant: measured, compared, or only delivered."""

import pytest
import report_example
from edgestill.pipeline.judge.packages import faults, verdicts


def with_package(**changes):
    """The quality of fp32 whose other format has these fields."""
    quality = report_example.report().quality.variants[0]
    package = quality.packages[0].model_copy(update=changes)
    return quality.model_copy(update={"packages": (package,)})


def outcome_of(quality, **budgets):
    return verdicts(quality, budgets, "ready")[1].outcome


def test_what_was_measured_has_the_verdict_of_its_variant():
    quality = with_package()
    for outcome in ("ready", "not ready", "undecided"):
        onnx = verdicts(quality, {}, outcome)[0]
        assert (onnx.format, onnx.outcome) == ("onnx", outcome)


def test_a_format_whose_answers_are_of_other_kernels_is_undecided():
    assert outcome_of(with_package(answers_hold=False), min_accuracy=0.5) == "undecided"


@pytest.mark.parametrize(
    ("budgets", "outcome"),
    [({"min_accuracy": 0.5}, "ready"), ({"min_accuracy": 0.5, "max_p90_ms": 1.0}, "undecided")],
)
def test_a_format_with_the_answers_of_its_target_is_decided_without_figures(budgets, outcome):
    assert outcome_of(with_package(answers_hold=True), **budgets) == outcome


def test_a_format_that_cannot_run_here_is_undecided_and_no_fault():
    quality = with_package(agreement=None, max_abs_difference=None, missing="no such runtime")
    assert list(faults(quality)) == []
    package = verdicts(quality, {}, "ready")[1]
    assert (package.outcome, package.why) == (
        "undecided",
        "not run on this machine: no such runtime",
    )


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"max_abs_difference": 0.5}, ".ort differs from .onnx by 0.5"),
        ({"agreement": 0.9}, ".ort answers as .onnx in only 90.0% of test"),
    ],
)
def test_a_format_that_answers_otherwise_is_a_fault(changes, fault):
    quality = with_package(answers_hold=True, **changes)
    assert list(faults(quality)) == [fault]
    assert outcome_of(quality) == "not ready"


def test_a_format_may_differ_by_the_tolerance_and_agree_as_little_as_it_has_to():
    tolerance = with_package().parity[0].tolerance
    least = with_package().packages[0].least_agreement
    at_most = with_package(answers_hold=True, max_abs_difference=tolerance, agreement=least)
    assert list(faults(at_most)) == []
    onnx, other = verdicts(at_most, {}, "ready")
    assert (onnx.why, other.format) == ("measured and judged", "ort")
    assert other.why == f"the same answers as .onnx on {least:.1%} of test"
    # Without a torch model to hold it against there is no tolerance, and only answers count.
    bare = with_package(answers_hold=True, max_abs_difference=9.0, agreement=1.0)
    bare = bare.model_copy(update={"parity": ()})
    assert list(faults(bare)) == []


@pytest.mark.parametrize("changes", [{"agreement": None}, {"max_abs_difference": None}])
def test_a_format_without_one_of_its_figures_has_no_fault(changes):
    assert (
        list(faults(with_package(**{"max_abs_difference": 9.0, "agreement": 0.1, **changes}))) == []
    )


def test_what_was_not_measured_of_a_format_is_named():
    budgets = {"max_p90_ms": 1.0, "min_accuracy": 0.5, "max_size_kib": 9.0, "min_macro_f1": 0.1}
    other = verdicts(with_package(answers_hold=True), budgets, "ready")[1]
    assert (other.outcome, other.why) == ("undecided", "not measured for max_p90_ms, max_size_kib")
    kernels = verdicts(with_package(answers_hold=False), {}, "ready")[1]
    assert kernels.why == (
        "compared with .onnx by its answers, which are not those of the target's kernels; measure "
        "it on the target"
    )
    (fault,) = faults(with_package(max_abs_difference=9.0))
    assert verdicts(with_package(max_abs_difference=9.0), {}, "ready")[1].why == fault


@pytest.mark.parametrize(
    ("name", "measured"),
    [("fp32", "onnx"), ("int8-static@litert", "litert"), ("fp32@openvino", "openvino")],
)
def test_what_was_measured_is_called_by_its_format(name, measured):
    quality = with_package().model_copy(update={"name": name})
    first, other = verdicts(quality, {}, "undecided")
    assert (first.format, first.outcome, first.why) == (
        measured,
        "undecided",
        "measured and judged",
    )
    assert other.format == "ort"


def test_every_format_has_a_verdict_and_each_that_differs_is_a_fault():
    one = with_package(answers_hold=True).packages[0]
    kinds = {
        "same": {},
        "far": {"max_abs_difference": 9.0},
        "few": {"agreement": 0.5},
        "none": {"missing": "no runtime", "agreement": None, "max_abs_difference": None},
    }
    packages = tuple(one.model_copy(update={"format": k, **v}) for k, v in kinds.items())
    quality = with_package().model_copy(update={"packages": packages})
    found = verdicts(quality, {"min_accuracy": 0.5}, "ready")
    assert [(each.format, each.outcome) for each in found] == [
        ("onnx", "ready"), ("same", "ready"), ("far", "not ready"), ("few", "not ready"),
        ("none", "undecided"),
    ]  # fmt: skip
    assert list(faults(quality)) == [
        ".far differs from .onnx by 9",
        ".few answers as .onnx in only 50.0% of test",
    ]


def test_of_two_levels_of_the_optimizer_the_first_gives_the_tolerance():
    parity = with_package().parity
    first = parity[0].model_copy(update={"tolerance": 1.0})
    rest = [each.model_copy(update={"tolerance": 0.1}) for each in parity[1:]]
    quality = with_package(answers_hold=True, max_abs_difference=0.5, agreement=1.0)
    assert list(faults(quality.model_copy(update={"parity": (first, *rest)}))) == []
    assert len(list(faults(quality.model_copy(update={"parity": (rest[0], first)})))) == 1
