"""A model against the best answer that does not depend on the input."""

from dataclasses import replace

import numpy as np
import pytest
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.constant import must_beat, over_constant, value_of_constant
from edgestill.pipeline.tasks.metric import Metric
from edgestill.pipeline.tasks.sampling import Sampling
from task_samples import SAMPLES

ANY = Sampling(0.99)
BEATEN = {
    "classification": ["accuracy", "balanced accuracy"],
    "multi-label": ["mAP"],
    "regression": ["R²"],
    "embedding": ["cosine"],
}


def gains(task, outputs, truth, names=tuple("abcdefgh"), sampling=ANY):
    judged = of(task)
    metrics = judged.metrics(outputs, truth, sampling)
    return over_constant(judged, outputs, truth, names, metrics, sampling)


@pytest.mark.parametrize("task", BEATEN)
def test_a_good_model_is_shown_to_be_better_by_each_metric_that_asks_for_it(task):
    outputs, truth = SAMPLES[task]()
    if task == "regression":
        outputs = truth + 0.3 * (outputs - truth)
    found = gains(task, outputs, truth)
    assert [each.metric for each in found] == BEATEN[task]
    for each in found:
        assert 0.0 < each.gain.low < each.gain.value < each.gain.high
        metric = of(task).named(each.metric)
        assert each.gain.value == pytest.approx(metric.measure(outputs, truth) - each.constant)


@pytest.mark.parametrize("task", BEATEN)
def test_no_constant_answer_is_better_than_the_one_named(task):
    _, truth = SAMPLES[task](n=80)
    random = np.random.default_rng(0)
    width = 5 if task == "classification" else truth.shape[1]
    centre, scale = (truth.mean(0), truth.std(0)) if truth.ndim > 1 else (0.0, 1.0)
    for metric in must_beat(of(task)):
        best = value_of_constant(metric, truth)
        for _ in range(50):
            answer = centre + scale * random.standard_normal(width)
            other = metric.measure(np.tile(answer, (len(truth), 1)), truth)
            assert metric.merit(other) <= metric.merit(best) + 1e-9


def skewed(minority_found=0):
    """90 of one class and 10 of another; so many of the others are found."""
    truth = np.repeat([0, 1], [90, 10])
    outputs = np.tile([1.0, 0.0], (100, 1))
    outputs[90 : 90 + minority_found] = [0.0, 1.0]
    return outputs, truth


def test_a_model_of_one_answer_gains_exactly_nothing():
    for each in gains("classification", *skewed(), names=("often", "rare")):
        assert (each.gain.value, each.gain.low, each.gain.high) == (0.0, 0.0, 0.0)
        assert each.answer == "always answering 'often'"
    assert [each.constant for each in gains("classification", *skewed())] == [0.9, 0.5]


def test_a_model_that_finds_a_few_of_the_rare_class_is_not_shown_to_be_better():
    accuracy, balanced = gains("classification", *skewed(2))
    assert accuracy.gain.value == pytest.approx(0.02)
    assert balanced.gain.value == pytest.approx(0.1)
    assert accuracy.gain.low < 0.0 < accuracy.gain.high


def test_the_gain_in_accuracy_is_paired_by_sample():
    """20 more right and 2 less: the interval of accuracy has the 90 % of the constant answer in it.

    What both get right tells nothing of which is the better.
    """
    truth = np.repeat([0, 1], [900, 100])
    outputs = np.eye(2)[np.repeat([1, 0, 1, 0], [2, 898, 20, 80])]
    accuracy, _ = gains("classification", outputs, truth)
    alone = of("classification").score(outputs, truth, ANY)
    assert alone.low < accuracy.constant == 0.9
    assert accuracy.gain.value == pytest.approx(0.018)
    assert accuracy.gain.low > 0.0


def test_balanced_accuracy_is_held_against_one_over_the_classes_present():
    outputs, truth = SAMPLES["classification"]()
    few = truth < 3
    _, balanced = gains("classification", outputs[few], truth[few])
    assert balanced.constant == pytest.approx(1 / 3)


def test_worse_than_a_constant_answer_is_a_gain_below_zero():
    truth = np.linspace(0.0, 1.0, 200)[:, None]
    (r2,) = gains("regression", 1.0 - truth, truth)
    assert r2.constant == pytest.approx(0.0)
    assert r2.gain.high < 0.0


def test_one_number_for_all_is_no_better_than_the_mean_whatever_the_number():
    truth = np.linspace(0.0, 1.0, 200)[:, None]
    for number in (0.5, 0.7):
        (r2,) = gains("regression", np.full((200, 1), number), truth)
        assert r2.gain.high <= 1e-12


def test_a_ranking_with_one_answer_for_all_counts_by_its_ranking():
    """No label passes the threshold of one half, and still the order is right."""
    outputs, truth = SAMPLES["multi-label"](gap=4.0)
    (ranked,) = gains("multi-label", outputs - 100.0, truth)
    assert ranked.gain.low > 0.2


def test_groups_widen_the_gain_in_accuracy():
    outputs, truth = SAMPLES["classification"](n=120)
    groups = np.empty(120)
    groups[np.argsort(outputs.argmax(1) == truth)] = np.repeat(np.arange(4), 30)
    grouped = Sampling(0.99, groups)
    alone = [each.gain for each in gains("classification", outputs, truth)]
    for each, of_samples in zip(
        gains("classification", outputs, truth, sampling=grouped), alone, strict=True
    ):
        assert each.gain.n == 4 or each.gain.low is None
        assert each.gain.low is None or each.gain.low < of_samples.low


