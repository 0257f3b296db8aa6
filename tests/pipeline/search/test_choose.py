"""``student.model = "auto"``: the student that is chosen."""

import pytest
from edgestill.errors import RecipeError
from edgestill.pipeline.search.choose import choose
from fake_trials import FakeTrials, recipe

WIDTHS = [4, 8, 12, 16, 24, 32]


def auto(**search):
    return recipe(
        student={"model": "auto"}, search={"models": ["resnet8"], "widths": WIDTHS, **search}
    )


def worth(best, ms=lambda width: width / 16):
    """The score is the better the nearer to one width."""
    return lambda r: {
        "fp32": (1.0 - abs(r.student.width - best) / 100, ms(r.student.width)),
        "int8-static": (0.9, ms(r.student.width)),
    }


def test_the_best_of_the_largest_that_fit_becomes_the_student():
    trials = FakeTrials(worth(best=8))
    found = choose(auto(), trials)
    # 16 takes 1 ms and 5 % are kept clear, so 12, 8 and 4 are trained.
    assert trials.trained == [(12, 0.25), (8, 0.25), (4, 0.25)]
    assert found.recipe.student.width == found.cost.width == 8
    assert {cost.width for cost in found.scores} == {12, 8, 4}


def test_one_finalist_is_not_trained_before_its_time():
    trials = FakeTrials(worth(best=4))
    found = choose(auto(finalists=1), trials)
    assert trials.trained == []
    assert found.cost.width == 12


def test_of_many_a_third_goes_on_for_three_times_as_long():
    trials = FakeTrials(worth(best=24, ms=lambda width: 0.1))
    found = choose(auto(finalists=6, finalist_share=0.1), trials)
    first = [width for width, share in trials.trained if share == 0.1]
    then = [width for width, share in trials.trained if share > 0.1]
    assert sorted(first) == WIDTHS
    assert sorted(then) == [24, 32]
    assert found.cost.width == 24


def test_where_none_fits_the_nearest_is_taken():
    trials = FakeTrials(worth(best=8, ms=lambda width: 2.0 + width))
    found = choose(auto(), trials)
    assert trials.trained == []
    assert found.cost.width == 4
    assert found.candidates.fitting() == []


def test_a_choice_by_nothing_is_refused():
    given = recipe(student={"model": "auto"}, gate={"min_accuracy": 0.9, "max_drop_vs_fp32": 0.1})
    trials = FakeTrials(worth(best=8))
    with pytest.raises(RecipeError, match=r"no budget that a student.*max_p50_ms.*max_size_kib"):
        choose(given, trials)
    assert trials.measured == []


def test_what_the_recipe_asks_of_the_data_is_checked_before_a_candidate_is_measured():
    trials = FakeTrials(worth(best=8))
    given = auto().model_copy(update={"distill": recipe(distill={"views": 3}).distill})
    with pytest.raises(RecipeError, match=r"views = 3, and nothing in \[augment\]"):
        choose(given, trials)
    assert trials.measured == []
