"""Scores by group, and validation held against test."""

import dataclasses

import numpy as np
import pytest
import report_example as example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge.group_scores import by_group, validation_remark
from edgestill.pipeline.tasks import of

TASK = of("classification")


def outputs_with(right):
    """Outputs of two classes that are right where asked, for truth 0."""
    return np.where(np.asarray(right)[:, None], [2.0, 0.0], [0.0, 2.0])


def test_each_group_has_its_own_score_and_the_worst_is_first():
    groups = np.repeat(["ann", "bob", "eve"], [10, 20, 5])
    right = np.concatenate([np.arange(10) < 9, np.arange(20) < 12, np.arange(5) < 5])
    truth = np.zeros(35, np.int64)
    answers = {"teacher": outputs_with(np.ones(35, bool)), "fp32": outputs_with(right)}
    found = by_group(answers, truth, groups, TASK)
    assert [(group.name, group.samples) for group in found] == [
        ("bob", 20),
        ("ann", 10),
        ("eve", 5),
    ]
    assert [group.scores["fp32"] for group in found] == [0.6, 0.9, 1.0]
    assert {group.scores["teacher"] for group in found} == {1.0}
    assert by_group(answers, truth, None, TASK) == ()


def test_a_score_that_is_not_defined_on_a_group_is_none():
    regression, groups = of("regression"), np.array(["a", "a", "a", "b"])
    truth = np.array([[1.0], [2.0], [3.0], [4.0]])
    found = {g.name: g.scores["fp32"] for g in by_group({"fp32": truth}, truth, groups, regression)}
    assert found["a"] == 1.0
    assert found["b"] is None


def remark(validation, right, *, groups=False):
    report = example.report()
    student = report.variants.student.model_copy(update={"validation_score": validation})
    listed = {"test": {"g": len(right)}} if groups else {}
    data = report.data.model_copy(
        update={"groups": listed, "rows": report.data.rows | {"validation": 500}}
    )
    truth = np.zeros(len(right), np.int64)
    return validation_remark(student, data, outputs_with(right), truth, TASK)


def test_validation_far_above_test_is_remarked_on_with_its_cause():
    right = np.arange(1000) < 770
    said = remark(0.979, right)
    assert "accuracy is 97.9 % on validation and 77.0 % on test, above it by more than" in said
    assert "data.group" in said
    assert "test has others than validation (1 in all)" in remark(0.979, right, groups=True)
    assert "below it" in remark(0.5, right)


def test_the_metric_that_chose_the_epoch_is_held_against_itself_on_test():
    # Every answer is the common class: accuracy 0.9, balanced accuracy 0.5.
    truth = (np.arange(1000) >= 900).astype(np.int64)
    report = example.report()
    data = report.data.model_copy(update={"rows": report.data.rows | {"validation": 500}})
    outputs = outputs_with(np.ones(1000, bool))

    def said(**changed):
        student = report.variants.student.model_copy(update=changed)
        return validation_remark(student, data, outputs, truth, TASK)

    assert said(validation_score=0.5, selected_by="balanced accuracy") is None
    assert "balanced accuracy is 90.0 % on validation and 50.0 %" in said(
        validation_score=0.9, selected_by="balanced accuracy"
    )
    assert said(validation_score=0.9, selected_by=None) is None


def test_a_metric_that_test_does_not_define_is_not_held_against_anything():
    report = example.report()
    student = report.variants.student.model_copy(update={"selected_by": "balanced accuracy"})
    task = dataclasses.replace(TASK, metrics=lambda *_: {})
    truth = np.zeros(100, np.int64)
    outputs = outputs_with(np.ones(100, bool))
    assert validation_remark(student, report.data, outputs, truth, task) is None


@pytest.mark.parametrize(
    ("validation", "sides"), [(0.84, None), (0.86, "above"), (0.56, None), (0.53, "below")]
)
def test_both_samples_make_the_difference_that_may_be_chance(validation, sides):
    """700 right of 1,000: 3.7 points at 99 %, times the root of 1 + 1000 / 60 is 15.5."""
    right, report = np.arange(1000) < 700, example.report()
    student = report.variants.student.model_copy(update={"validation_score": validation})
    data = report.data.model_copy(update={"rows": report.data.rows | {"validation": 60}})
    said = validation_remark(student, data, outputs_with(right), np.zeros(1000, np.int64), TASK)
    assert (said is None) == (sides is None)
    assert said is None or f"test, {sides} it by more than chance" in said


