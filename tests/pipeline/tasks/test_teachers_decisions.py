"""Tasks without labels whose truth is what the teacher's logits decide."""

import numpy as np
import pytest
from edgestill.pipeline.tasks import of, teachers_decisions
from edgestill.pipeline.tasks.sampling import Sampling
from task_samples import SAMPLES

SAMPLING = Sampling(0.95)
LABELLED = {"class-logits": "classification", "label-logits": "multi-label"}


def decided(task, teacher):
    return teacher.argmax(1) if task == "class-logits" else (teacher > 0).astype(float)


@pytest.mark.parametrize("task", LABELLED)
def test_score_and_drop_are_those_of_the_labelled_task_against_the_teachers_decisions(task):
    outputs, teacher = SAMPLES[task]()
    truth, known = decided(task, teacher), of(LABELLED[task])
    assert of(task).labels is None
    assert of(task).score(outputs, teacher, SAMPLING) == known.score(outputs, truth, SAMPLING)
    worse = outputs[::-1].copy()
    found = of(task).drop(outputs, worse, teacher, SAMPLING)
    assert found == known.drop(outputs, worse, truth, SAMPLING)
    assert found.low > 0.0
    assert of(task).selection(teacher, teacher) == pytest.approx(1.0)


@pytest.mark.parametrize("task", LABELLED)
def test_no_metric_is_called_as_if_the_teacher_were_right(task):
    outputs, teacher = SAMPLES[task]()
    names = {metric.name for metric in of(task).reported}
    assert all("agreement" in name or "teacher" in name for name in names)
    assert set(of(task).metrics(outputs, teacher, SAMPLING)) == names


@pytest.mark.parametrize("task", LABELLED)
def test_a_comparison_needs_no_names_and_says_nothing_of_calibration(task):
    outputs, teacher = SAMPLES[task]()
    told = of(task).compare(outputs, teacher, None, (), SAMPLING)
    assert told.task == task
    assert told.teacher_calibration is None
    assert told.student_calibration is None
    assert [one.name for one in told.classes] == [str(i) for i in range(teacher.shape[1])]
    assert {one.teacher_recall for one in told.classes} == {1.0}
    assert told.figures["KL(teacher‖student)"].value > 0.0
    assert told.changed.won == told.changed.both_wrong == 0 or task == "label-logits"


def test_the_best_constant_answer_has_an_output_for_classes_that_are_never_decided():
    teacher = np.tile([3.0, 2.0, 0.0, 0.0], (6, 1))
    teacher[0] = [0.0, 1.0, 0.0, 0.0]
    best = teachers_decisions.CLASSES.metric.constant(teacher)
    assert best.shape == (6, 4)
    assert teachers_decisions.CLASSES.selection(best, teacher) == pytest.approx(5 / 6)
    assert teachers_decisions.CLASSES.constant_answer(teacher, ()) == "always answering '0'"
