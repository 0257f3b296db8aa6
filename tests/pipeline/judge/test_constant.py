"""The gate: a model that is not shown to be better than a constant answer is never READY."""

import numpy as np
import pytest
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge import constant
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import OverConstant
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.constant import over_constant
from edgestill.pipeline.tasks.sampling import Sampling

LAX = Gate(max_size_kib=1e9)


def gain(low, value, high):
    return Estimate(value, low, high, "test", 100, unit="share", kind="measured")


def verdict_with(accuracy, balanced, gate=LAX):
    """Every variant gains so much over always answering 'often'."""
    report = report_example.report()
    over = tuple(
        OverConstant(metric=metric, answer="always answering 'often'", constant=value, gain=found)
        for metric, value, found in (
            ("accuracy", 0.9, accuracy),
            ("balanced accuracy", 0.5, balanced),
        )
        if found is not None
    )
    variants = tuple(v.model_copy(update={"over_constant": over}) for v in report.quality.variants)
    quality = report.quality.model_copy(update={"variants": variants})
    return judge(gate, quality, report.measured)


GOOD = gain(0.01, 0.05, 0.1)


@pytest.mark.parametrize(
    ("found", "outcome", "says"),
    [
        (gain(0.01, 0.05, 0.1), "ready", "better in"),
        (gain(0.0, 0.05, 0.1), "undecided", "not shown to be better in"),
        (gain(-0.01, 0.05, 0.1), "undecided", "not shown to be better in"),
        (gain(-0.1, -0.05, 0.01), "undecided", "not shown to be better in"),
        (gain(-0.1, -0.05, 0.0), "not ready", "no better in"),
        (gain(-0.1, -0.05, -0.01), "not ready", "no better in"),
        (Estimate.exact(0.0, "one answer for all of test"), "not ready", "no better in"),
        (Estimate(0.1, None, None, "t", 2, "2 groups", kind="measured"), "undecided", "2 groups"),
        (None, "undecided", "did not compare it with a constant answer"),
    ],
)
@pytest.mark.parametrize("metric", ["accuracy", "balanced accuracy"])
def test_the_whole_interval_has_to_lie_above_the_constant_answer(metric, found, outcome, says):
    figures = (found, GOOD) if metric == "accuracy" else (GOOD, found)
    verdict = verdict_with(*figures)
    assert verdict.outcome == outcome
    for variant in verdict.variants:
        assert variant.outcome == outcome
        checks = {check.key: check for check in variant.checks if constant.is_one(check)}
        assert set(checks) == {
            "above_constant.min_accuracy",
            "above_constant.min_balanced_accuracy",
        }
        key = f"above_constant.min_{metric.replace(' ', '_')}"
        assert checks[key].outcome == outcome
        assert constant.fails(checks[key]) == (outcome != "ready")
        assert says in checks[key].why


def test_the_reason_names_the_answer_and_what_it_reaches():
    why = verdict_with(gain(-0.02, 0.0, 0.02), Estimate.exact(0.0, "one answer")).why
    assert why == (
        "no variant may ship; the nearest, fp32, is not shown to be better in accuracy than always "
        "answering 'often' (90.0 %) and is no better in balanced accuracy than always answering "
        "'often' (50.0 %)"
    )


def test_a_missed_budget_is_said_beside_it():
    why = verdict_with(gain(-0.02, 0.0, 0.02), GOOD, Gate(max_size_kib=0.001)).why
    assert "no variant is inside every budget" in why
    assert "fails max_size_kib and is not shown to be better in accuracy than" in why


def test_only_the_variant_that_collapsed_is_kept_from_shipping():
    report = report_example.report()
    fp32, *others = report.quality.variants
    collapsed = tuple(
        each.model_copy(update={"gain": Estimate.exact(0.0, "one answer for all of test")})
        for each in fp32.over_constant
    )
    quantized = tuple(v.model_copy(update={"over_constant": collapsed}) for v in others)
    quality = report.quality.model_copy(update={"variants": (fp32, *quantized)})
    verdict = judge(Gate(max_size_kib=1e9, prefer="size"), quality, report.measured)
    assert [v.outcome for v in verdict.variants] == ["ready", "not ready", "not ready"]
    assert verdict.ship == "fp32"


@pytest.mark.parametrize("task", ["multi-label", "regression", "embedding"])
def test_a_model_of_every_task_is_held_against_its_constant_answer(task):
    report = report_example.with_task(report_example.report(), task)
    assert judge(LAX, report.quality, report.measured).outcome == "ready"
    _, *others = report.quality.variants
    alone = report.quality.variants[0].model_copy(update={"over_constant": ()})
    quality = report.quality.model_copy(update={"variants": (alone, *others)})
    first, *rest = judge(LAX, quality, report.measured).variants
    assert first.outcome == "undecided"
    assert {variant.outcome for variant in rest} == {"ready"}


def test_where_the_truth_lies_at_the_constant_answer_hardly_any_model_is_ready():
    """Students that are right as often as the constant answer, by luck alone: at most 1 %."""
    random, task, ready = np.random.default_rng(0), of("classification"), 0
    sampling = Sampling(0.99)
    for _ in range(400):
        truth = (random.random(200) < 0.5).astype(np.int64)
        outputs = random.standard_normal((200, 2))
        metrics = task.metrics(outputs, truth, sampling)
        found = over_constant(task, outputs, truth, ("a", "b"), metrics, sampling)
        ready += all(each.gain.low > 0.0 for each in found)
    assert ready <= 4


@pytest.mark.parametrize(
    ("unit", "value", "told"), [("share", 0.905, "90.5 %"), ("label unit", 12.3456, "12.3")]
)
def test_the_constant_answer_is_told_with_what_it_reaches_in_its_unit(unit, value, told):
    over = OverConstant(metric="m", answer="always this", constant=value, gain=GOOD)
    assert constant._answer(over, unit) == f"always this ({told})"


def test_why_a_gain_is_not_known_stands_behind_it():
    few = Estimate(0.1, None, None, "t", 2, "2 groups", kind="measured")
    checks = verdict_with(few, GOOD).variants[0].checks
    first, second = (check for check in checks if constant.is_one(check))
    assert first.why == (
        "not shown to be better in accuracy than always answering 'often' (90.0 %); 2 groups"
    )
    assert second.why == "better in balanced accuracy than always answering 'often' (50.0 %)"
    assert (first.budget, first.figure) == (0.0, few)
    assert not constant.is_one(checks[0])
    assert not constant.fails(checks[0].model_copy(update={"outcome": "not ready"}))
