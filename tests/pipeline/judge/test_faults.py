"""A fault of a variant is one of every variant that was made from it."""

import pytest
import report_example
from edgestill.pipeline.judge import faults
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import Steadiness

UNSTEADY = Steadiness(samples=64, again=0.9, session=0.9, alone=None)
STEADY = Steadiness(samples=64, again=0.0, session=0.0, alone=0.0)


def quality_with(**changes):
    """The example's quality with other fields of some variants."""
    report = report_example.report()
    named = {name.replace("_", "-"): fields for name, fields in changes.items()}
    variants = tuple(
        variant.model_copy(update=named.get(variant.name, {}))
        for variant in report.quality.variants
    )
    return report.quality.model_copy(update={"variants": variants}), report


def judged(**changes):
    quality, report = quality_with(**changes)
    verdict = judge(Gate(min_accuracy=0.01), quality, report.measured)
    return verdict, {variant.name: variant for variant in verdict.variants}


def broken_parity():
    fp32 = report_example.report().quality.variants[0]
    return tuple(p.model_copy(update={"max_abs_difference": 5.63}) for p in fp32.parity)


@pytest.mark.promise("A fault of fp32 makes every variant that was made from it NOT READY")
def test_a_fault_of_fp32_condemns_every_variant_made_from_it_and_is_the_reason():
    verdict, variants = judged(fp32={"parity": broken_parity()})
    assert verdict.outcome == "not ready"
    assert {variant.outcome for variant in variants.values()} == {"not ready"}
    for name in ("int8-static", "int8-dynamic"):
        assert variants[name].faults == (
            "made from fp32, which differs from PyTorch by 5.63 (at most 0.0001) at batch 1, "
            "optimization none",
        )


def test_a_checker_complaint_and_unsteady_answers_are_handed_on_too():
    for fields in ({"checker": "no such operator"}, {"steadiness": UNSTEADY}):
        _, variants = judged(fp32=fields)
        (fault,) = variants["int8-static"].faults
        assert fault == f"made from fp32, which {variants['fp32'].faults[0]}"


def test_a_fault_is_followed_through_every_file_in_between():
    quality, _ = quality_with(fp32={"checker": "broken"}, int8_static={"made_from": "int8-dynamic"})
    variants = {variant.name: variant for variant in quality.variants}
    assert faults.of(variants["int8-static"], variants) == (
        "made from fp32, which onnx.checker: broken",
    )


def test_a_fault_goes_to_what_was_made_from_it_and_no_other_way():
    verdict, variants = judged(
        int8_dynamic={"steadiness": UNSTEADY}, int8_static={"made_from": "int8-dynamic"}
    )
    assert variants["fp32"].outcome == "ready"
    assert [bool(variants[name].faults) for name in ("int8-dynamic", "int8-static")] == [True, True]
    assert verdict.ship == "fp32"


def test_a_file_of_its_own_training_is_not_condemned_by_fp32():
    _, variants = judged(fp32={"checker": "broken"}, int8_static={"made_from": None})
    assert variants["int8-static"].outcome == "ready"


def test_a_circle_of_names_in_a_damaged_record_ends():
    quality, _ = quality_with(
        int8_static={"made_from": "int8-dynamic"}, int8_dynamic={"made_from": "int8-static"}
    )
    assert faults.by_variant(quality) == {}


@pytest.mark.parametrize("other", ["ready", "not ready"])
def test_steadiness_that_was_not_recorded_is_undecided_unless_it_fails_anyway(other):
    report = report_example.report()
    quality, _ = quality_with(fp32={"steadiness": None})
    least = 0.01 if other == "ready" else 0.9999
    verdict = judge(Gate(min_accuracy=least), quality, report.measured)
    fp32 = verdict.variants[0]
    assert fp32.outcome == ("undecided" if other == "ready" else "not ready")
    assert fp32.unknown == (faults.NOT_RECORDED,)


def test_only_what_has_a_fault_is_listed():
    quality, _ = quality_with(int8_static={"steadiness": UNSTEADY})
    assert list(faults.by_variant(quality)) == ["int8-static"]
    assert faults.own(quality.variants[0].model_copy(update={"steadiness": STEADY})) == ()


def test_the_first_fault_of_each_file_in_between_is_handed_on_the_nearest_first():
    quality, _ = quality_with(
        fp32={"checker": "broken"},
        int8_dynamic={"made_from": "fp32", "checker": "bad", "steadiness": UNSTEADY},
        int8_static={"made_from": "int8-dynamic", "checker": "own"},
    )
    variants = {variant.name: variant for variant in quality.variants}
    first = UNSTEADY.faults[0]
    assert faults.of(variants["int8-static"], variants) == (
        "onnx.checker: own",
        f"made from int8-dynamic, which {first}",
        "made from fp32, which onnx.checker: broken",
    )


def test_a_file_made_of_one_that_is_not_in_the_record_has_its_own_faults_alone():
    quality, _ = quality_with(int8_static={"made_from": "gone", "checker": "own"})
    variants = {variant.name: variant for variant in quality.variants}
    assert faults.of(variants["int8-static"], variants) == ("onnx.checker: own",)


def test_own_faults_are_of_answers_then_parity_then_the_checker():
    quality, _ = quality_with(
        fp32={"steadiness": UNSTEADY, "parity": broken_parity()[:2], "checker": "bad"}
    )
    found = faults.own(quality.variants[0])
    count = len(UNSTEADY.faults)
    assert found[:count] == UNSTEADY.faults
    assert found[count:] == (
        "differs from PyTorch by 5.63 (at most 0.0001) at batch 1, optimization none",
        "differs from PyTorch by 5.63 (at most 0.0001) at batch 1, optimization all",
        "onnx.checker: bad",
    )
    assert faults.unknown(quality.variants[0]) == ()
