"""A recipe without its wrong keys: what is right has its value, what is wrong has none."""

from functools import partial
from pathlib import Path

import pytest
from edgestill.errors import RecipeError, raise_all
from edgestill.pipeline.recipe.incomplete import disagreements, refused, without
from edgestill.pipeline.recipe.recipe import Recipe

TREE = {
    "name": "r",
    "data": {"source": "digits", "test": "x", "mean": (1.0,), "std": (1.0, 2.0)},
    "teacher": {"model": "mlp2", "epochs": 0, "members": ({"model": "resnet9"}, {"model": "m"})},
    "student": {"model": "mlp1", "weights": "a/b", "tune": "frozen"},
    "gate": {"min_accuracy": "x", "min_f1": 0.5, "max_p50_ms": 3},
}
WRONG = {("data", "test"), ("teacher", "members", "1", "model"), ("gate", "min_accuracy")}
half = partial(without, Recipe, TREE, WRONG)


def test_right_keys_have_their_values_and_defaults():
    recipe = half()
    assert recipe.data.validation == 0.1
    assert recipe.student.weights == Path("a/b")
    assert recipe.teacher.members[0].model == "resnet9"
    assert recipe.gate.budgets() == {"max_p50_ms": 3.0, "min_f1": 0.5}


@pytest.mark.parametrize(
    "read",
    [
        lambda recipe: recipe.data.test,
        lambda recipe: recipe.teacher.members[1].model,
        lambda recipe: recipe.gate.min_accuracy,
    ],
)
def test_a_wrong_key_has_no_value_and_no_default(read):
    with pytest.raises(AttributeError):
        read(half())


def test_a_section_that_is_missing_or_no_table_has_no_value():
    recipe = without(Recipe, {**TREE, "data": 3, "teacher": ()}, {*WRONG, ("data",), ("teacher",)})
    assert recipe.name == "r"
    for section in ("data", "teacher"):
        with pytest.raises(AttributeError):
            getattr(recipe, section)


def test_checks_of_several_keys_are_made_where_they_need_no_wrong_one():
    told = {path: str(error) for path, error in disagreements(half())}
    assert told == {
        ("data",): "as many values of std as of mean (1), not 2",
        ("teacher",): "weights for 'mlp2', which is not to be trained (epochs = 0; 1 or more "
        "train it)",
    }


def test_further_checks_are_made_likewise_and_all_they_refuse_is_told():
    def two(_):
        raise_all(RecipeError(text) for text in ("one", "two"))

    def needs(recipe):
        raise RecipeError(f"{recipe.data.test}")

    assert [one.found for one in refused(half(), (needs, two))] == ["one", "two"]
