"""What a plan refuses before any stage runs: modules of the user's, on samples as they are."""

import subprocess
import sys

import pytest
import tiny
from edgestill.errors import ModelError, ReachError
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.compress import untried
from edgestill.pipeline.engine.flow import Step
from edgestill.pipeline.finished.planned import Planned
from edgestill.pipeline.recipe import user_function
from edgestill.pipeline.recipe.files import load

NET = """
from torch import nn
def student(classes=3, width=8, columns=6):
    return nn.Sequential(nn.Linear(columns, width), nn.ReLU(), nn.Linear(width, classes))
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe whose student is a function of the user's."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(user_function, "_added", [])
    monkeypatch.setattr(user_function, "_beside", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "look_net.py").write_text(NET)
    return tiny.write(tmp_path)


def plan(recipe, tmp_path, *overrides):
    return pipeline.plan(load(recipe, ("student.model=look_net:student", *overrides)), tmp_path)


def test_a_module_that_takes_the_samples_is_planned(recipe, tmp_path):
    steps = plan(recipe, tmp_path)
    assert [step.stage for step in steps][:2] == ["data", "trial"]
    assert all(step.unchecked is None for step in steps)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("student.model=look_net:studnt", "no function 'studnt' in .*; did you mean 'student'"),
        ("teacher.model=look_net:techer", "teacher.model: no function 'techer' in "),
        ("student.arguments.clases=4", "unexpected keyword argument 'clases'; see that the recipe"),
        ("student.arguments.columns=7", "it must take rows of 6 columns"),
        ("student.arguments.classes=2", r"expected float32 \[2, 3\]"),
    ],
)
def test_what_a_build_would_refuse_of_a_module_is_refused_in_its_words(
    recipe, tmp_path, override, said
):
    with pytest.raises(ModelError, match=said) as planned:
        plan(recipe, tmp_path, override)
    with pytest.raises(ModelError) as built:
        pipeline.build(
            load(recipe, ("student.model=look_net:student", override)), artifacts=tmp_path / "a"
        )
    assert str(planned.value) == str(built.value)


def test_without_torch_it_is_said_that_the_module_was_not_tried(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(untried, "find_spec", lambda _: None)
    trial = plan(recipe, tmp_path, "student.arguments.clases=4")[1]
    assert trial.unchecked == untried.WITHOUT_TORCH
    with pytest.raises(ModelError, match="did you mean 'student'"):
        plan(recipe, tmp_path, "student.model=look_net:studnt")
    assert repr(Planned((trial,))).splitlines()[-1] == f"trial: {untried.WITHOUT_TORCH}"


def test_a_family_of_ours_is_planned_without_torch(recipe, tmp_path):
    code = (
        "import sys; from pathlib import Path; from edgestill.pipeline.build import plan; "
        "from edgestill.pipeline.recipe.files import load; "
        f"plan(load(Path({str(recipe)!r})), Path({str(tmp_path)!r})); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_stage_with_nothing_unchecked_says_nothing_of_it():
    document = Planned((Step("data", "9f", cached=True),)).to_dict()
    assert "unchecked" not in document["stages"][0]


def test_a_device_that_is_not_reached_is_refused_before_any_stage(recipe, tmp_path, monkeypatch):
    (tmp_path / "board.toml").write_text(
        'like = "raspberry-pi-5"\n[reach]\nvia = "ssh"\nhost = "board.invalid"\n'
    )
    asked = []

    def describe(place):
        asked.append(place.name)
        raise ReachError("a host that does not answer", where=place.name)

    monkeypatch.setattr("edgestill.devices.place.remote.Remote.describe", describe)
    told = load(recipe, (f"benchmark.device={tmp_path / 'board.toml'}",))
    artifacts = tmp_path / "artifacts"
    with pytest.raises(ReachError, match=r"^benchmark.device: ssh board.invalid: .*--until verify"):
        pipeline.build(told, artifacts=artifacts)
    assert asked == ["ssh board.invalid"]
    assert not list(artifacts.rglob("entry.json"))
    assert pipeline.build(told, artifacts=artifacts, until="data").ran == ("data",)
    pipeline.plan(told, artifacts)
    assert len(asked) == 1
