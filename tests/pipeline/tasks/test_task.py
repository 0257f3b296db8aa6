"""The contract of a task: what it does of itself, and what it need not say."""

from dataclasses import replace

import numpy as np
import pytest
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.blocks import blocks, check_same_length, check_same_shape
from edgestill.pipeline.tasks.sampling import Sampling
from edgestill.pipeline.tasks.task import Task
from small_trainings import DATA

ANY = Sampling(0.95)
CLASSES, NUMBERS, VECTORS = (of(t) for t in ("classification", "regression", "embedding"))
STUDENT, TEACHER = np.eye(3)[[0, 1, 0]], np.eye(3)


def test_a_model_gives_one_output_for_each_name():
    data = DATA.model_copy(update={"labels": ("a", "b", "c", "d")})
    assert CLASSES.outputs(data) == 4
    assert VECTORS.outputs(data) is None


def test_a_shift_counts_samples_and_those_with_another_answer():
    found = CLASSES.shift(STUDENT, TEACHER, np.arange(3), ("a", "b", "c"))
    assert (found.samples, found.changed, found.outputs) == (3, 1, ())


def test_what_a_task_need_not_say():
    defaults = {name: field.default for name, field in Task.__dataclass_fields__.items()}
    left_out = defaults["left_out"](np.ones(4), 3)
    assert (left_out.tolist(), left_out.dtype) == ([False] * 3, np.bool_)
    assert defaults["output_shifts"](1, 2, 3, 4) == ()


@pytest.mark.parametrize(
    ("student", "teacher", "truth", "words"),
    [
        (STUDENT[:2], TEACHER, np.arange(3), r"student of shape \(2, 3\), a teacher of \(3, 3\)"),
        (STUDENT[:, :2], TEACHER, np.arange(3), "student of shape"),
        (STUDENT[0], TEACHER[0], np.arange(3), "student of shape"),
        (STUDENT[:0], TEACHER[:0], np.arange(0), "student of shape"),
        (STUDENT, TEACHER, None, "as many labels as there are samples"),
        (STUDENT, TEACHER, np.arange(4), "as many labels as there are samples"),
    ],
)
def test_what_cannot_be_compared_is_refused(student, teacher, truth, words):
    with pytest.raises(ValueError, match=words):
        CLASSES.compare(student, teacher, truth, ("a", "b", "c"), ANY)


def test_without_labels_the_truth_is_the_teacher():
    found = VECTORS.compare(STUDENT, TEACHER, None, (), ANY)
    assert found == VECTORS.compare(STUDENT, TEACHER, np.arange(9), (), ANY)
    assert found.agreement.value == pytest.approx(2 / 3)
    assert found.shift == VECTORS.shift(STUDENT, TEACHER, TEACHER, ())


def test_a_comparison_is_the_fidelity_with_the_shift():
    truth, names = np.array([[0.0], [1.0], [2.0]]), ("y",)
    student = truth + 0.5
    found = NUMBERS.compare(student, truth, truth, names, ANY)
    expected = NUMBERS.fidelity(student, truth, truth, names, ANY)
    assert found.model_copy(update={"shift": None}) == expected.model_copy(update={"shift": None})
    assert found.shift.changed == 3


def test_the_weighted_metric_chooses_only_where_none_is_named():
    weighted = replace(NUMBERS, weighted_by="MAE")
    assert weighted.chooses(None, class_weights=True).name == "MAE"
    assert weighted.chooses(None, class_weights=False).name == "R²"
    assert weighted.chooses("RMSE", class_weights=True).name == "RMSE"


def test_blocks_hold_as_many_rows_as_have_a_million_numbers():
    found = [(rows.start, rows.stop) for rows in blocks(5, 2**19)]
    assert found == [(0, 2), (2, 4), (4, 5)]
    assert [(rows.start, rows.stop) for rows in blocks(2, 2**21)] == [(0, 1), (1, 2)]
    assert [(rows.start, rows.stop) for rows in blocks(7, 0)] == [(0, 7)]
    assert [rows.stop for rows in blocks(2**20 + 1, 1)] == [2**20, 2**20 + 1]
    assert list(blocks(0, 3)) == []


def test_lengths_and_shapes_that_differ_are_shown():
    check_same_length(STUDENT, np.arange(3))
    check_same_shape(STUDENT, TEACHER)
    with pytest.raises(ValueError, match="3 outputs for 2 samples"):
        check_same_length(STUDENT, np.arange(2))
    with pytest.raises(ValueError, match="0 outputs for 0 samples"):
        check_same_length(STUDENT[:0], np.arange(0))
    shapes = r"outputs of shape \(3, 2\) for a truth of shape \(3, 3\)"
    with pytest.raises(ValueError, match=shapes):
        check_same_shape(STUDENT[:, :2], TEACHER)
    with pytest.raises(ValueError, match=r"outputs of shape \(0, 3\)"):
        check_same_shape(STUDENT[:0], TEACHER[:0])