def test_a_test_without_any_error_may_have_had_three():
    """Three errors in 100 are 2.6 %, times the root of 1 + 100 / 400."""
    right, report = np.ones(100, bool), example.report()
    data = report.data.model_copy(update={"rows": report.data.rows | {"validation": 400}})
    for validation, told in ((0.972, False), (0.970, True)):
        student = report.variants.student.model_copy(update={"validation_score": validation})
        said = validation_remark(student, data, outputs_with(right), np.zeros(100, np.int64), TASK)
        assert (said is not None) == told


def test_the_worst_group_by_an_error_is_the_one_with_the_largest():
    groups, truth = np.repeat(["a", "b", "c"], 4), np.arange(12.0)[:, None]
    moved = truth + np.repeat([0.1, 3.0, 1.0], 4)[:, None] * np.tile([1.0, -1.0], 6)[:, None]
    regression = of("regression")
    task = dataclasses.replace(
        regression,
        reported=(regression.named("RMSE"),),
        score=lambda *given: regression.metrics(*given)["RMSE"],
    )
    found = by_group({"fp32": moved}, truth, groups, task)
    assert [group.name for group in found] == ["b", "c", "a"]


def test_what_may_be_chance_is_not_remarked_on():
    random = np.random.default_rng(0)
    said = 0
    for _ in range(300):
        right, validation = random.random(400) < 0.85, (random.random(500) < 0.85).mean()
        said += remark(validation, right) is not None
    assert said <= 9, "1 % of 300 and chance"
    assert remark(0.998, np.ones(1000, bool)) is None


@pytest.mark.parametrize(
    ("validation", "told"),
    [
        (0.611, None),
        (0.612, "R² is 0.612 on validation and 0.500 on test, above it"),
        (0.389, None),
        (0.388, "R² is 0.388 on validation and 0.500 on test, below it"),
    ],
)
def test_what_is_no_share_has_the_interval_of_test_alone_and_three_digits(validation, told):
    """A tenth on either side, times the root of 1 + 100 / 400, is 0.1118."""
    report, score = example.report(), Estimate(0.5, 0.4, 0.6, "t", 100, kind="measured")
    student = report.variants.student.model_copy(
        update={"validation_score": validation, "selected_by": None}
    )
    data = report.data.model_copy(update={"rows": report.data.rows | {"validation": 400}})
    task = dataclasses.replace(of("regression"), score=lambda *_: score)
    said = validation_remark(student, data, np.zeros((100, 1)), np.zeros((100, 1)), task)
    assert (said is None) == (told is None)
    assert told is None or f"the student's {told} by more than chance: the two splits" in said


@pytest.mark.parametrize("score", [(0.5, None, 0.6), (0.5, 0.4, None), (None, None, None)])
def test_a_score_on_test_without_an_interval_tells_of_nothing(score):
    report = example.report()
    found = Estimate(*score, "t", 100, "few groups", kind="measured")
    student = report.variants.student.model_copy(update={"validation_score": 0.99})
    task = dataclasses.replace(TASK, score=lambda *_: found)
    truth = np.zeros(100, np.int64)
    said = validation_remark(student, report.data, outputs_with(np.ones(100)), truth, task)
    assert said is None


def test_a_group_without_a_score_of_fp32_comes_last_and_its_own_rows_are_scored():
    asked = []

    def score(outputs, truth, sampling):
        asked.append((outputs.tolist(), truth.tolist(), sampling.confidence))
        return Estimate.exact(float(outputs.sum()), "t") if truth[0] else Estimate.unknown("none")

    task = dataclasses.replace(TASK, score=score)
    outputs, truth = np.arange(4.0), np.array([0, 1, 0, 1])
    groups = np.array(["a", "b", "a", "c"])
    found = by_group({"fp32": outputs}, truth, groups, task)
    assert [(g.name, g.samples, g.scores) for g in found] == [
        ("b", 1, {"fp32": 1.0}), ("c", 1, {"fp32": 3.0}), ("a", 2, {"fp32": None}),
    ]  # fmt: skip
    assert asked == [([0.0, 2.0], [0, 0], 0.99), ([1.0], [1], 0.99), ([3.0], [1], 0.99)]
