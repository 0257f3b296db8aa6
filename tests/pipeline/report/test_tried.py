"""What a run has tried already."""

import pytest
import verdict_examples
from edgestill.pipeline.report import tried


def state(report):
    return tried.state_of(report, report.verdict.variants[0])


def with_kernels(kernels):
    report = verdict_examples.judged()
    plan = report.variants.plan.model_copy(update={"kernels": kernels})
    variants = report.variants.model_copy(update={"plan": plan})
    return report.model_copy(update={"variants": variants})


@pytest.mark.parametrize(
    ("kernels", "saturates"),
    [("avx2", True), ("avx512", True), ("avx512_vnni", False), ("neon_dotprod", False)],
)
def test_kernels_that_saturate_are_known_by_their_family(kernels, saturates):
    assert state(with_kernels(kernels)).saturates == saturates


def test_the_teacher_is_short_only_of_a_budget_of_its_own_score():
    assert state(verdict_examples.judged(min_accuracy=0.999)).teacher_short
    assert not state(verdict_examples.judged(min_accuracy=0.985)).teacher_short
    assert not state(verdict_examples.judged(max_drop_vs_teacher=-0.9)).teacher_short


def test_a_recipe_that_this_version_does_not_read_is_unknown():
    report = verdict_examples.judged().model_copy(update={"recipe": {"name": "x", "odd": 1}})
    assert tried.recipe_of(report) is None
    assert state(report) is None
