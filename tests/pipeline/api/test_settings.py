"""Settings as values by key, or as the texts of the command line."""

from pathlib import Path

import pytest
from edgestill.pipeline.api.settings import texts
from edgestill.pipeline.recipe.files import bundled, load


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2, "2"),
        (0.5, "0.5"),
        (True, "true"),
        ("a b", '"a b"'),
        (("onnx", "ort"), '["onnx", "ort"]'),
        ({"kd": 1.0}, "{ kd = 1.0 }"),
        ({"a value = b": 1}, '{ "a value = b" = 1 }'),
        (Path("/x/y.npz"), '"/x/y.npz"'),
    ],
)
def test_a_value_is_written_as_toml(value, written):
    assert texts({"a.b": value}) == (f"a.b={written}",)


def test_texts_stay_as_they_are_and_keys_go_below_a_section():
    assert texts("a=1") == ("a=1",)
    assert texts(["a=1", "b=2"], "gate.") == ("gate.a=1", "gate.b=2")
    assert texts({"max_size_kib": 9}, "gate.") == ("gate.max_size_kib=9",)


def test_a_recipe_takes_them():
    told = texts({"distill.temperature": 3, "distill.losses": {"kd": 1.0}, "name": "other"})
    recipe = load(bundled("digits"), told)
    assert (recipe.distill.temperature, recipe.name) == (3.0, "other")
