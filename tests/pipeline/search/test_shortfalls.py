"""Which budgets a file is expected to miss, before test has been looked at."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge.budgets import BUDGETS
from edgestill.pipeline.judge.gate import check, judge
from edgestill.pipeline.judge.shortfall import MARGIN
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.records import Shortfall
from edgestill.pipeline.search.shortfalls import (
    Narrower,
    distance,
    expected,
    keys_of_resources,
    missed,
    nearest,
    observations,
    of_resources,
    shortfall,
)
from edgestill.pipeline.tasks.proportions import paired_difference, proportion
from edgestill.pipeline.tasks.sampling import Sampling


def figure(value, low=None, high=None, kind="measured"):
    return Estimate(value, low, high, "a test", 10, None if low is not None else "none", kind=kind)


def score_check(value, low, high, budget):
    return check("min_accuracy", budget, figure(value, low, high), BUDGETS["min_score"])


def miss(key, excess):
    return Shortfall(key=key, budget=1.0, value=1.0, needed=1.0, excess=excess)


def test_a_score_has_to_be_inside_by_the_half_width_that_test_will_have():
    one = score_check(0.90, 0.84, 0.95, 0.87)
    assert shortfall(one, BUDGETS["min_score"], lambda half, _: 0.49 * half) is None
    found = shortfall(one, BUDGETS["min_score"], lambda half, _: 0.6 * half)
    assert found.needed == pytest.approx(0.87 + 0.6 * 0.06)
    assert found.excess == pytest.approx(found.needed - 0.90)


def test_a_latency_has_to_be_inside_by_a_margin_since_few_processes_have_no_interval():
    def of(value):
        return shortfall(check("max_p50_ms", 2.0, figure(value)), BUDGETS["max_p50_ms"])

    assert of(2.0 * (1 - MARGIN) - 1e-6) is None
    over = of(2.2)
    assert over.value == 2.2
    assert over.needed == pytest.approx(2.0 * (1 - MARGIN))
    assert over.excess == pytest.approx(0.1 + MARGIN)


def test_a_size_is_exact_and_may_be_the_budget_itself():
    def of(value):
        size = Estimate.exact(value, "file size", "KiB")
        return shortfall(check("max_size_kib", 100.0, size), BUDGETS["max_size_kib"])

    assert of(100.0) is None
    assert of(100.1).excess == pytest.approx(0.001)


def test_what_has_no_figure_is_not_missed_for_nothing_that_is_tried_would_bring_one():
    unknown = check("max_energy_uj", 5.0, Estimate.unknown("no sensor"))
    assert shortfall(unknown, BUDGETS["max_energy_uj"]) is None


def test_a_prediction_chooses_though_it_decides_nothing():
    predicted = check("max_p50_ms", 1.0, figure(3.0, kind="predicted"))
    assert predicted.outcome == "undecided"
    assert shortfall(predicted, BUDGETS["max_p50_ms"]).excess > 2.0


def test_every_file_that_could_ship_is_judged_and_one_with_a_fault_is_left_out():
    whole = report_example.report()
    gate = Gate(min_accuracy=0.999, max_size_kib=1e6)
    verdict = judge(gate, whole.quality, whole.measured)
    found = expected(verdict, whole.quality, whole.quality.test_samples)
    assert set(found) == {one.name for one in whole.quality.variants}
    assert all([one.key for one in misses] == ["min_accuracy"] for misses in found.values())
    with_fault = verdict.variants[0].model_copy(update={"faults": ("lost parity",)})
    verdict = verdict.model_copy(update={"variants": (with_fault, *verdict.variants[1:])})
    found = expected(verdict, whole.quality, whole.quality.test_samples)
    assert with_fault.name not in found
    assert len(found) == len(whole.quality.variants) - 1


def test_more_samples_in_test_than_in_validation_make_less_of_a_margin():
    whole = report_example.report()
    verdict = judge(Gate(min_accuracy=0.97), whole.quality, whole.measured)
    samples = whole.quality.test_samples
    wide = expected(verdict, whole.quality, samples)["fp32"]
    narrow = expected(verdict, whole.quality, 10_000 * samples)["fp32"]
    assert wide
    assert not narrow


def test_an_interval_of_answers_that_are_all_alike_narrows_with_the_samples_themselves():
    """int8 answers 180 samples as fp32 does: of 450 a verdict would see that it loses under 3 %."""
    z = NormalDist().inv_cdf(1 - 0.01 / 3 / 2)
    narrower = Narrower(180, 450, 1 - 0.01 / 3, counts=True)
    assert narrower(z**2 / 180, 1.0) == pytest.approx(z**2 / 450)
    right, sampling = np.ones(450, bool), Sampling(1 - 0.01 / 3)
    true = paired_difference(right, right, sampling).high
    seen = paired_difference(right[:180], right[:180], sampling).high
    assert narrower(seen, 1.0) == pytest.approx(true, rel=0.12)
    assert narrower(seen, 1.0) < 0.03 < seen * (180 / 450) ** 0.5


@pytest.mark.parametrize(("validation", "test"), [(200, 600), (200, 10_000), (1000, 600)])
def test_an_interval_of_many_unlike_answers_narrows_with_the_square_root(validation, test):
    for share in (0.2, 0.5, 0.9, 0.97):
        seen, true = (proportion(round(share * n), n, 0.995) for n in (validation, test))
        narrower = Narrower(validation, test, 0.995, counts=True)
        edge = max(0.0, 2 * share - 1)
        assert narrower(seen.value - seen.low, edge) == pytest.approx(
            true.value - true.low, rel=0.25
        )
    other = Narrower(validation, test, 0.995, counts=False)
    assert other(0.01, 1.0) == pytest.approx(0.01 * math.sqrt(validation / test))


def test_where_samples_have_groups_an_interval_counts_the_groups():
    data = report_example.report().data
    grouped = data.model_copy(update={"groups": {"test": {"anna": 200, "ben": 250}}})
    assert observations(data, "test") == data.samples("test")
    assert observations(grouped, "test") == 2
    assert observations(grouped, "validation") == data.samples("validation")


def test_fewer_groups_in_test_than_in_validation_make_more_of_a_margin():
    whole = report_example.report()
    verdict = judge(Gate(min_accuracy=0.9), whole.quality, whole.measured)
    assert not expected(verdict, whole.quality, 30, 30)["fp32"]
    assert expected(verdict, whole.quality, 3, 300)["fp32"]


def test_resources_are_judged_of_every_file_that_the_app_takes():
    whole = report_example.report()
    gate = Gate(min_accuracy=0.5, max_size_kib=1.0, max_p50_ms=100.0)
    assert keys_of_resources(gate) == ("max_p50_ms", "max_size_kib")
    found = of_resources(gate, whole.measured)
    assert set(found) == {"fp32", "int8-dynamic", "int8-static"}
    assert [one.key for one in missed(found["fp32"])] == ["max_size_kib"]
    only = gate.model_copy(update={"runtimes": ("litert",)})
    assert of_resources(only, whole.measured) == {}
    assert of_resources(gate.model_copy(update={"runtimes": ("ort",)}), whole.measured) == found


def test_the_nearest_file_misses_the_fewest_budgets_and_then_by_the_least():
    found = {
        "far": (miss("a", 0.1), miss("b", 0.1)),
        "near": (miss("a", 0.5),),
        "nearer": (miss("a", 0.4),),
    }
    assert nearest(found) == "nearer"
    assert nearest({}) is None
    assert distance(()) == (0, 0)
    assert math.isclose(distance(found["far"])[1], 0.2)


def test_what_no_student_could_reach_on_so_small_a_test_is_not_missed():
    # 36 samples, all of them right: the interval of test cannot lie above 0.999.
    perfect = score_check(1.0, 0.85, 1.0, 0.999)
    assert shortfall(perfect, BUDGETS["min_score"]) is None
    one_wrong = score_check(0.97, 0.82, 1.0, 0.999)
    assert shortfall(one_wrong, BUDGETS["min_score"]).needed == 1.0
    drop = BUDGETS["max_drop_vs_fp32"]
    none_lost = check("max_drop_vs_fp32", 0.001, figure(0.0, -0.15, 0.15), drop)
    assert shortfall(none_lost, drop) is None
    lost = check("max_drop_vs_fp32", 0.001, figure(0.02, -0.1, 0.15), drop)
    assert shortfall(lost, drop).needed == 0.0
