"""The gate: whole intervals against budgets; unknown is never a pass."""

import dataclasses
import functools
import math

import pytest
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.onboard.stats.percentiles import percentile_over_processes
from edgestill.pipeline.judge import constant
from edgestill.pipeline.judge.budgets import BUDGETS, decided, hold, measured_budgets, undecided
from edgestill.pipeline.judge.gate import EXIT_CODES, check, judge
from edgestill.pipeline.judge.task_budgets import find
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.tasks import TASKS, of
from simulated import PERCENTILES, Machine, outcomes, unlikely


def figure(value, low, high):
    return Estimate(value, low, high, "test", 9, kind="measured")


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
        (
            "max_p90_ms",
            1.0,
            Estimate(0.1, None, None, "t", 1, "one process", kind="measured"),
            "undecided",
        ),
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
    from edgestill.pipeline.judge.budgets import hold

    if found.value is None or all(
        math.isfinite(v) for v in (found.value, found.low, found.high) if v is not None
    ):
        return check(key, budget, found, find(key, of("classification"), ())).outcome
    return hold(find(key, of("classification"), ()).direction, budget, found)[0]


def budgets_of(variant):
    return [check for check in variant.checks if not constant.is_one(check)]


def judged(**budgets):
    report = report_example.report()
    return judge(Gate(**budgets), report.quality, report.measured), report


def shipped(prefer="latency", without=(), sizes=None, **ratios):
    """The verdict where variants take these shares of fp32's time; fp32 is the largest file."""
    report = report_example.report()
    names = ["fp32", *(name.replace("_", "-") for name in ratios)]
    size = {"fp32": 1000} | dict.fromkeys(names[1:], 500) | (sizes or {})
    over = dict(zip(names[1:], ratios.values(), strict=True))
    models = tuple(
        dataclasses.replace(m, file_bytes=size.get(m.name, 900))
        for m in report.measured.benchmark.models
    )
    paired = tuple(
        dataclasses.replace(r, p50=over.get(r.of, figure(9.0, 8.0, 10.0)))
        for r in report.measured.benchmark.ratios
        if r.over == "fp32"
    )
    others = tuple(v for v in report.quality.variants if v.name in set(names) - set(without))
    bench = dataclasses.replace(report.measured.benchmark, models=models, ratios=paired)
    return judge(
        Gate(min_accuracy=0.01, prefer=prefer),
        report.quality.model_copy(update={"variants": others}),
        report.measured.model_copy(update={"benchmark": bench}),
    )


def test_the_ready_variant_with_the_lowest_paired_ratio_ships():
    verdict = shipped(int8_static=figure(0.7, 0.6, 0.8), int8_dynamic=figure(0.9, 0.85, 0.95))
    assert (verdict.outcome, verdict.ship) == ("ready", "int8-static")
    assert "int8-dynamic 0.90× the latency of fp32 (0.85 to 0.95)" in verdict.why
    assert "paired by repetition" in verdict.why


def test_the_smallest_file_ships_where_size_is_preferred_however_slow():
    assert shipped("size", int8_static=figure(1.5, 1.4, 1.6)).ship == "int8-static"


@pytest.mark.parametrize(
    ("ratio", "ships"),
    [
        (figure(0.99, 0.9, 1.1), "int8-static"),
        (figure(1.0, 0.9, 1.1), "int8-static"),
        (figure(1.34, 0.99, 1.5), "fp32"),
        (figure(1.01, 0.9, 1.2), "fp32"),
        (figure(1.34, 1.2, 1.5), "fp32"),
        (Estimate(0.9, None, None, "t", 2, "2 processes", kind="measured"), "fp32"),
        (Estimate(1.1, None, None, "t", 2, "2 processes", kind="measured"), "fp32"),
        (Estimate.unknown("not measured"), "fp32"),
        (figure(0.5, 0.4, 0.6), "int8-static"),
    ],
)
def test_a_variant_not_known_to_be_as_fast_takes_fp32s_place_for_no_size(ratio, ships):
    assert shipped(int8_static=ratio).ship == ships


def test_the_reason_says_what_fp32_was_preferred_to_and_by_which_ratio():
    verdict = shipped(int8_static=figure(1.34, 0.99, 1.5), int8_dynamic=figure(2.0, 1.8, 2.2))
    assert verdict.ship == "fp32"
    assert (
        "int8-static 1.34× the latency of fp32 (0.99 to 1.50, no difference shown)" in verdict.why
    )
    assert "int8-static: not known to be as fast as fp32" in verdict.why


def test_where_fp32_is_over_a_budget_the_rest_are_told_apart_by_their_ratios_alone():
    slow = {"int8_static": figure(1.2, 1.1, 1.3), "int8_dynamic": figure(1.25, 1.15, 1.4)}
    sizes = {"int8-static": 500, "int8-dynamic": 400}
    verdict = shipped(without=("fp32",), sizes=sizes, **slow)
    assert verdict.ship == "int8-dynamic"
    assert "not known to be as fast" not in verdict.why


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
    verdict = judge(Gate(min_accuracy=0.01), quality, report.measured)
    assert verdict.variants[0].outcome == "not ready"
    assert "PyTorch" in verdict.variants[0].faults[0]
    assert verdict.ship != "fp32"


