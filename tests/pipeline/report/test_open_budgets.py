"""What would decide a budget that is undecided."""

import verdict_examples
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.report import open_budgets


def steps(**budgets):
    report = verdict_examples.judged(**budgets)
    return open_budgets.steps(report, report.verdict.variants[0])


def with_check(**changes):
    """The steps where one figure of the nearest variant is another one."""
    report = verdict_examples.EXAMPLES["undecided"]()
    judged = report.verdict.variants[0]
    open_one = next(check for check in judged.checks if check.outcome == "undecided")
    checks = (open_one.model_copy(update=changes),)
    return open_budgets.steps(report, judged.model_copy(update={"checks": checks}))


P50 = {"key": "max_p50_ms", "budget": 2.0}


def p50(value, high):
    return Estimate(value, 1.0, high, "m", 9, None, "ms", "measured")


def test_time_comes_before_samples_and_samples_before_devices():
    found = steps(max_p90_ms=0.0346, max_drop_vs_teacher=0.02, max_energy_uj=50.0)
    assert [step.rank for step in found] == [0, 1, 3]
    assert found[0].overrides == ("benchmark.max_seconds=600",)
    assert found[2].command == "edgestill doctor"


def test_one_step_for_two_budgets_is_told_once_with_both():
    report = verdict_examples.EXAMPLES["another target"]()
    (only,) = open_budgets.steps(report, report.verdict.variants[0])
    assert only.budgets == ("latency p50", "latency p90", "peak memory")
    assert only.overrides == ("benchmark.device=board.toml",)


def test_the_limit_grows_with_the_processes_that_are_missing_and_never_past_a_day():
    (soon,) = with_check(**P50, figure=p50(1.98, 2.04))
    assert soon.overrides == ("benchmark.max_seconds=2700",)
    assert "about 9 times as many if the figure stays" in soon.what


def test_where_measuring_on_takes_hours_what_helps_sooner_comes_first_and_the_hours_are_said():
    (hours,) = with_check(**P50, figure=p50(1.995, 2.056))
    assert hours.what.startswith(
        "measure on a quieter machine (other processes used 14 % of this machine's CPU time "
        "during the measurement), which narrows the interval; measuring here in more processes, "
        "about 150 times as many if the figure stays, takes about 12 hours "
        "(benchmark.max_seconds=45000)"
    )
    assert hours.what.endswith(
        "; or raise the budget to what is shown, at most 2.06 ms, which is what the command below "
        "does"
    )
    assert (hours.overrides, hours.command) == ((), "edgestill gate RUN --set gate.max_p50_ms=2.06")
    (day,) = with_check(**P50, figure=p50(1.999, 2.03))
    assert "takes more than a day; or" in day.what


def test_a_goal_that_is_lowered_is_said_to_be_lowered_after_the_better_step():
    (only,) = steps(min_accuracy=0.965)
    better, _, other = only.what.partition("; or ")
    assert better.startswith("more test samples, about ")
    budget = float(only.command.partition("gate.min_accuracy=")[2])
    assert budget < 0.965
    shown = f"lower the budget to what is shown, at least {100 * budget:.10g} %"
    assert other == f"{shown}, which is what the command below does"


def test_on_its_budget_a_figure_is_told_another_budget_and_no_number_of_samples():
    on_it = Estimate(2.0, 1.5, 2.5, "m", 9, None, "ms", "measured")
    (only,) = with_check(key="max_p50_ms", budget=2.0, figure=on_it)
    assert only.command == "edgestill gate RUN --set gate.max_p50_ms=2.5"
    assert "times as many" not in only.what


def test_an_arena_is_had_by_the_format_that_has_one():
    (only,) = steps(max_arena_kib=30.0)
    assert only.command.endswith("""'export.formats=["onnx", "ort", "tflite-micro"]'""")


def test_what_a_variant_leaves_unknown_is_built_again():
    report = verdict_examples.EXAMPLES["ready"]()
    judged = report.verdict.variants[0].model_copy(update={"unknown": ("steadiness",)})
    (only,) = open_budgets.steps(report, judged)
    assert (only.rank, only.what, only.command) == (2, "steadiness", "edgestill build recipe.toml")
