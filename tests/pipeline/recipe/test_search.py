"""``[search]``: what it accepts, and what it refuses."""

import pytest
import tiny
from edgestill.errors import RecipeError
from edgestill.pipeline.recipe.files import dump, load, of_tree
from edgestill.pipeline.recipe.search import LADDER, Search


@pytest.fixture
def path(tmp_path):
    return tiny.write(tmp_path)


def test_the_default_ladder_has_every_rung_the_cheapest_first():
    assert Search().ladder == LADDER
    assert LADDER.index("calibration") < LADDER.index("qat") < LADDER.index("larger")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('search={ models = ["resnet9"] }', "resnet8"),
        ('search={ models = ["nets:make"] }', "a function of yours has one size"),
        ("search={ widths = [8, 8] }", "each of them once"),
        ('search={ ladder = ["quat"] }', "'qat'"),
        ('search={ formats = ["litrt"] }', "did you mean 'litert'?"),
        ("search={ finalist_share = 0.0 }", "a number above 0 and at most 1"),
        ("search={ max_minutes = 0 }", "a number above 0"),
        ("search={ trials = 3 }", "search.trials"),
        ('student={ model = "auto", width = 16 }', "search.widths"),
        ('teacher={ model = "auto" }', "a family and a depth"),
        ('student={ model = "timm:resnet18" }', "a family and a depth"),
    ],
)
def test_what_makes_no_sense_is_refused_and_told(path, text, told):
    with pytest.raises(RecipeError) as error:
        load(path, [text])
    assert told in str(error.value)


def test_a_recipe_that_searches_is_written_and_read_back_as_it_is(path, tmp_path):
    recipe = load(path, ['student={ model = "auto" }', "search={ finalists = 2 }"])
    (tmp_path / "again.toml").write_text(dump(recipe))
    assert load(tmp_path / "again.toml") == recipe
    assert of_tree(recipe.model_dump(mode="json", exclude_none=True)) == recipe
