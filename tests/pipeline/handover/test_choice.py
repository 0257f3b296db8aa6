"""Which packages are handed over: what ships, or what is READY in the formats asked for."""

import pytest
import run_example
import runtimes_example
from edgestill.errors import MaterialError
from edgestill.pipeline.handover.choice import NothingReadyError, chosen
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import NotCarried


def names(pairs):
    return [pair.package.model.name for pair in pairs]


def test_without_formats_it_is_what_ships_in_all_its_formats():
    report = run_example.report(ship="int8-static")
    assert names(chosen(report, (), inspection=False)) == ["int8-static.onnx", "int8-static.ort"]


def test_what_was_measured_stands_first_and_only_that_has_figures():
    pairs = chosen(run_example.report(), (), inspection=False)
    assert [pair.measured for pair in pairs] == [True, False]


def test_with_formats_it_is_every_ready_variant_in_them_what_ships_first():
    report = run_example.report(ship="int8-static")
    pairs = chosen(report, ("onnx",), inspection=False)
    assert names(pairs) == ["int8-static.onnx", "fp32.onnx"]  # int8-dynamic is undecided


def test_formats_come_in_the_order_asked_for_and_each_once():
    report = run_example.report()
    pairs = chosen(report, ("ort", "onnx", "ort"), inspection=False)
    assert [pair.package.format for pair in pairs] == ["ort", "ort", "onnx", "onnx"]


def test_the_teacher_is_not_handed_over():
    pairs = chosen(run_example.report(), ("onnx",), inspection=True)
    assert "teacher" not in {pair.variant.name for pair in pairs}


@pytest.mark.parametrize(("outcome", "code"), [("not ready", 1), ("undecided", 5)])
def test_where_nothing_ships_it_is_refused_with_the_code_of_the_verdict(outcome, code):
    report = run_example.report(outcome=outcome, ship=None)
    with pytest.raises(NothingReadyError, match="--inspect") as refused:
        chosen(report, (), inspection=False)
    assert refused.value.exit_code == code


def test_for_inspection_it_is_the_variant_nearest_to_the_budgets():
    report = run_example.report(outcome="not ready", ship=None)
    assert names(chosen(report, (), inspection=True)) == ["fp32.onnx", "fp32.ort"]


def with_verdicts(report, **changes):
    """The report with other outcomes of variants."""
    variants = tuple(
        one.model_copy(update={"outcome": changes.get(one.name.replace("-", "_"), one.outcome)})
        for one in report.verdict.variants
    )
    return report.model_copy(
        update={"verdict": report.verdict.model_copy(update={"variants": variants})}
    )


def test_a_format_of_which_nothing_is_ready_is_refused():
    report = with_verdicts(
        run_example.report(), fp32="not ready", int8_dynamic="not ready", int8_static="not ready"
    )
    with pytest.raises(NothingReadyError, match="no READY package in the format 'ort'"):
        chosen(report, ("ort",), inspection=False)
    assert len(chosen(report, ("ort",), inspection=True)) == 3


def test_a_package_that_answers_otherwise_is_left_out_though_its_variant_is_ready():
    report = run_example.report()
    variants = [
        one.model_copy(
            update={
                "packages": tuple(
                    p.model_copy(update={"outcome": "not ready"}) if p.format == "ort" else p
                    for p in one.packages
                )
            }
        )
        if one.name == "fp32"
        else one
        for one in report.verdict.variants
    ]
    verdict = report.verdict.model_copy(update={"variants": tuple(variants)})
    report = report.model_copy(update={"verdict": verdict})
    assert names(chosen(report, ("ort",), inspection=False)) == ["int8-static.ort"]


def test_a_format_that_the_run_lacks_is_said_with_the_reason():
    report = run_example.report()
    absent = NotCarried(variant="fp32", format="litert", reason="its softmax")
    variants = report.variants.model_copy(update={"not_carried": (absent,)})
    report = report.model_copy(update={"variants": variants})
    with pytest.raises(MaterialError, match=r"'litert' \(its softmax\); build it with"):
        chosen(report, ("litert",), inspection=False)
    with pytest.raises(MaterialError, match="'flac'; choose from onnx, ort"):
        chosen(report, ("flac",), inspection=False)


def test_what_the_app_does_not_take_is_refused_with_the_reason():
    gate = Gate(min_accuracy=0.9, runtimes=("onnx",))
    report = runtimes_example.several(gate)
    with pytest.raises(NothingReadyError, match="may ship: the app does not take litert"):
        chosen(report, ["litert"], inspection=False)
    assert names(chosen(runtimes_example.several(), ["litert"], inspection=False))
