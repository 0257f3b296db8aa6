"""The gate: whole intervals against budgets; unknown is never a pass."""

import dataclasses
import math

import pytest
import report_example
from edgestill.devices.stats import Estimate
from edgestill.pipeline.gate import EXIT_CODES, check, judge
from edgestill.pipeline.recipe import Gate
from edgestill.pipeline.records import BenchmarkRecord


def figure(value, low, high):
    return Estimate(value, low, high, "test", 9)


@pytest.mark.parametrize(
    ("key", "budget", "found", "outcome"),
    [
        ("max_p90_ms", 1.0, figure(0.8, 0.7, 0.9), "ready"),
        ("max_p90_ms", 1.0, figure(0.9, 0.8, 1.0), "ready"),
        ("max_p90_ms", 1.0, figure(0.9, 0.8, 1.1), "undecided"),
        ("max_p90_ms", 1.0, figure(1.1, 0.9, 1.2), "undecided"),
        ("max_p90_ms", 1.0, figure(1.3, 1.1, 1.5), "not ready"),
        ("min_accuracy", 0.9, figure(0.95, 0.91, 0.97), "ready"),
        ("min_accuracy", 0.9, figure(0.95, 0.89, 0.97), "undecided"),
        ("min_accuracy", 0.9, figure(0.8, 0.7, 0.85), "not ready"),
        ("max_drop_vs_fp32", -0.01, figure(-0.02, -0.03, -0.015), "ready"),
        ("max_p99_ms", 1.0, Estimate.unknown("too few queries"), "undecided"),
        ("max_p90_ms", 1.0, Estimate(0.1, None, None, "t", 1, "one process"), "undecided"),
        ("max_p90_ms", 1.0, figure(math.nan, 0.1, 0.2), "not ready"),
        ("max_p90_ms", 1.0, figure(0.1, 0.1, math.nan), "not ready"),
        ("max_p90_ms", 1.0, figure(0.1, -math.inf, 0.2), "not ready"),
        ("min_accuracy", 0.5, figure(math.nan, math.nan, math.nan), "not ready"),
    ],
)
def test_a_budget_is_met_only_by_a_whole_known_interval(key, budget, found, outcome):
    judged = check_or_refuse(key, budget, found)
    assert judged == outcome


def check_or_refuse(key, budget, found):
    """A record takes no NaN at all; the comparison behind it calls it not ready."""
    from edgestill.pipeline.gate import _compare

    if found.value is None or all(
        math.isfinite(v) for v in (found.value, found.low, found.high) if v is not None
    ):
        return check(key, budget, found).outcome
    return _compare(key.startswith("min_"), budget, found)[0]


def judged(**budgets):
    report = report_example.report()
    return judge(
        Gate(**budgets), report.quality, BenchmarkRecord(benchmark=report.benchmark)
    ), report


def test_the_ready_variant_best_in_the_preferred_figure_ships():
    by_latency, report = judged(min_accuracy=0.01, prefer="latency")
    by_size, _ = judged(min_accuracy=0.01, prefer="size")
    figures = {m.name: m for m in report.benchmark.models if m.name != "teacher"}
    fastest = min(figures.values(), key=lambda m: m.p50_ms.value)
    equals = [m for m in figures.values() if m.p50_ms.low <= fastest.p50_ms.high]
    assert by_latency.ship == min(equals, key=lambda m: m.file_bytes).name
    assert by_size.ship == min(figures, key=lambda n: figures[n].file_bytes)
    assert by_latency.outcome == "ready"


def test_no_variant_ships_where_a_budget_is_missed_and_the_reason_names_it():
    verdict, _ = judged(max_size_kib=0.001)
    assert (verdict.outcome, verdict.ship) == ("not ready", None)
    assert "max_size_kib" in verdict.why


def test_an_undecided_variant_makes_the_verdict_undecided_and_its_exit_code_five():
    verdict, report = judged(min_accuracy=report_example.report().quality.variants[0].score.value)
    assert verdict.outcome == "undecided"
    assert EXIT_CODES[verdict.outcome] == 5
    assert report.quality.variants[0].score.low < verdict.variants[0].checks[0].budget


def test_a_file_that_differs_from_pytorch_never_ships_whatever_the_budgets():
    report = report_example.report()
    fp32 = report.quality.variants[0]
    parity = tuple(
        p.model_copy(update={"max_abs_difference": 10 * p.tolerance}) for p in fp32.parity
    )
    assert parity, "the example's fp32 carries parity"
    wrong = fp32.model_copy(update={"parity": parity})
    quality = report.quality.model_copy(update={"variants": (wrong, *report.quality.variants[1:])})
    verdict = judge(Gate(min_accuracy=0.01), quality, BenchmarkRecord(benchmark=report.benchmark))
    assert verdict.variants[0].outcome == "not ready"
    assert "PyTorch" in verdict.variants[0].faults[0]
    assert verdict.ship != "fp32"


