"""The error rate of a verdict: the confidence it takes, and false READY where truth is known."""

import dataclasses

import pytest
from edgestill.pipeline.judge import promise
from scipy import stats
from simulated_quality import CASES, PROMISED, false_ready


def test_the_error_of_one_in_a_hundred_is_shared_by_the_files_that_could_ship():
    assert promise.ERROR_RATE == 0.01
    assert promise.confidence(1) == 0.99
    assert promise.confidence(8) == pytest.approx(0.99875)
    assert 8 * (1 - promise.confidence(8)) == pytest.approx(0.01)


def test_a_verdict_about_nothing_promises_nothing():
    with pytest.raises(ValueError, match="0 files"):
        promise.confidence(0)


QUICK = {"accuracy drop": 200, "agreement": 100, "RMSE": 50, "R²": 50, "MAE": 200}
"""Samples of a test set; these figures take milliseconds."""


def most_allowed(trials):
    """More false READY than this would show once in 1,000 tests that the promise is broken."""
    return stats.binom.ppf(0.999, trials, PROMISED)


@pytest.mark.parametrize("name", QUICK)
def test_a_verdict_at_the_budget_is_hardly_ever_ready(name):
    found = false_ready(CASES[name], QUICK[name], 300)
    assert found.get("ready", 0) <= most_allowed(300)


@pytest.mark.promise("Samples of few groups do not make READY")
@pytest.mark.parametrize("name", ["accuracy", "accuracy drop", "RMSE"])
@pytest.mark.parametrize("groups", [5, 30])
def test_a_verdict_about_few_groups_is_hardly_ever_ready(name, groups):
    found = false_ready(CASES[name], 400, 200, groups=groups)
    assert found.get("ready", 0) <= most_allowed(200)


def test_the_simulation_sees_what_intervals_that_are_too_narrow_do(monkeypatch):
    monkeypatch.setattr(promise, "confidence", lambda files: 0.95)
    found = false_ready(CASES["accuracy"], 100, 200)
    assert found["ready"] > 2 * most_allowed(200)


@pytest.mark.promise("READY is wrong in at most 1 % of builds, over all budgets and variants")
def test_eight_variants_at_their_budget_are_hardly_ever_ready(figure):
    trials = 1000
    ready = false_ready(CASES["accuracy"], 100, trials).get("ready", 0)
    figure(f"READY in {ready} of {trials}, accuracy at the budget, 100 samples")
    assert ready <= most_allowed(trials)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("samples", [50, 300])
def test_every_metric_keeps_the_promise(name, samples):
    found = false_ready(CASES[name], samples, 400)
    assert found.get("ready", 0) <= most_allowed(400)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("groups", [3, 10])
def test_every_metric_keeps_the_promise_for_groups(name, groups):
    found = false_ready(CASES[name], 300, 200, groups=groups)
    assert found.get("ready", 0) <= most_allowed(200)


@pytest.mark.parametrize(("name", "budget"), [("accuracy", 0.87), ("RMSE", 0.55), ("R²", 0.7)])
def test_models_inside_their_budget_are_ready(name, budget):
    """Intervals without an end would keep the promise, too."""
    inside = dataclasses.replace(CASES[name], true=lambda _: budget)
    assert false_ready(inside, 2000, 20) == {"ready": 20}
