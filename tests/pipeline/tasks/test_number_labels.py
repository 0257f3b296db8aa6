"""Labels that are numbers: shapes, names, and which numbers are allowed."""

import numpy as np
import pytest
from edgestill.errors import DataError
from edgestill.pipeline.tasks import of
from edgestill.pipeline.tasks.number_labels import listed, read

WHERE = "npz:d.npz"
MOST = float(np.finfo(np.float32).max)


def refusal(names=(), *, values=(), flat=False, **splits):
    labels = {split: np.array(y) for split, y in splits.items()}
    with pytest.raises(DataError) as caught:
        read(labels, names, WHERE, values=values, flat=flat)
    return caught.value


def test_one_number_a_sample_is_y_where_it_may_come_flat():
    for y in ([1.5, 2.5], [[1.5], [2.5]]):
        found = read({"all": np.array(y)}, (), WHERE, flat=True)
        assert (found.names, found.of["all"].tolist()) == (("y",), [[1.5], [2.5]])
    assert read({"all": np.ones((1, 1))}, (), WHERE).names == ("0",)
    assert read({"all": np.ones((1, 2))}, (), WHERE, flat=True).names == ("0", "1")
    assert read({"all": np.ones((1, 2))}, ("a", "b"), WHERE).names == ("a", "b")


def test_all_splits_have_as_many_numbers_as_there_are_names():
    said = refusal(train=[[1.0, 2.0]], test=[[1.0]])
    assert said.found == "splits with [1, 2] numbers per sample"
    assert (said.expected, said.where) == ("as many in every split", WHERE)
    said = refusal(("a", "b", "c"), all=[[1.0, 2.0]])
    assert said.found == "3 names for 2 numbers per sample"
    assert (said.expected, said.where) == ("2", "data.labels")


@pytest.mark.parametrize(
    ("y", "what"),
    [
        ([1.0, 2.0], "float64 [2]"),
        ([[[1.0]]], "float64 [1, 1, 1]"),
        ([["a", "b"]], "<U1 [1, 2]"),
        ([[1j]], "complex128 [1, 1]"),
    ],
)
def test_only_a_table_of_numbers_is_taken(y, what):
    said = refusal(all=y)
    assert (said.found, said.where) == (f"y of {what}", WHERE)
    assert said.expected == "numbers, [n, numbers per sample]"
    for kind in (np.bool_, np.uint8, np.int64, np.float32):
        assert read({"all": np.ones((1, 1), kind)}, (), WHERE).of["all"].dtype == np.float32


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.001 * MOST, -1.001 * MOST])
def test_a_number_that_float32_does_not_hold_is_shown_with_its_place(bad):
    said = refusal(train=[[0.0, 0.0]], test=[[0.0, 0.0], [0.0, bad], [bad, 0.0]])
    assert said.found == f"{bad} in row 1, answer 1 of test"
    assert (said.expected, said.where) == ("finite float32 numbers", WHERE)
    assert read({"all": np.array([[MOST, -MOST]])}, (), WHERE).of["all"].tolist() == [[MOST, -MOST]]


def test_only_the_allowed_numbers_are_taken():
    said = refusal(values=(0.0, 1.0), all=[[0, 1], [2, 1]])
    assert (said.found, said.expected) == ("2.0 in row 1, answer 0 of all", "0 or 1")
    assert refusal(values=(0.0, 1.0), all=[[np.inf]]).expected == "0 or 1"
    assert listed((0.0, 0.5, 2.0)) == "0 or 0.5 or 2"


def test_regression_takes_flat_numbers_and_labels_only_0_and_1():
    read_numbers, read_labels = (of(t).labels.read for t in ("regression", "multi-label"))
    found = read_numbers({"all": np.array([1.5, 2.5])}, ("price",), WHERE)
    assert (found.of["all"].tolist(), found.names) == ([[1.5], [2.5]], ("price",))
    found = read_labels({"all": np.array([[1, 0]])}, ("wet", "hot"), WHERE)
    assert (found.of["all"].tolist(), found.names) == ([[1.0, 0.0]], ("wet", "hot"))
    for read_any in (read_numbers, read_labels):
        with pytest.raises(DataError) as caught:
            read_any({"all": np.array([[np.nan]])}, (), WHERE)
        assert caught.value.where == WHERE
