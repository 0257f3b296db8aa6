"""Moved digits: no digit in two splits, few labels, the same every time."""

import numpy as np
from edgestill.pipeline.data import moved_digits


def test_the_digits_of_a_split_are_in_no_other_and_few_of_train_have_a_label():
    arrays = moved_digits.read()
    digits = {s: set(arrays[f"group_{s}"]) for s in ("train", "validation", "calibration", "test")}
    assert sum(map(len, digits.values())) == len(set().union(*digits.values())) == 1797
    labelled = arrays["y_train"] >= 0
    assert (labelled.sum(), (~labelled).sum()) == (300, 1800)
    assert len(np.unique(arrays["y_train"][labelled])) == 10
    assert (arrays["y_test"] >= 0).all()
    assert arrays["x_train"].shape == (2100, 12, 12)
    assert arrays["x_train"].dtype == np.uint8


def test_the_same_digits_are_made_every_time():
    one, other = moved_digits.read(), moved_digits.read()
    assert all((one[key] == other[key]).all() for key in one)
