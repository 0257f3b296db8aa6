"""The stage that a build stops after."""

import pytest
import tiny
from edgestill.errors import UsageError
from edgestill.pipeline import until
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.stages import STAGES


def test_every_stage_is_known_and_another_name_is_refused_with_all_of_them():
    until.known(None)
    for stage in STAGES:
        until.known(stage)
    with pytest.raises(UsageError, match=r"--until: found 'students', expected one of data, "):
        until.known("students")


@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        ("trial", 'student={ model = "nets:make" }'),
        ("tuned", 'compress.variants=["pruned"]'),
        ("adaptation", 'student.weights="w.safetensors"'),
    ],
)
def test_a_stage_that_the_recipe_does_not_ask_for_is_refused(stage, settings, tmp_path):
    path = tiny.write(tmp_path)
    until.suits(stage, load(path, [settings]))
    until.suits("verify", load(path))
    with pytest.raises(UsageError, match=f"--until: found '{stage}', and no "):
        until.suits(stage, load(path))


@pytest.mark.parametrize("stage", ["teacher", "targets"])
def test_without_a_teacher_a_build_has_no_stage_of_it(stage, tmp_path):
    path = tiny.write(tmp_path)
    until.suits(stage, load(path))
    with pytest.raises(UsageError, match="and no teacher"):
        until.suits(stage, load(path, ["teacher={ model = 'none' }"]))
