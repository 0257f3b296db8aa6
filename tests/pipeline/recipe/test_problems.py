"""Everything that is wrong with a recipe is told at once, a line a problem."""

import copy
import datetime
import math
import re
import tomllib

import pytest
from edgestill.errors import RecipeError
from edgestill.pipeline.preflight import KNOWN
from edgestill.pipeline.recipe.files import compress_part, parse
from edgestill.pipeline.recipe.incomplete import part_of
from edgestill.pipeline.recipe.problems import Checked, refusals
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
        parse(tomllib.loads(text), where="r.toml", overrides=overrides, checks=KNOWN)
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


def test_a_section_that_an_option_alone_made_is_blamed_on_the_option():
    (told,) = lines(overrides=["distil.temperature=2"])
    assert told == "--set: distil: unknown key; did you mean 'distill'?"
    (told,) = lines(("[gate]", "[distil]\nalpha = 0.5\n[gate]"), overrides=["distil.epochs=2"])
    assert told == "r.toml: distil: unknown key; did you mean 'distill'?"
    (told,) = lines(overrides=["data.image.sise=2"])
    assert told == "--set: data.image.sise: unknown key; did you mean 'size'?"


def test_keys_that_do_not_go_together_name_the_option_that_set_one_of_them():
    source = 'source = "digits"'
    (told,) = lines((source, f"{source}\ntest = 0.6"), overrides=["data.validation=0.5"])
    assert told.startswith("r.toml with --set: data: expected test + validation + calibration")
    (told,) = lines((source, f"{source}\ntest = 0.95"), overrides=["seed=3"])
    assert told.startswith("r.toml: data: expected")


def test_settings_of_a_section_alone_blame_the_option_that_was_typed():
    with pytest.raises(RecipeError) as refused:
        compress_part(["int8-statik"], "host", ["percentil=99", "a"])
    told = [one.line() for one in refused.value.problems]
    assert told[0].startswith("--set: found 'a', expected key=value")
    assert told[1] == "--set: compress.percentil: unknown key; did you mean 'percentile'?"
    assert told[2].startswith("--method: compress.variants.0: found 'int8-statik'")


def test_a_key_with_two_problems_is_one_line():
    tree = {"gate": {"min_accuracy": "high"}}
    with pytest.raises(ValidationError) as invalid:
        Recipe.model_validate(tree)
    keys = [one.where for one in refusals(invalid.value, Checked(Recipe, tree, "r"))]
    assert len(keys) == len(set(keys))


def test_what_several_keys_are_together_is_told_with_what_single_keys_are():
    told = lines(
        ('model = "resnet20"', 'model = "resnet20"\nepochs = -1\nnormalize = "no"'),
        ('source = "digits"', 'source = "npx:d.npz"\nmean = [1.0]\ntest = 0.6\nvalidation = 0.5'),
        ('model = "resnet8"', 'model = "auto"\nwidth = 4\ntune = "frozen"'),
        ("[gate]", '[export]\nlitert_layout = "nhwc"\n[gate]\nruntimes = ["litert"]\nmin_f0 = 1'),
    )
    assert [line.partition(", ")[0] for line in told] == [
        "r.toml: teacher.epochs: found -1",
        "r.toml: teacher.normalize: found 'no'",
        "r.toml: the recipe: expected formats of export.formats (onnx",
        "r.toml: the recipe: expected 'litert' or 'tflite-micro' in export.formats",
        "r.toml: data: expected test + validation + calibration below 1",
        "r.toml: data: expected mean and std together",
        "r.toml: student: expected weights beside tune = 'frozen'",
        "r.toml: student: expected no width",
        "data.source: found 'npx:d.npz'",
        "gate.min_f0: found a budget that classification does not have",
    ]


def test_a_check_of_several_keys_is_left_out_where_one_of_them_is_wrong():
    (split,) = lines(('source = "digits"', 'source = "digits"\ntest = "x"\nvalidation = 0.95'))
    assert "data.test: found 'x'" in split
    (budget,) = lines(("min_accuracy = 0.9", 'min_accuracy = "high"'))
    assert "gate.min_accuracy" in budget
    (task,) = lines(('source = "digits"', 'source = "digits"\ntask = "x"'), ("min_acc", "min_f0_"))
    assert "data.task" in task


def test_a_recipe_that_is_wrong_in_several_keys_together_alone_tells_them_all():
    told = lines(
        ('source = "digits"', 'source = "digits"\nstd = [1.0]\ntest = 0.9'),
        ('model = "resnet8"', 'model = "resnet8"\nsample_shares = [0.5]'),
        ("min_accuracy = 0.9", 'min_accuracy = 0.9\nruntimes = ["litert"]'),
    )
    assert len(told) == 5
    assert told[-1].startswith("student.sample_shares: found sample_shares and a teacher")


def test_what_a_task_lacks_and_what_needs_a_teacher_is_told_for_every_key():
    told = lines(
        ('name = "x"', 'name = ""'),
        ('model = "resnet20"', 'model = "none"'),
        ("min_accuracy = 0.9", "min_agreement = 0.9\nmax_drop_vs_teacher = 0.1\nmin_r2 = 0.5"),
    )
    assert [line.partition(": ")[0] for line in told] == [
        "r.toml",
        "gate.min_r2",
        "gate.max_drop_vs_teacher",
        "gate.min_agreement",
    ]


def test_a_name_that_is_no_bare_key_stands_in_quotes():
    (told,) = lines(("[gate]", '[teacher.arguments]\n"a b" = [1]\n[gate]'))
    assert told.startswith('r.toml: teacher.arguments."a b": found [1], expected true or false')


BAD = (
    True, -1, 10**30, 1.5, math.nan, math.inf, "", "x", [], ["a", "a"], [1, 1], [True], [[1]],
    [{}], [{"a": 1}], {}, {"a": 1}, {"a": [1]}, {"a": {}}, datetime.date(2020, 1, 1),
    datetime.time(1, 2),
)  # fmt: skip
"""A value of every type that TOML has, and of every shape that lists and tables have."""
OF_A_LIBRARY = re.compile(
    r"valid |Input |tuple|dictionar|pathlib|validation error|after validation|datetime"
    r"|True|False|None\b|greater than|less than"
)
FORM = re.compile(r"r\.toml: \S+: (found .+, expected .+|unknown key; .+|missing; .+|expected .+)")


def keys_of(part, before=()):
    for key, field in part.model_fields.items():
        yield (*before, key)
        if (inner := part_of(field.annotation)) is not None:
            yield from keys_of(inner, (*before, key))


KEYS = [*keys_of(Recipe), ("gate", "min_f1"), ("gate", "min_Recall"), ("zzz",)]


@pytest.mark.parametrize("section", sorted({key[0] for key in KEYS}))
def test_every_wrong_value_of_every_key_is_told_in_words_of_a_recipe(section):
    told = set()
    for key in (key for key in KEYS if key[0] == section):
        for value in BAD:
            tree = copy.deepcopy(tomllib.loads(GOOD))
            table = tree
            for step in key[:-1]:
                table = table.setdefault(step, {})
            table[key[-1]] = value
            try:
                parse(tree, where="r.toml")
            except RecipeError as refused:
                told |= {one.line() for one in refused.problems}
    assert told
    assert [line for line in told if not FORM.fullmatch(line) or OF_A_LIBRARY.search(line)] == []
