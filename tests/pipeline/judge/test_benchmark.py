"""The benchmark stage: what was measured of the built variants, and for how many queries."""

import pytest
from edgestill.pipeline.judge import benchmark
from edgestill.pipeline.judge.operators import figures_here
from edgestill.pipeline.recipe.benchmark import Benchmark


@pytest.mark.parametrize(("p50_ms", "runs"), [(None, 200), (0.01, 200), (10.0, 25), (1000.0, 5)])
def test_operators_are_timed_for_about_half_a_second(p50_ms, runs):
    assert benchmark._runs(p50_ms) == runs


def test_every_file_is_measured_beside_the_teacher_and_fp32(built):
    report = built[0].report
    measured = report.measured.benchmark
    assert [model.name for model in measured.models] == [v.name for v in report.variants.files]
    assert {ratio.over for ratio in measured.ratios} == {"teacher", "fp32"}
    # One promise of 1 % for three files: a third each.
    assert measured.settings.confidence == pytest.approx(1.0 - 0.01 / 3)
    assert measured.settings.guarded
    units = {model.p50_ms.unit for model in measured.models}
    kinds = {model.p50_ms.kind for model in measured.models}
    assert (units, kinds) == ({"ms"}, {"measured"})


def test_a_profile_gives_the_figures_of_its_machine_or_says_which_are_missing():
    figures = figures_here("raspberry-pi-4")
    assert isinstance(figures, str) or figures.value.fp32_op_s > 0


def test_a_profile_without_figures_of_its_roof_says_so(tmp_path):
    path = tmp_path / "board.toml"
    path.write_text('title = "B"\narch = "aarch64"\nfeatures = ["neon"]\nsource = "s"\n')
    assert "has no fp32_gflop_s" in figures_here(str(path))


def test_a_tail_percentile_is_looked_at_where_it_can_be_decided_and_a_median_before():
    until = benchmark.until_decided({"max_p90_ms": 1.0, "max_peak_memory_mib": 9.0}, 0.99, 60.0)
    assert sorted(until.counts) == [16, 59]
    assert sorted(benchmark.until_decided({"max_p50_ms": 1.0}, 0.99, 60.0).counts) == [16]
    assert benchmark.until_decided({"max_peak_memory_mib": 9.0}, 0.99, 60.0).counts == ()
    assert benchmark.until_decided({}, 0.99, 60.0) is None


@pytest.mark.parametrize(
    ("budgets", "recipe", "queries"),
    [
        ({"max_p99_ms": 1.0}, {"processes": 9}, 74),
        ({"max_p99_ms": 1.0}, {}, 64),
        ({"max_p90_ms": 1.0}, {}, 64),
        ({"max_p99_ms": 1.0}, {"processes": 1}, 662),
        ({"max_p99_ms": 1.0}, {"min_queries": 10, "max_queries": 50}, 50),
        ({"max_p90_ms": 1.0}, {"min_queries": 1, "processes": 8}, 8),
        ({"max_size_kib": 1.0}, {"min_queries": 1, "processes": 1}, 1),
    ],
)
def test_a_process_times_the_queries_that_a_budgets_percentile_needs_of_all(
    budgets, recipe, queries
):
    wanted = Benchmark(**recipe)
    assert benchmark.fewest_queries(wanted, budgets) == queries
