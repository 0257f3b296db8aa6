"""Students next to a recipe's own."""

from edgestill.pipeline.search.neighbours import Around
from fake_trials import FakeTrials, recipe


def around(ms, **parts):
    trials = FakeTrials(lambda r: {"fp32": (0.9, ms(r.student.width)), "int8-static": (0.9, 9.0)})
    return Around(recipe(**parts), trials), trials


def test_the_next_larger_student_that_fits_is_measured_and_named():
    found, trials = around(lambda width: width / 20)
    assert found.larger().width == 12
    assert trials.measured == [("resnet8", 12)]


def test_the_largest_smaller_student_that_fits_is_named():
    found, trials = around(lambda width: 0.5)
    assert found.smaller().width == 4
    assert trials.measured == [("resnet8", 4)]


def test_where_no_neighbour_fits_there_is_none():
    found, _ = around(lambda width: 5.0)
    assert found.larger() is None
    assert found.smaller() is None


def test_without_budgets_of_resources_nothing_is_measured():
    found, trials = around(lambda width: 5.0, gate={"min_accuracy": 0.9})
    assert found.larger().width == 12
    assert trials.measured == []