def test_a_missing_latency_never_wins_the_preference():
    report = report_example.report()
    models = tuple(
        dataclasses.replace(m, p50_ms=Estimate.unknown("lost")) if m.name == "fp32" else m
        for m in report.measured.benchmark.models
    )
    bench = dataclasses.replace(report.measured.benchmark, models=models)
    verdict = judge(
        Gate(min_accuracy=0.01),
        report.quality,
        report.measured.model_copy(update={"benchmark": bench}),
    )
    assert verdict.ship not in (None, "fp32")


def test_of_variants_that_ratios_cannot_tell_apart_the_smallest_file_ships():
    alike = {"int8_static": figure(0.8, 0.7, 0.9), "int8_dynamic": figure(0.85, 0.8, 0.95)}
    verdict = shipped(sizes={"int8-static": 500, "int8-dynamic": 400}, **alike)
    assert verdict.ship == "int8-dynamic"
    assert "its interval overlaps that of int8-static" in verdict.why


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
        (one,) = budgets_of(variant)
        assert one.figure == agreements[variant.name]
    above = max(figure.high for figure in agreements.values())
    assert above < 1.0
    assert judged(min_agreement=(1.0 + above) / 2)[0].outcome == "not ready"


def with_quality(report, **figures):
    """The same report with figures of every variant replaced; judged by what it then has."""
    variants = tuple(v.model_copy(update=figures) for v in report.quality.variants)
    return report.quality.model_copy(update={"variants": variants})


def judged_by(report, quality, **budgets):
    return judge(Gate(**budgets), quality, report.measured)


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
    (one,) = budgets_of(verdict.variants[0])
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


@pytest.mark.parametrize(
    ("p90", "enough"),
    [
        (figure(0.8, 0.7, 0.9), True),
        (figure(1.3, 1.1, 1.5), True),
        (figure(0.9, 0.8, 1.1), False),
        (Estimate(0.9, None, None, "t", 6, "6 processes", kind="measured"), False),
        (Estimate.unknown("too few queries, however many processes"), True),
    ],
)
def test_measuring_goes_on_while_a_variant_lies_on_both_sides_of_a_budget(p90, enough):
    models = report_example.report().measured.benchmark.models
    ours = [dataclasses.replace(m, p90_ms=p90) for m in models if m.name == "int8-static"]
    assert decided({"max_p90_ms": 1.0, "max_p50_ms": 1000.0}, ours) is enough


def test_measuring_goes_on_for_no_teacher_and_for_no_budget_it_cannot_decide():
    models = report_example.report().measured.benchmark.models
    open_ = figure(0.9, 0.8, 1.1)
    teacher = [dataclasses.replace(m, p90_ms=open_) for m in models if m.name == "teacher"]
    assert decided({"max_p90_ms": 1.0}, teacher)
    gate = Gate(min_accuracy=0.9, max_size_kib=9, max_energy_uj=1, max_p99_ms=2, prefer="size")
    assert measured_budgets(gate) == {"max_p99_ms": 2}


@pytest.mark.parametrize(("key", "wanted"), [("50", 1.0), ("90", 2.0), ("99", 3.0)])
def test_each_percentile_is_judged_by_its_own_figure(key, wanted):
    model = report_example.report().measured.benchmark.models[1]
    tails = {f"p{n}_ms": figure(v, v, v) for n, v in (("50", 1.0), ("90", 2.0), ("99", 3.0))}
    other = {f"early_stopping_p{n}_ms": figure(v, v, v) for n, v in (("90", 20.0), ("99", 30.0))}
    found = dataclasses.replace(model, **tails, **other)
    budget = BUDGETS[f"max_p{key}_ms"]
    assert budget.measured(found).value == wanted
    assert budget.percentile == float(key)
    assert budget.unit == "ms"


def test_memory_is_judged_in_units_of_1024_squared():
    model = report_example.report().measured.benchmark.models[1]
    found = dataclasses.replace(
        model,
        peak_memory_bytes=figure(3 * 1_048_576, 2 * 1_048_576, 4 * 1_048_576),
        file_bytes=2048,
    )
    memory = BUDGETS["max_peak_memory_mib"].measured(found)
    assert (memory.low, memory.value, memory.high, memory.unit) == (2.0, 3.0, 4.0, "MiB")
    size = BUDGETS["max_size_kib"].measured(found)
    assert (size.value, size.unit) == (2.0, "KiB")


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(1.1, None, "not ready"), (0.9, None, "undecided"), (None, 0.9, "undecided")],
)
def test_an_interval_with_one_end_can_only_miss_a_budget_that_it_must_not_exceed(
    low, high, outcome
):
    found = Estimate(1.2, low, high, "t", 9, "it takes 53 processes", kind="measured")
    judged, why = hold("at most", 1.0, found)
    assert judged == outcome
    assert outcome != "undecided" or "it takes 53 processes" in why