@pytest.mark.parametrize("right", [24, 23, 12])
def test_a_good_model_is_shown_to_be_better_by_few_samples_of_each_class(right):
    """24 samples of each of three classes; the interval of a mean of few parts would be all."""
    truth = np.repeat(np.arange(3), 24)
    answers = np.where(np.arange(72) % 24 < right, truth, (truth + 1) % 3)
    sampling = Sampling(0.995)
    _, balanced = gains("classification", np.eye(3)[answers], truth, sampling=sampling)
    assert balanced.gain.value == pytest.approx(right / 24 - 1 / 3)
    assert balanced.gain.low < balanced.gain.value <= balanced.gain.high
    assert (balanced.gain.low > 0.3) == (right > 20)
    assert (balanced.gain.low > 0.0) == (right > 20)


def test_a_rare_class_whose_few_samples_are_all_found_is_no_certainty():
    _, balanced = gains("classification", *skewed(10))
    assert balanced.gain.value == pytest.approx(0.5)
    assert 0.1 < balanced.gain.low < 0.4


def told(task, metric, **fields):
    """The task with one more metric by which a model must be better."""
    judged = of(task)
    more = Metric(metric, "label unit", **fields)
    return replace(judged, reported=(judged.metric, more))


def test_where_less_is_better_the_gain_is_what_is_less():
    truth = np.arange(20.0)[:, None]
    outputs = truth + np.where(np.arange(20)[:, None] % 2, 0.5, -1.0)
    judged = told(
        "regression",
        "MAE",
        higher_is_better=False,
        value=lambda z, y: float(np.abs(z - y).mean()),
        constant=lambda y: np.full(y.shape, np.median(y)),
    )
    metrics = judged.metrics(outputs, truth, ANY)
    _, found = over_constant(judged, outputs, truth, ("y",), metrics, ANY)
    mae = metrics["MAE"]
    assert (found.metric, found.answer) == ("MAE", "always answering the mean")
    assert (found.constant, found.gain.value) == (5.0, pytest.approx(5.0 - 0.75))
    assert found.gain.low == pytest.approx(5.0 - mae.high)
    assert found.gain.high == pytest.approx(5.0 - mae.low)
    assert (found.gain.method, found.gain.n, found.gain.unit) == (mae.method, 20, "label unit")


def test_a_metric_that_is_not_defined_has_no_gain():
    judged = of("classification")
    outputs, truth = SAMPLES["classification"]()
    _, balanced = over_constant(judged, outputs, truth, tuple("abcde"), {}, ANY)
    assert balanced.gain.value is None
    assert balanced.gain.missing == "balanced accuracy is not defined on these test samples"
    with pytest.raises(ValueError, match="macro-F1 has no constant answer"):
        value_of_constant(judged.named("macro-F1"), truth)


def test_without_an_interval_of_a_class_the_gain_has_none_and_says_why():
    """Class 1 is of one person alone."""
    truth = np.repeat([0, 1], [40, 10])
    outputs = np.eye(2)[np.where(np.arange(50) % 8 == 0, 1 - truth, truth)]
    people = Sampling(0.99, np.repeat(np.arange(5), 10))
    _, balanced = gains("classification", outputs, truth, sampling=people)
    recalls = 1 - 5 / 40, 1 - 2 / 10
    assert balanced.gain.value == pytest.approx(np.mean(recalls) - 0.5)
    assert (balanced.gain.low, balanced.gain.high) == (None, None)
    assert balanced.gain.missing == "an interval takes at least 3 groups, there were 1"
    assert (balanced.gain.n, balanced.gain.unit, balanced.gain.kind) == (5, "share", "measured")
    two = Sampling(0.99, np.repeat([0, 1], 25))
    accuracy, _ = gains("classification", outputs, truth, sampling=two)
    assert accuracy.gain.value == pytest.approx(43 / 50 - 40 / 50)
    assert (accuracy.gain.low, accuracy.gain.high) == (None, None)


def test_the_gain_of_a_mean_is_between_the_means_of_the_ends_of_its_classes():
    truth = np.repeat([0, 1, 2], [10, 20, 30])
    outputs = np.eye(3)[np.where(np.arange(60) % 7 == 0, (truth + 1) % 3, truth)]
    metrics = of("classification").metrics(outputs, truth, Sampling(1 - 0.01 / 3))
    _, balanced = gains("classification", outputs, truth)
    for end in ("low", "value", "high"):
        recalls = [getattr(metrics[f"recall[{i}]"], end) for i in range(3)]
        assert getattr(balanced.gain, end) == pytest.approx(np.mean(recalls) - 1 / 3)
    assert balanced.gain.method.startswith("mean of 3, whose intervals hold together; each: prop")
    assert (balanced.gain.n, balanced.gain.unit, balanced.gain.kind) == (60, "share", "measured")
    assert balanced.gain.missing is None


def test_of_one_class_alone_no_answer_is_better_than_that_class():
    truth = np.ones(20, int)
    _, balanced = gains("classification", np.eye(2)[[1] * 20], truth)
    assert (balanced.constant, balanced.gain.value, balanced.gain.high) == (1.0, 0.0, 0.0)
    assert (balanced.gain.method, balanced.gain.kind) == ("one answer for all of test", "exact")
    assert balanced.gain.unit == "share"
    outputs = np.eye(2)[np.arange(20) // 2 % 2]
    _, balanced = gains("classification", outputs, truth)
    assert balanced.gain.value == pytest.approx(-0.5)
    assert balanced.gain.low < -0.5 < balanced.gain.high
