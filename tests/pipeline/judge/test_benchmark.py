"""The benchmark stage: what was measured of the built variants, and for how many queries."""

import pytest
from edgestill.pipeline.judge import benchmark
from edgestill.pipeline.judge.operators import figures_here


@pytest.mark.parametrize(("p50_ms", "runs"), [(None, 200), (0.01, 200), (10.0, 25), (1000.0, 5)])
def test_operators_are_timed_for_about_half_a_second(p50_ms, runs):
    assert benchmark._runs(p50_ms) == runs


def test_every_file_is_measured_beside_the_teacher_and_fp32(built):
    report = built[0].report
    measured = report.measured.benchmark
    assert [model.name for model in measured.models] == [v.name for v in report.variants.files]
    assert {ratio.over for ratio in measured.ratios} == {"teacher", "fp32"}
    assert measured.settings.confidence == benchmark.CONFIDENCE
    units = {model.p50_ms.unit for model in measured.models}
    kinds = {model.p50_ms.kind for model in measured.models}
    assert (units, kinds) == ({"ms"}, {"measured"})


def test_a_profile_gives_the_figures_of_its_machine_or_says_which_are_missing():
    figures = figures_here("raspberry-pi-4")
    assert isinstance(figures, str) or figures.value.fp32_op_s > 0
