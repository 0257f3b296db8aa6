"""A loss of the user's, and a new built-in one, go from a recipe to a trained student."""

import subprocess
import sys

import pytest
import tiny
import torch
from edgestill.errors import RecipeError
from edgestill.pipeline import build as pipeline
from edgestill.pipeline.distill import feature_losses, losses, soft_losses
from edgestill.pipeline.distill.layers import LayerLosses
from edgestill.pipeline.recipe import loss_names
from edgestill.pipeline.recipe.distill import Distill, LayerPair, SoftLosses
from edgestill.pipeline.tasks import of
from torch import nn

pytestmark = pytest.mark.usefixtures("one_thread")

MODULE = """
import torch

def outputs(student, teacher, labels, settings):
    assert labels.dtype == torch.int64
    return (student - teacher).abs().mean() * settings.temperature

def features(student, teacher):
    assert student.shape[1] == 8 and teacher.shape[1] == 32
    return (student.mean(1) - teacher.mean(1)).square().mean()

def vector(student, teacher, *more):
    return (student - teacher).square().mean(1)

def number(student, teacher, *more):
    return 1.0

def detached(student, teacher, *more):
    return (student.detach() - teacher).square().mean()

def nan(student, teacher, *more):
    return student.mean() * float("nan")

def fails(student, teacher, *more):
    raise ValueError("no such thing")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's in the current folder, gone again afterwards."""
    (tmp_path / "my_losses.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path / "my_losses.py"
    sys.modules.pop("my_losses", None)


def changed(recipe, **lines):
    """A recipe with lines below ``[distill]``."""
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    recipe.write_text(recipe.read_text().replace("[distill]\n", f"[distill]\n{text}"))
    return recipe


def built(recipe):
    return pipeline.build(recipe, artifacts=recipe.parent / "artifacts", until="student")


def test_a_users_losses_train_a_student_and_their_text_is_in_its_key(module, tmp_path):
    layer = '{ loss = "my_losses:features", teacher = "1", student = "1" }'
    recipe = changed(
        tiny.write(tmp_path),
        losses='{ "my_losses:outputs" = 1.0, kd = 0.5 }',
        layers=f"[{layer}]",
        views=0,
    )
    first = built(recipe)
    assert "student" in first.ran
    assert built(recipe).ran == ()
    module.write_text(MODULE + "\n# another version\n")
    again = built(recipe)
    assert set(again.ran) == {"student"}
    assert again.stopped.key == first.stopped.key, "the plain student knows no loss of the user's"


def test_a_soft_loss_of_the_users_changes_what_is_learnt(module):
    z = torch.randn(8, 3, requires_grad=True)
    t, y = torch.randn(8, 3), torch.arange(8) % 3
    soft = SoftLosses(losses={"my_losses:outputs": 2.0}, alpha=1.0, temperature=3.0)
    found = losses.distillation(soft, of("classification"))(z, z.mean(), y, t)
    assert found.item() == pytest.approx(6.0 * (z - t).abs().mean().item(), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("vector", "found float32 [8] from 'my_losses:vector', expected a float tensor without"),
        ("number", "found a float from 'my_losses:number', expected a float tensor without axes"),
        ("detached", "without a gradient from 'my_losses:detached', expected a finite scalar"),
        ("nan", "that is not finite from 'my_losses:nan', expected a finite scalar"),
        ("fails", "'my_losses:fails' failed with ValueError: no such thing"),
        ("absent", "no function 'absent' in "),
    ],
)
def test_a_function_that_is_no_loss_is_refused_before_any_training(module, name, says):
    with pytest.raises(RecipeError) as caught:
        losses.check(SoftLosses(losses={f"my_losses:{name}": 1.0}), of("classification"), 3)
    assert says in str(caught.value)
    assert caught.value.where == "distill.losses"


def test_a_loss_between_layers_that_is_no_loss_is_refused(module):
    def net(width):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 3))

    for name, says in (("vector", "found float32 [4]"), ("detached", "without a gradient")):
        pair = LayerPair(loss=f"my_losses:{name}", teacher="1", student="1")
        with pytest.raises(RecipeError) as caught:
            LayerLosses(net(8), net(8), (pair,), torch.randn(4, 6))
        assert says in str(caught.value)
        assert caught.value.where == "distill.layers"


def test_a_module_that_is_not_there_is_refused_with_what_to_do(tmp_path):
    recipe = changed(tiny.write(tmp_path), losses='{ "not_there:loss" = 1.0 }')
    with pytest.raises(RecipeError) as caught:
        built(recipe)
    assert caught.value.where == "distill.losses"
    assert caught.value.fix == f"put not_there.py in {tmp_path}"


@pytest.mark.slow
def test_the_command_refuses_a_users_loss_in_one_line(module, tmp_path):
    recipe = changed(tiny.write(tmp_path), losses='{ "my_losses:vector" = 1.0 }')
    done = subprocess.run(
        [sys.executable, "-m", "edgestill", "build", str(recipe), "--artifacts", "artifacts"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "distill.losses: found float32 [8] from 'my_losses:vector'" in " ".join(
        done.stderr.split()
    )


def huber(student, teacher, labels, settings):
    return torch.nn.functional.huber_loss(student, teacher, delta=settings.temperature)


def test_a_new_built_in_soft_loss_is_three_lines(monkeypatch, tmp_path):
    """Its function in a table, its name, and the task that it suits."""
    monkeypatch.setitem(soft_losses.SOFT_LOSSES, "huber", huber)
    monkeypatch.setattr(loss_names, "SOFT_LOSSES", [*loss_names.SOFT_LOSSES, "huber"])
    monkeypatch.setitem(of("classification").soft_losses, "huber", "huber")
    recipe = changed(tiny.write(tmp_path), losses="{ huber = 1.0 }")
    made = built(recipe)
    assert made.ran.count("student") == 2


def test_a_new_built_in_loss_between_layers_is_two_lines(monkeypatch):
    """Its function in a table, and its name."""
    monkeypatch.setitem(feature_losses.LAYER_LOSSES, "means", lambda s, t: (s - t).mean().square())
    monkeypatch.setattr(loss_names, "LAYER_LOSSES", [*loss_names.LAYER_LOSSES, "means"])
    pair = LayerPair(loss="means", teacher="0", student="0")
    assert losses.layer_loss(pair.loss)(torch.ones(2, 3), torch.zeros(2, 3)).item() == 1.0


def test_a_name_of_no_loss_is_refused_with_the_nearest_one():
    with pytest.raises(ValueError, match="or a function of yours as 'module:function'; did you"):
        Distill(losses={"mde": 1.0})
