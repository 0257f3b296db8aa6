"""Recorded outputs: of quantized classes the class is compared, else every number."""

import numpy as np
import pytest
from edgestill.pipeline import tasks
from edgestill.pipeline.judge.golden import QUANTIZED_TOLERANCE, TOLERANCE, fault, rule_of

EXPECTED = np.array([[0.0, 4.0, 1.0], [2.0, -6.0, 1.0]], np.float32)


@pytest.mark.parametrize(
    ("task", "compare", "at_most"),
    [
        (None, "difference", 6.0 * TOLERANCE),
        ("classification", "class", 0.0),
        ("regression", "difference", 10.0 * QUANTIZED_TOLERANCE),
        ("multi-label", "difference", 10.0 * QUANTIZED_TOLERANCE),
    ],
)
def test_the_rule_follows_the_task_of_a_quantized_file(task, compare, at_most):
    rule = rule_of(EXPECTED, task and tasks.of(task))
    assert (rule.compare, rule.at_most) == (compare, pytest.approx(at_most))


def test_small_outputs_are_compared_as_if_the_largest_were_1():
    assert rule_of(EXPECTED / 100, None).at_most == TOLERANCE


def test_a_quantized_file_may_move_as_long_as_the_class_stays():
    rule = rule_of(EXPECTED, tasks.of("classification"))
    assert fault(EXPECTED * 0.5 + 3.0, EXPECTED, rule) is None
    assert fault(-EXPECTED, EXPECTED, rule) == "2 of 2 answers changed"


def test_a_number_may_differ_by_the_tolerance_and_no_more():
    rule = rule_of(EXPECTED, None)
    assert fault(EXPECTED + 5e-4, EXPECTED, rule) is None
    assert fault(EXPECTED + 7e-4, EXPECTED, rule) == "outputs differ by 0.0007 from those recorded"


def test_nan_is_a_fault():
    found = EXPECTED.copy()
    found[0, 0] = np.nan
    assert fault(found, EXPECTED, rule_of(EXPECTED, None)) is not None
