"""A model that a function of the user returns is checked before it is trained."""

import pytest
import torch
from edgestill.errors import ModelError
from edgestill.pipeline.models import factory
from edgestill.pipeline.models.signature import Signature
from edgestill.pipeline.recipe.architecture import Architecture

NAME = "models_of_test_factory"
SOURCE = """
from torch import nn

def linear(outputs=3):
    return nn.Sequential(nn.Linear(4, outputs), nn.BatchNorm1d(outputs)).eval()

def sequences():
    return nn.Unflatten(1, (2, 2))

def dictionary():
    return {}

class Several(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind, self.layer = kind, nn.Linear(4, 2)

    def forward(self, x):
        y = self.layer(x)
        return {"logits": y} if self.kind == "dict" else (y, x)

def several(kind):
    return Several(kind)
"""


@pytest.fixture(autouse=True)
def _module(tmp_path, monkeypatch):
    (tmp_path / f"{NAME}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)


def build(function, expected, **arguments):
    architecture = Architecture(model=f"{NAME}:{function}", arguments=arguments)
    return factory.build(architecture, Signature((4,), "table", expected))


def test_the_function_gets_the_arguments_of_the_recipe_and_its_mode_is_kept():
    net = build("linear", 5, outputs=5)
    assert net(torch.zeros(2, 4)).shape == (2, 5)
    assert not net.training


def test_a_teacher_of_vectors_may_give_any_number_but_no_more_axes():
    assert build("linear", 0, outputs=7)[0].out_features == 7
    with pytest.raises(ModelError, match=r"float32 \[2, 2, 2\].*expected float32 \[2, any number"):
        build("sequences", 0)


@pytest.mark.parametrize("kind", ["dict", "tuple"])
def test_a_model_of_several_outputs_is_told_to_return_one_tensor(kind):
    with pytest.raises(ModelError, match=f"found a {kind} for .*return one tensor from forward"):
        build("several", 2, kind=kind)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("linear", r"found float32 \[2, 3\] for float32 \[2, 4\], expected float32 \[2, 2\]"),
        ("dictionary", r"found a dict, expected a torch\.nn\.Module"),
        ("absent", "no function 'absent' in "),
    ],
)
def test_a_function_that_makes_no_such_model_is_refused(function, text):
    with pytest.raises(ModelError, match=text):
        build(function, 2)