def test_a_missing_latency_never_wins_the_preference():
    report = report_example.report()
    models = tuple(
        dataclasses.replace(m, p50_ms=Estimate.unknown("lost")) if m.name == "fp32" else m
        for m in report.benchmark.models
    )
    bench = dataclasses.replace(report.benchmark, models=models)
    verdict = judge(Gate(min_accuracy=0.01), report.quality, BenchmarkRecord(benchmark=bench))
    assert verdict.ship not in (None, "fp32")


def test_of_variants_that_intervals_cannot_tell_apart_the_smallest_file_ships():
    report = report_example.report()
    p50 = {"fp32": figure(1.0, 0.9, 1.1), "int8-dynamic": figure(1.05, 1.0, 1.2)}
    models = tuple(
        dataclasses.replace(m, p50_ms=p50.get(m.name, figure(5.0, 4.0, 6.0)))
        for m in report.benchmark.models
    )
    sizes = {m.name: m.file_bytes for m in models}
    bench = dataclasses.replace(report.benchmark, models=models)
    verdict = judge(Gate(min_accuracy=0.01), report.quality, BenchmarkRecord(benchmark=bench))
    assert verdict.ship == min(p50, key=sizes.__getitem__)
    assert "cannot be told" in verdict.why


def test_the_reason_parts_what_fails_from_what_is_undecided():
    accuracy = report_example.report().quality.variants[0].score.value
    verdict, _ = judged(min_accuracy=accuracy, max_size_kib=0.001)
    assert "fails max_size_kib and cannot be decided on min_accuracy" in verdict.why


def test_agreement_is_judged_by_the_share_of_test_answered_as_the_teacher():
    report = report_example.report()
    agreements = {q.name: q.agreement_with_teacher for q in report.quality.variants}
    low = min(figure.low for figure in agreements.values())
    verdict, _ = judged(min_agreement=low)
    assert verdict.outcome == "ready"
    for variant in verdict.variants:
        (one,) = variant.checks
        assert one.figure == agreements[variant.name]
    above = max(figure.high for figure in agreements.values())
    assert above < 1.0
    assert judged(min_agreement=(1.0 + above) / 2)[0].outcome == "not ready"


def with_quality(report, **figures):
    """The same report with figures of every variant replaced; judged by what it then has."""
    variants = tuple(v.model_copy(update=figures) for v in report.quality.variants)
    return report.quality.model_copy(update={"variants": variants})


def judged_by(report, quality, **budgets):
    return judge(Gate(**budgets), quality, BenchmarkRecord(benchmark=report.benchmark))


@pytest.mark.parametrize(
    ("budget", "outcome"), [(0.85, "ready"), (0.9, "undecided"), (0.96, "not ready")]
)
@pytest.mark.parametrize("metric", ["mAP", "R²", "cosine"])
def test_a_score_is_judged_by_the_tasks_own_metric(metric, budget, outcome):
    report = report_example.report()
    quality = with_quality(report, score=figure(0.91, 0.86, 0.95))
    quality = quality.model_copy(update={"metric": metric})
    verdict = judged_by(report, quality, min_score=budget)
    assert verdict.outcome == outcome
    (one,) = verdict.variants[0].checks
    assert (one.key, one.figure) == ("min_score", quality.variants[0].score)


def test_a_score_may_be_negative_as_r_squared_is():
    report = report_example.report()
    quality = with_quality(report, score=figure(-0.2, -0.3, -0.1))
    assert judged_by(report, quality, min_score=-0.5).outcome == "ready"
    assert judged_by(report, quality, min_score=0.0).outcome == "not ready"


@pytest.mark.parametrize(
    ("budget", "outcome"), [(0.2, "ready"), (0.1, "undecided"), (0.02, "not ready")]
)
def test_the_worst_hit_class_is_judged_and_not_the_mean(budget, outcome):
    report = report_example.report()
    lost = report.quality.variants[0].fidelity
    fidelity = lost.model_copy(update={"worst_drop": figure(0.1, 0.05, 0.2)})
    quality = with_quality(report, fidelity=fidelity, drop_vs_teacher=figure(0.0, 0.0, 0.0))
    verdict = judged_by(report, quality, max_worst_class_drop=budget)
    assert verdict.outcome == outcome
    assert judged_by(report, quality, max_drop_vs_teacher=0.02).outcome == "ready"


@pytest.mark.parametrize(
    "fidelity_of",
    [
        lambda lost: None,
        lambda lost: lost.model_copy(update={"worst_drop": Estimate.unknown("no classes")}),
    ],
    ids=["nobody knows the teacher's answers", "the task has no classes"],
)
def test_a_worst_class_that_is_not_known_is_never_a_pass(fidelity_of):
    report = report_example.report()
    quality = with_quality(report, fidelity=fidelity_of(report.quality.variants[0].fidelity))
    verdict = judged_by(report, quality, max_worst_class_drop=1.0)
    assert (verdict.outcome, verdict.ship) == ("undecided", None)
    assert "not measured: " in verdict.variants[0].checks[0].why


def test_a_preferred_score_is_called_by_its_name():
    report = report_example.report()
    quality = report.quality.model_copy(update={"metric": "R²"})
    found = judged_by(report, quality, min_score=0.01, prefer="accuracy")
    assert " in R²" in found.why
    assert "accuracy" not in found.why
