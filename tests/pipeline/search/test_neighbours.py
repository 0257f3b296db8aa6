"""Students next to a recipe's own."""

from edgestill.pipeline.search.neighbours import Around
from fake_trials import FakeTrials, recipe


def around(ms, **parts):
    trials = FakeTrials(lambda r: {"fp32": (0.9, ms(r.student.width)), "int8-static": (0.9, 9.0)})
    return Around(recipe(**parts), trials), trials


def test_the_next_larger_student_that_fits_is_measured_and_named():
    found, trials = around(lambda width: width / 20)
    assert next(found.larger()).width == 12
    assert trials.measured == [("resnet8", 12)]


def test_the_one_after_it_is_measured_when_it_is_asked_for():
    found, trials = around(lambda width: width / 20)
    larger = found.larger()
    assert [next(larger).width, next(larger).width] == [12, 16]
    assert trials.measured == [("resnet8", 12), ("resnet8", 16)]


def test_the_largest_smaller_student_that_fits_is_named():
    found, trials = around(lambda width: 0.5)
    assert next(found.smaller()).width == 4
    assert trials.measured == [("resnet8", 4)]


def test_where_no_neighbour_fits_there_is_none():
    found, _ = around(lambda width: 5.0)
    assert list(found.larger()) == []
    assert list(found.smaller()) == []


def test_without_budgets_of_resources_nothing_is_measured():
    found, trials = around(lambda width: 5.0, gate={"min_accuracy": 0.9})
    assert next(found.larger()).width == 12
    assert trials.measured == []


def test_neighbours_are_those_that_the_recipe_names():
    found, _ = around(lambda width: 0.5, search={"models": ["resnet8", "resnet14"], "widths": [5]})
    assert [(one.model, one.width) for one in found.smaller()] == [
        ("resnet14", 5),
        ("resnet8", 5),
    ]
    assert list(found.larger()) == []
