"""Changed answers: which are shown, in which order, and how an answer is written."""

import numpy as np
import pytest
from edgestill.pipeline.tasks import blocks, classification, multi_label
from edgestill.pipeline.tasks.changed_answers import changed_record, changes, class_names


@pytest.mark.parametrize(
    ("numbers", "words"),
    [((0, 2), "a, c"), ((), "none"), ((3, -1, 1), "3, -1, b")],
)
def test_classes_without_a_name_are_written_as_numbers(numbers, words):
    assert class_names(numbers, ("a", "b", "c")) == words


def test_of_equal_margins_the_first_samples_are_shown():
    labels = np.zeros(20, np.int64)
    teacher = np.tile([1.0, 0.0], (20, 1))
    student = np.where(np.arange(20)[:, None] % 4 > 0, teacher[:, ::-1], teacher)
    found = changed_record(student, teacher, labels, classification.DECISION)
    assert (found.lost, found.won, found.both_wrong) == (15, 0, 0)
    rows = [row for row in range(20) if row % 4][:12]
    assert [shown.sample for shown in found.examples] == rows
    # Both give their own class e / (1 + e) and the other 1 / (1 + e).
    assert found.examples[0].margin == pytest.approx(np.tanh(0.5))


def test_the_margin_of_a_sample_does_not_depend_on_its_block(monkeypatch):
    random = np.random.default_rng(0)
    student, teacher = random.normal(size=(2, 50, 3))
    labels = random.integers(0, 3, 50)
    whole = changes(student, teacher, labels, classification.DECISION)
    monkeypatch.setattr(blocks, "_CELLS", 12)
    cut = changes(student, teacher, labels, classification.DECISION)
    assert whole.margin.tolist() == cut.margin.tolist()
    differ = student.argmax(1) != teacher.argmax(1)
    assert 5 < differ.sum() < 45
    assert (whole.margin != 0).tolist() == differ.tolist()


def test_a_sample_of_several_labels_is_right_where_all_of_them_are():
    truth = np.array([[1, 0], [1, 0], [1, 1], [0, 1]])
    teacher = np.array([[2.0, -2.0], [2.0, 2.0], [-2.0, -2.0], [-2.0, 2.0]])
    student = np.array([[2.0, 2.0], [2.0, -2.0], [2.0, -2.0], [-2.0, 1.0]])
    found = changes(student, teacher, truth, multi_label.DECISION)
    assert [rows.tolist() for rows in found[:3]] == [[0], [1], [2]]
    # Only the label that changed counts, not the one that moved from 2 to 1.
    sure = 1 / (1 + np.exp(-2)) - 1 / (1 + np.exp(2))
    assert found.margin == pytest.approx([sure, sure, sure, 0.0])
