"""``edgestill.build``: recipes of every form, data and teachers in memory, what it says."""

import shutil
import subprocess
import tomllib

import edgestill
import numpy as np
import pytest
import tiny
from edgestill.errors import DataError, RecipeError
from edgestill.pipeline.api.build import build


def recipe_in_memory():
    tree = tomllib.loads(tiny.RECIPE)
    tree["teacher"]["epochs"] = tree["distill"]["epochs"] = 1
    tree["gate"] = {"max_size_kib": 100}
    return tree


def test_a_path_a_dict_and_a_recipe_are_one_build(workplace):
    from_path = edgestill.build("recipe.toml", progress=False)
    from_dict = edgestill.build(tomllib.loads(tiny.RECIPE), progress=False)
    assert from_dict.path == from_path.path
    recipe = edgestill.Recipe.model_validate(from_path.report.recipe, strict=False)
    assert edgestill.build(recipe, progress=False).path == from_path.path
    assert from_path.ran == from_dict.ran == ()
    assert isinstance(from_path, edgestill.Run)
    assert build("recipe.toml", progress=False) == from_path


def test_overrides_and_a_seed_change_a_recipe_of_any_form(workplace):
    told = {"overrides": {"gate.max_size_kib": 0.01}, "progress": False}
    recipe = edgestill.Recipe.model_validate(
        edgestill.build("recipe.toml", progress=False).report.recipe, strict=False
    )
    for form in ("recipe.toml", tomllib.loads(tiny.RECIPE), recipe):
        run = edgestill.build(form, **told)
        assert (run.outcome, run.ran) == ("not ready", ())
    with pytest.raises(RecipeError, match="seed"):
        edgestill.build(recipe, seed=-1, progress=False)


def test_arrays_in_memory_are_a_file_below_artifacts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny.write(tmp_path)
    with np.load("tiny.npz") as stored:
        x, y = stored["x"], stored["y"]
    tree = recipe_in_memory()
    del tree["data"]["source"]
    first = edgestill.build(tree, data=(x, y), until="data", progress=False)
    assert (first.stage, first.ran) == ("data", ("data",))
    assert first.record.rows["test"] == 72
    (file,) = (tmp_path / "artifacts" / "given").iterdir()
    again = edgestill.build("recipe.toml", data={"x": x, "y": y}, until="data", progress=False)
    assert (again.key, again.ran) == (first.key, ())
    assert list((tmp_path / "artifacts" / "given").iterdir()) == [file]
    with pytest.raises(DataError, match="expected \\(x, y\\)"):
        edgestill.build(tree, data=x, progress=False)


def test_a_dict_with_a_wrong_key_is_refused_by_the_key():
    with pytest.raises(RecipeError, match=r"the recipe: studend: unknown key.*'student'"):
        edgestill.build({**recipe_in_memory(), "studend": {}}, progress=False)


def test_a_function_is_told_the_stages_and_can_end_the_build(workplace):
    shutil.rmtree(workplace / "artifacts")
    events = []

    def follow(event):
        events.append(event)
        if event.stage == "teacher" and event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edgestill.build("recipe.toml", progress=follow)
    begun = [event.stage for event in events if event.kind == "begin"]
    assert begun == ["data", "teacher"]
    last = events[-1]
    assert (last.stage, last.number, last.stages) == ("teacher", 2, 9)
    assert (last.done, last.total) == (2, 72)
    assert edgestill.build("recipe.toml", until="data", progress=False).ran == ()


@pytest.mark.slow
def test_a_module_teaches_by_its_answers(tmp_path):
    import torch

    torch.manual_seed(0)
    tiny.write(tmp_path)
    with np.load(tmp_path / "tiny.npz") as stored:
        x, y = stored["x"], stored["y"]
    module = torch.nn.Linear(6, 3)
    optimizer = torch.optim.Adam(module.parameters(), 0.05)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(inputs), labels).backward()
        optimizer.step()
    tree = recipe_in_memory()
    tree["distill"]["epochs"] = 12
    run = edgestill.build(
        tree, data=(inputs, labels), teacher=module, artifacts=tmp_path / "a", progress=False
    )
    (teacher,) = run.report.teachers
    assert teacher.origin == "black box"
    assert run.report.quality.teacher_score.value > 0.8
    assert run["fp32"].score.value > 0.6


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_recipe_in_a_repository_has_its_commit_in_the_report(workplace):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *who, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet")
    git("add", "recipe.toml")
    git("commit", "--quiet", "-m", "first")
    told = {"gate.max_size_kib": 50}
    run = edgestill.build("recipe.toml", overrides=told, progress=False)
    assert run.report.commit.sha == git("rev-parse", "HEAD")
    assert not run.report.commit.changed
    told = {"gate.max_size_kib": 51}
    in_memory = edgestill.build(tomllib.loads(tiny.RECIPE), overrides=told, progress=False)
    assert in_memory.report.commit is None
