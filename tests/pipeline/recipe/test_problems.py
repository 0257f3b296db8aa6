"""Everything that is wrong with a recipe is told at once, a line a problem."""

import tomllib

import pytest
from edgestill.errors import RecipeError
from edgestill.pipeline.recipe.files import compress_part, parse
from edgestill.pipeline.recipe.problems import refusals
from edgestill.pipeline.recipe.recipe import Recipe
from pydantic import ValidationError

GOOD = """
name = "x"
[data]
source = "digits"
[teacher]
model = "resnet20"
[student]
model = "resnet8"
[gate]
min_accuracy = 0.9
"""


def lines(*changes, overrides=()):
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(RecipeError) as refused:
        parse(tomllib.loads(text), where="r.toml", overrides=overrides)
    assert str(refused.value).splitlines() == [one.line() for one in refused.value.problems]
    return [one.line() for one in refused.value.problems]


def test_every_problem_is_a_line_with_its_key_what_was_found_and_the_fix():
    told = lines(
        ('name = "x"', 'nmae = "x"\nseed = "a"'),
        ('model = "resnet20"', 'model = "resmet20"\nepochs = -1\nbatchsize = 3'),
        ("[gate]", '[compress]\nvariants = ["fp23"]\n[gate]'),
        overrides=["distill", "distill.temperature=cold", "benchmark.procesess=3"],
    )
    assert [line.partition(";")[0].partition(", expected")[0] for line in told] == [
        "--set: found 'distill'",
        "r.toml: teacher.batchsize: unknown key",
        "--set: benchmark.procesess: unknown key",
        "r.toml: nmae: unknown key",
        "r.toml: seed: found 'a'",
        "r.toml: teacher.epochs: found -1",
        "r.toml: teacher.model: found 'resmet20'",
        "--set: distill.temperature: found 'cold'",
        "r.toml: compress.variants.0: found 'fp23'",
    ]
    assert told[1].endswith("did you mean 'batch_size'?")
    assert told[-1].endswith("did you mean 'fp32'?")


def test_what_follows_from_another_problem_is_left_out():
    (misspelt,) = lines(("[gate]", "[gaet]"))
    assert "did you mean 'gate'?" in misspelt
    (of_list,) = lines(("[gate]", '[compress]\nvariants = ["fp23"]\n[gate]'))
    assert "compress.variants.0" in of_list
    (entry,) = lines(("[gate]", "[distill]\nlosses = { kdd = 1.0 }\n[gate]"))
    assert entry.startswith("r.toml: distill.losses.kdd: found 'kdd'")


def test_what_does_not_follow_is_told_beside_a_misspelt_key():
    told = lines(("[gate]", "[gaet]"), ('[student]\nmodel = "resnet8"', ""))
    assert [line.partition(";")[0] for line in told] == [
        "r.toml: gaet: unknown key",
        "r.toml: student: missing",
    ]


def test_settings_of_a_section_alone_blame_the_option_that_was_typed():
    with pytest.raises(RecipeError) as refused:
        compress_part(["int8-statik"], "host", ["percentil=99", "a"])
    told = [one.line() for one in refused.value.problems]
    assert told[0].startswith("--set: found 'a', expected key=value")
    assert told[1] == "--set: compress.percentil: unknown key; did you mean 'percentile'?"
    assert told[2].startswith("--method: compress.variants.0: found 'int8-statik'")


def test_a_key_with_two_problems_is_one_line():
    with pytest.raises(ValidationError) as invalid:
        Recipe.model_validate({"gate": {"min_accuracy": "high"}})
    keys = [one.where for one in refusals(invalid.value, "r")]
    assert len(keys) == len(set(keys))
