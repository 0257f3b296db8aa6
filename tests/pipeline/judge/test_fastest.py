"""The fastest variant that is shown to be correct, over all runtimes."""

import dataclasses

import runtimes_example
from edgestill.pipeline.judge.fastest import fastest
from edgestill.pipeline.recipe.gate import Gate


def found(whole=None, **budgets):
    gate = Gate(**(budgets or {"min_accuracy": 0.9}))
    whole = runtimes_example.several(gate, whole)
    return fastest(whole.quality, whole.measured, whole.verdict)


def test_the_lowest_ratio_to_fp32_is_the_fastest():
    best = found()
    assert best.name == "int8-static@litert"
    assert best.equals == ()
    assert best.time_over_fp32.value < 0.4


def test_budgets_of_time_memory_and_size_do_not_matter():
    assert found(max_size_kib=1.0).name == "int8-static@litert"


def test_a_budget_of_answers_does():
    """int8-static has 437 of 450 right, the others more."""
    assert found(min_accuracy=0.999) is None


def test_a_fault_is_no_correct_variant():
    whole = runtimes_example.several()
    variants = tuple(
        one.model_copy(update={"faults": ("it differs",)}) if "static@litert" in one.name else one
        for one in whole.verdict.variants
    )
    verdict = whole.verdict.model_copy(update={"variants": variants})
    best = fastest(whole.quality, whole.measured, verdict)
    assert best.name == "fp32@litert"


def test_what_is_not_shown_to_be_slower_is_named():
    whole = runtimes_example.several()
    ratios = tuple(
        dataclasses.replace(one, p50=dataclasses.replace(one.p50, low=None, high=None))
        if one.of == "fp32@litert"
        else one
        for one in whole.measured.benchmark.ratios
    )
    bench = dataclasses.replace(whole.measured.benchmark, ratios=ratios)
    measured = whole.measured.model_copy(update={"benchmark": bench})
    best = fastest(whole.quality, measured, whole.verdict)
    assert (best.name, best.equals) == ("int8-static@litert", ("fp32@litert",))