def test_why_an_interval_is_wide_stands_where_a_budget_lies_inside_it():
    drifted = dataclasses.replace(figure(0.9, 0.8, 1.1), caution="latency rose by 5 %")
    assert hold("at most", 1.0, drifted)[1].endswith(": latency rose by 5 %")
    assert "rose" not in hold("at most", 2.0, drifted)[1]


def test_a_variant_that_misses_a_budget_is_not_measured_longer_for_another():
    models = report_example.report().measured.benchmark.models
    open_, missed = figure(0.9, 0.8, 1.1), figure(1.3, 1.1, 1.5)
    ours = [
        dataclasses.replace(model, p50_ms=missed if model.name == "fp32" else open_, p90_ms=open_)
        for model in models
    ]
    budgets = {"max_p50_ms": 1.0, "max_p90_ms": 1.0}
    assert undecided(budgets, ours) == {"int8-dynamic", "int8-static"}


AT_THE_BUDGET = [
    ("max_p50_ms", Machine()),
    ("max_p90_ms", Machine(between=0.05)),
    ("max_p50_ms", Machine(slow=0.52)),
    ("max_p90_ms", Machine(slow=0.15)),
    ("max_p50_ms", Machine(between=0.05, correlation=0.5)),
    ("max_p50_ms", Machine(between=0.005, drift=0.1)),
]


@pytest.mark.promise("A latency truly at its budget is READY in at most 1 % of builds")
@pytest.mark.parametrize(("key", "machine"), AT_THE_BUDGET)
def test_a_variant_at_its_very_budget_is_ready_in_at_most_one_build_of_a_hundred(key, machine):
    found = outcomes(150, key, machine.truth(PERCENTILES[key]), machine)
    assert not unlikely(found.get("ready", 0), 150), found


def test_the_simulation_sees_that_processes_are_no_random_ones_where_nobody_allows_for_it():
    machine = Machine(between=0.05, correlation=0.9)
    careless = functools.partial(percentile_over_processes, guarded=False)
    found = outcomes(150, "max_p50_ms", machine.truth(50.0), machine, percentile=careless)
    assert unlikely(found.get("ready", 0), 150, rate=0.02), found
    allowed = outcomes(150, "max_p50_ms", machine.truth(50.0), machine)
    assert not unlikely(allowed.get("ready", 0), 150, rate=0.02), allowed


@pytest.mark.promise("A p90 budget is about a query of any process, slow ones included")
def test_one_process_of_seven_twice_as_slow_makes_no_p90_ready_that_is_above_its_budget():
    # 15 % of all queries take 2 ms: the budget is far above the quick processes, and missed.
    machine = Machine(slow=0.15)
    found = outcomes(150, "max_p90_ms", 1.5, machine)
    assert not unlikely(found.get("ready", 0), 150), found
    # Where it is 1 %, the p90 is that of the quick ones.
    assert outcomes(20, "max_p90_ms", 1.5, Machine(slow=0.01), most=120)["ready"] >= 15


@pytest.mark.parametrize("key", ["max_p50_ms", "max_p90_ms"])
def test_a_quiet_machine_decides_what_is_a_fifth_inside_or_outside_within_a_minute(key):
    machine = Machine()
    truth = machine.truth(PERCENTILES[key])
    assert outcomes(30, key, truth / 0.8, machine) == {"ready": 30}
    assert outcomes(30, key, truth * 0.8, machine) == {"not ready": 30}


@pytest.mark.promise("A latency that drifts towards its budget is UNDECIDED")
def test_a_drift_leaves_a_budget_undecided_that_it_may_reach():
    for drift in (0.1, -0.1):
        found = outcomes(50, "max_p50_ms", 1.0, Machine(between=0.005, drift=drift))
        assert set(found) == {"undecided"}, found


def test_where_no_latency_is_known_fp32_ships_and_nothing_fails():
    report = report_example.report()
    unknown = Estimate.unknown("too few queries")
    models = tuple(dataclasses.replace(m, p50_ms=unknown) for m in report.measured.benchmark.models)
    measured = dataclasses.replace(report.measured.benchmark, models=models)
    verdict = judge(
        Gate(max_size_kib=1e6),
        report.quality,
        report.measured.model_copy(update={"benchmark": measured}),
    )
    assert (verdict.outcome, verdict.ship) == ("ready", "fp32")


def test_every_key_of_the_recipes_gate_that_is_a_budget_has_a_line_in_the_table_of_budgets():
    metrics = {metric.key for task in TASKS.values() for metric in task.reported}
    others = {"prefer", "runtimes", *metrics}
    assert list(BUDGETS) == [key for key in Gate.model_fields if key not in others]
    assert metrics.isdisjoint(BUDGETS)
