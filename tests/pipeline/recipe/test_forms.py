"""What a key takes, in words that stand in no need of a schema or of Python."""

import datetime

import pytest
from edgestill.pipeline.recipe.forms import fix, node_at, shown, takes
from edgestill.pipeline.recipe.recipe import Recipe

SCHEMA = Recipe.model_json_schema()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("seed", "a whole number from 0 to 2,147,483,647"),
        ("threads", "a whole number from 1 to 1,024"),
        ("license", "text in quotes of 1 to 200 characters"),
        ("name", "a name of 1 to 64 letters from A to Z, digits, '.', '_' and '-', the first a"
                 " letter or a digit"),
        ("data", "a table"),
        ("data.image.size", "a list of 2 whole numbers from 1 to 4,096, such as [32, 32]"),
        ("data.image.size.1", "a whole number from 1 to 4,096"),
        ("data.image.channels", "1 or 3"),
        ("data.test_groups", "a list of texts in quotes or whole numbers"),
        ("data.test_groups.0", "text in quotes or a whole number"),
        ("data.std", "a list of numbers above 0, such as [0.25, 0.5]"),
        ("data.audio.low_hz", "a number of at least 0"),
        ("teacher.train", "true or false"),
        ("teacher.weights", "a path in quotes"),
        ("teacher.members", "a list of tables"),
        ("teacher.members.0.width", "a whole number from 1 to 8,192"),
        ("teacher.warmup", "a number of at least 0 and below 1"),
        ("teacher.learning_rate", "a number above 0 and at most 10"),
        ("teacher.arguments",
         "a table of names, each with true or false, a number or text in quotes"),
        ("teacher.arguments.any", "true or false, a number or text in quotes"),
        ("distill.losses", "a table of at least one name, each with a number above 0"),
        ("distill.layers.0.loss",
         "'hint', 'attention', 'similarity', 'rkd', 'cosine' or 'module:function'"),
        ("search.choices", "a list of at least one of 'student', 'loss', 'temperature', 'alpha', "
                           "'epochs' or 'learning-rate', such as [\"student\"]"),
        ("search", "a table"),
        ("gate.min_score", "a number"),
        ("gate.runtimes", 'a list of texts in quotes, such as ["a", "b"]'),
    ],
)  # fmt: skip
def test_a_key_takes(key, words):
    node = node_at(SCHEMA, key.split("."))
    assert node is not None
    assert takes(node) == words


def test_a_limit_above_alone_is_said_so():
    assert takes({"type": "number", "maximum": 3}) == "a number of at most 3"
    assert takes({"type": "number", "exclusiveMaximum": 3}) == "a number below 3"


def test_a_key_that_is_none_has_no_schema():
    assert node_at(SCHEMA, ["data", "sauce"]) is None
    assert node_at(SCHEMA, ["seed", "0"]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        ("a", "'a'"),
        ({"a": 1}, "a table"),
        ((True, ("x", 1.5)), "[true, ['x', 1.5]]"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (datetime.time(1, 2), "01:02:00"),
        (float("inf"), "inf"),
        ("x" * 99, f"'{'x' * 58}…"),
    ],
)
def test_a_value_is_shown_as_a_recipe_has_it(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("teacher.epochs", "5", "write epochs = 5"),
        ("teacher.epochs", 5.0, "write epochs = 5"),
        ("teacher.epochs", 5.5, None),
        ("teacher.epochs", "five", None),
        ("teacher.train", "false", "write train = false"),
        ("teacher.train", 1, None),
        ("compress.variants", "fp32", 'write variants = ["fp32"]'),
        ("search.widths", 8, "write widths = [8]"),
        ("search.widths", "8", None),
        ("data.labels.1", 3, 'write "3"'),
        ("gate.min_accuracy", 95.0, "write min_accuracy = 0.95 for 95 %"),
        ("gate.min_accuracy", 950.0, None),
        ("gate.min_accuracy", "0.9", "write min_accuracy = 0.9"),
        ("teacher.members", {"model": "mlp1"}, "write [[…]], a header for each table of the list"),
        ("distill.losses", "kd", None),
    ],
)
def test_a_value_that_is_nearly_right_is_written_right(key, value, written):
    path = key.split(".")
    assert fix(value, node_at(SCHEMA, path), path[-1]) == written
