"""What a verdict is short of, and in which variant."""

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge import shortfall
from edgestill.pipeline.records import Check, VariantVerdict, Verdict


def judged(name, *missed, faults=(), cannot_ship=None):
    checks = tuple(
        Check(
            key=key,
            budget=2.0,
            figure=Estimate(value, value, value, "m", 1, None, "", "exact"),
            outcome=outcome,
            why="",
        )
        for key, value, outcome in missed
    )
    return VariantVerdict(
        name=name, outcome="not ready", checks=checks, faults=faults, cannot_ship=cannot_ship
    )


def verdict(*variants):
    return Verdict(
        outcome="not ready",
        ship=None,
        nearest=variants[0].name,
        why="",
        prefer="latency",
        variants=variants,
    )


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("min_accuracy", "answers"),
        ("min_recall.cat", "answers"),
        ("above_constant.min_accuracy", "answers"),
        ("max_drop_vs_fp32", "answers"),
        ("max_p99_ms", "time"),
        ("max_energy_uj", "time"),
        ("max_instructions", "time"),
        ("max_peak_memory_mib", "memory"),
        ("max_arena_kib", "memory"),
        ("max_size_kib", "size"),
    ],
)
def test_a_budget_limits_answers_time_memory_or_size(key, what):
    assert shortfall.missed_by(key) == what


def test_answers_lost_by_int8_are_told_from_those_the_student_never_had():
    fine = judged("fp32", ("max_size_kib", 3.0, "not ready"))
    lossy = judged("int8-static", ("max_drop_vs_fp32", 3.0, "not ready"))
    poor = judged("fp32", ("min_accuracy", 1.0, "not ready"))
    lost = {one.variant: one.needs for one in shortfall.of(verdict(fine, lossy))}
    assert lost == {"fp32": {"size"}, "int8-static": {"compression"}}
    never = {one.variant: one.needs for one in shortfall.of(verdict(poor, lossy))}
    assert never == {"fp32": {"student"}, "int8-static": {"student"}}


def test_it_is_at_both_ends_where_the_student_is_too_bad_and_too_large():
    both = judged("fp32", ("min_accuracy", 1.0, "not ready"), ("max_size_kib", 3.0, "not ready"))
    (only,) = shortfall.of(verdict(both))
    assert only.at_both_ends
    assert only.over == 1.5


def test_budgets_that_are_met_or_open_and_variants_that_no_rung_mends_are_left_out():
    met = judged("fp32", ("max_size_kib", 3.0, "undecided"), ("max_p50_ms", 1.0, "ready"))
    faulty = judged("int8-static", ("max_p50_ms", 3.0, "not ready"), faults=("parity is lost",))
    barred = judged("fp16", ("max_p50_ms", 3.0, "not ready"), cannot_ship="not taken")
    assert shortfall.of(verdict(met, faulty, barred)) == ()


def test_what_lacks_the_least_comes_first():
    more = judged("fp32", ("max_p50_ms", 3.0, "not ready"), ("max_size_kib", 8.0, "not ready"))
    less = judged("fp16", ("max_p50_ms", 2.5, "not ready"))
    assert [one.variant for one in shortfall.of(verdict(more, less))] == ["fp16", "fp32"]
