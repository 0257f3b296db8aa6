"""Labels of each kind are read, named and counted, and what is wrong with them is refused."""

import numpy as np
import pytest
from edgestill.errors import DataError
from edgestill.pipeline.tasks import TASKS, class_labels, multi_label, number_labels
from edgestill.pipeline.tasks.probabilities import log_softmax, sigmoid

WHERE = "npz:d.npz"


def test_text_labels_are_numbered_in_sorted_order_or_in_that_of_the_names():
    labels = {"train": np.array(["dog", "cat"]), "test": np.array(["cat", "cat"])}
    read = class_labels.read(labels, (), WHERE)
    assert read.names == ("cat", "dog")
    assert [read.of[split].tolist() for split in labels] == [[1, 0], [0, 0]]
    read = class_labels.read(labels, ("dog", "cat"), WHERE)
    assert [read.of[split].tolist() for split in labels] == [[0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        ([[0, 1]], (), "one label a sample"),
        ([0, 2], ("a", "b"), "found label 2 in row 1 of all, expected 0 to 1"),
        ([0, -1], (), r'labels from -1 to 0 .*labels = \["-1", "0"\] in \[data\], or write y \+ 1'),
        ([1, 2, 3], (), r'3 different labels from 1 to 3 .*\["1", "2", "3"\].*or write y - 1'),
        ([0, 5, 9], (), r'every whole number from 0 to 2.*labels = \["0", "5", "9"\] in \[data\]$'),
        (np.arange(120) * 1000, (), 'if they are numbers to predict, say task = "regression"'),
        ([0.5, 1.25], (), 'label 0.5 in row 0 .*task = "regression" in'),
        ([[1, 0], [0, 1]], (), r"y.argmax\(axis=1\)"),
        ([0, 0.5], (), "whole numbers from 0"),
        (["a", "b"], ("a", "c"), "found label 'b' in row 1 of all"),
        ([0, 0], (), "one class"),
        ([0, 1], ("a", "a"), "the same label twice"),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused(labels, names, words):
    with pytest.raises(DataError, match=words):
        class_labels.read({"all": np.array(labels)}, names, WHERE)


def test_numbers_are_classes_by_value_where_the_recipe_names_their_values():
    read = class_labels.read({"all": np.array([10, 30, 20, 10])}, ("10", "20", "30"), WHERE)
    assert (read.of["all"].tolist(), read.names) == ([0, 2, 1, 0], ("10", "20", "30"))
    signs = class_labels.read({"all": np.array([-1.0, 1.0])}, ("-1", "1"), WHERE)
    assert signs.of["all"].tolist() == [0, 1]
    # From 0 on a number is the place of its name, whatever the names are.
    read = class_labels.read({"all": np.array([0, 1])}, ("1", "0"), WHERE)
    assert read.of["all"].tolist() == [0, 1]


def test_a_column_of_one_label_is_one_label_a_sample():
    read = class_labels.read({"all": np.array([[1], [0]])}, (), WHERE)
    assert read.of["all"].tolist() == [1, 0]


def test_numbers_are_float32_columns_with_names():
    read = number_labels.read({"all": np.arange(3)}, (), WHERE, flat=True)
    assert (read.of["all"].dtype, read.of["all"].shape, read.names) == (np.float32, (3, 1), ("y",))
    read = number_labels.read({"all": np.ones((3, 2))}, (), WHERE)
    assert read.names == ("0", "1")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([1, 0], "numbers, \\[n, numbers per sample\\]"),
        ([[0, 2]], "found 2.0 in row 0, answer 1 of all, expected 0 or 1"),
        ([[0, np.nan]], "expected 0 or 1"),
        ([["a", "b"]], "expected numbers"),
    ],
)
def test_labels_that_neither_hold_nor_not_are_refused(labels, words):
    with pytest.raises(DataError, match=words):
        multi_label.TASK.labels.read({"all": np.array(labels)}, (), WHERE)


def test_samples_of_each_class_and_label_are_counted():
    assert TASKS["classification"].labels.counts(np.array([0, 2, 2]), 4) == (1, 0, 2, 0)
    assert TASKS["multi-label"].labels.counts(np.array([[1.0, 0.0], [1.0, 0.0]]), 2) == (2, 0)
    assert TASKS["regression"].labels.counts is None


def test_probabilities_are_recognized_and_their_logits_give_them_back():
    p = np.array([[0.2, 0.8], [1.0, 0.0]], np.float32)
    of_classes, of_labels = (TASKS[t].probabilities for t in ("classification", "multi-label"))
    assert of_classes.recognized(p)
    assert not of_classes.recognized(p * 0.9)
    assert np.exp(log_softmax(of_classes.logits(p))) == pytest.approx(p, abs=1e-6)
    assert of_classes.of(of_classes.logits(p)) == pytest.approx(p, abs=1e-6)
    assert of_labels.of(of_labels.logits(p)) == pytest.approx(p, abs=1e-6)
    assert (of_classes.activation, of_labels.activation) == ("softmax", "sigmoid")
    assert of_labels.recognized(p * 0.9)
    assert not of_labels.recognized(p + 0.5)
    assert sigmoid(of_labels.logits(p).astype(np.float64)) == pytest.approx(p, abs=1e-6)
    assert all(TASKS[t].probabilities is None for t in ("regression", "embedding"))


def test_every_task_states_the_unit_and_the_direction_of_what_it_reports():
    for task in TASKS.values():
        assert task.metric.higher_is_better
        assert len({metric.name for metric in task.reported}) == len(task.reported)
    lower = {m.name for task in TASKS.values() for m in task.reported if not m.higher_is_better}
    assert lower == {"RMSE", "MAE"}
