"""Labels of classes: what is refused, in full words, and what lies on the edge of it."""

import numpy as np
import pytest
from edgestill.errors import DataError
from edgestill.pipeline.tasks.class_labels import read

WHERE = "npz:d.npz"


def refusal(names=(), **splits):
    with pytest.raises(DataError) as caught:
        read({split: np.array(y) for split, y in splits.items()}, names, WHERE)
    return caught.value


def numbered(*values, names=()):
    found = read({"all": np.array(values)}, names, WHERE)
    assert found.of["all"].dtype == np.int64
    return found.of["all"].tolist()


def test_a_text_that_is_no_name_is_shown_with_its_row_and_the_first_names():
    said = refusal(tuple("abcdefghij"), train=["a", "b"], test=["c", "z"])
    assert said.found == "label 'z' in row 1 of test"
    assert said.expected == "one of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']"
    assert said.where == WHERE


def test_a_number_without_a_name_is_shown_with_its_row():
    said = refusal(("a", "b", "c"), train=[0, 2], test=[1, 2, 3, 4])
    assert said.found == "label 3 in row 2 of test"
    assert (said.expected, said.where) == ("0 to 2, as there are 3 labels", WHERE)
    assert refusal(("a", "b"), all=[0, 1, -1]).found == "label -1 in row 2 of all"


def test_every_name_may_be_used_and_need_not_be():
    assert numbered(0, 2, names=("a", "b", "c")) == [0, 2]
    found = read({"train": np.array(["b"]), "test": np.array(["c"])}, ("a", "b", "c"), WHERE)
    assert ([y.tolist() for y in found.of.values()], len(found.names)) == ([[1], [2]], 3)


def test_numbers_that_are_names_count_by_value_only_where_places_cannot_be_meant():
    assert numbered(1, 2, names=("1", "2")) == [0, 1]
    assert numbered(-1, 1, names=("1", "0", "-1")) == [2, 0]
    assert numbered(1, 0, names=("1", "2")) == [1, 0]
    assert refusal(("1", "2"), all=[1, 2, 3]).found == "label 2 in row 1 of all"


def test_numbers_of_all_splits_together_run_from_0():
    found = read({"train": np.array([0, 1]), "test": np.array([2.0])}, (), WHERE)
    assert (found.names, found.of["test"].tolist()) == (("0", "1", "2"), [2])


@pytest.mark.parametrize(
    ("values", "found", "fix"),
    [
        ([1, 2], "from 1 to 2 (1, 2)", 'labels = ["1", "2"] in [data], or write y - 1'),
        ([-2, -1, 0], "from -2 to 0 (-2, -1, 0)", "in [data], or write y + 2"),
        # Numbers with gaps cannot be moved to their places.
        ([1, 3], "from 1 to 3 (1, 3)", 'labels = ["1", "3"] in [data]'),
        ([0, 2], "from 0 to 2 (0, 2)", 'labels = ["0", "2"] in [data]'),
        (range(1, 7), "from 1 to 6 (1, 2, 3, 4, 5, 6)", "or write y - 1"),
        (range(2, 9), "from 2 to 8 (2, 3, 4, 5, 6, 7, …)", "or write y - 2"),
        (range(1, 51), "from 1 to 50 (1, 2, 3, 4, 5, 6, …)", "or write y - 1"),
        (range(1, 52), "from 1 to 51 (1, 2, 3, 4, 5, 6, …)", 'task = "regression" in [data]'),
    ],
)
def test_numbers_that_do_not_run_from_0_are_refused_with_what_to_do(values, found, fix):
    said = refusal(all=list(values))
    assert said.found == f"{len(values)} different labels {found}"
    assert said.fix.endswith(fix)
    last = len(values) - 1
    assert said.expected == (f"every whole number from 0 to {last}, which are the model's outputs")
    assert said.where == WHERE


def test_bytes_are_text_in_utf_8():
    found = read({"all": np.array(["dög".encode(), b"cat"])}, (), WHERE)
    assert (found.of["all"].tolist(), found.names) == ([1, 0], ("cat", "dög"))
    said = refusal(train=[b"a"], test=[b"\xff"])
    assert said.found.startswith("labels of test that are not UTF-8 ('utf-8' codec")
    assert said.where == WHERE


def test_bytes_and_text_mix():
    found = read({"train": np.array([b"a", b"b"]), "test": np.array(["b"])}, (), WHERE)
    assert (found.names, found.of["test"].tolist()) == (("a", "b"), [1])


def test_text_and_numbers_do_not_mix():
    said = refusal(train=["a"], test=[1])
    assert (said.found, said.expected) == ("y of dtype <U1", "whole numbers or text")
    assert said.where == WHERE
    assert refusal(all=[1j, 0j]).found == "y of dtype complex128"


@pytest.mark.parametrize("bad", [0.5, np.nan, np.inf, -np.inf, 2.0**53 + 2, -(2.0**53) - 2])
def test_a_float_that_is_no_whole_number_is_shown_with_its_row(bad):
    said = refusal(train=[0.0, 1.0], test=[0.0, 1.0, bad, bad])
    assert said.found == f"label {bad} in row 2 of test"
    assert said.where == WHERE
    assert said.fix.endswith('task = "regression" in [data]')


def test_whole_numbers_may_be_of_any_kind_of_number():
    for kind in (np.uint8, np.int32, np.float32, np.bool_):
        assert numbered(*np.array([1, 0, 1], kind)) == [1, 0, 1]
    # The largest that a float surely holds is a number, if no class.
    assert refusal(all=[0.0, 2.0**53]).found.startswith("2 different labels from 0 to 90071992")


def test_one_label_a_sample_may_lie_in_a_column_and_no_other_shape():
    assert numbered([1], [0], [2]) == [1, 0, 2]
    for y, shape in [([[0, 1]], "[1, 2]"), ([[[0]], [[1]]], "[2, 1, 1]"), (0, "[]")]:
        said = refusal(all=y)
        assert (said.found, said.where) == (f"y of shape {shape}", WHERE)
        assert said.expected == "one label a sample, shape [n]"
        assert said.fix.endswith("y.argmax(axis=1)")


def test_fewer_than_two_classes_and_a_name_twice_are_refused():
    said = refusal(train=["a"], test=["a"])
    assert (said.found, said.expected, said.where) == ("one class", "at least two", WHERE)
    said = refusal(("a", "b", "a"), all=[0, 1])
    assert (said.found, said.where) == ("the same label twice", "data.labels")
    assert read({"all": np.array([0, 0])}, ("a", "b"), WHERE).names == ("a", "b")
