"""Taps: the outputs of a model's layers, and refusals of names and of layers without a tensor."""

import pytest
import torch
from edgestill.errors import ModelError, RecipeError
from edgestill.pipeline.distill.layers import Taps
from small_layers import convolutions, images
from torch import nn

# --- taps -------------------------------------------------------------------------------------


def test_a_tap_takes_what_the_layer_gave():
    model, x = convolutions().eval(), images()
    with Taps(model, ["stage1", "head", "stage1"], "here") as taps:
        outputs = model(x)
        taken = taps.taken
    assert set(taken) == {"stage1", "head"}
    torch.testing.assert_close(taken["stage1"], model.stage1(x), rtol=0, atol=0)
    torch.testing.assert_close(taken["head"], outputs, rtol=0, atol=0)


def test_a_tap_is_that_of_the_latest_pass():
    model = convolutions().eval()
    with Taps(model, ["stage1"], "here") as taps:
        model(images(seed=1))
        model(images(seed=2))
        torch.testing.assert_close(taps.taken["stage1"], model.stage1(images(seed=2)))


def test_a_layer_behind_that_writes_in_place_does_not_change_what_was_taken():
    model, x = convolutions().eval(), images()
    with Taps(model, ["stage1.1"], "here") as taps:
        model(x)
        taken = taps.taken["stage1.1"]
    assert taken.min() < 0  # the ReLU behind would leave nothing below zero
    torch.testing.assert_close(taken, model.stage1[1](model.stage1[0](x)), rtol=0, atol=0)


def test_gradient_flows_through_a_tap():
    model = convolutions()
    with Taps(model, ["stage1"], "here") as taps:
        model(images())
        taps.taken["stage1"].sum().backward()
    assert model.stage1[0].weight.grad.abs().sum() > 0
    assert model.head.weight.grad is None


def test_closing_removes_every_hook_and_what_was_taken():
    model = convolutions()
    before = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()]
    taps = Taps(model, ["stage1", "stage2.0"], "here")
    model(images())
    taps.close()
    after = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()]
    assert after == before
    model(images())
    with pytest.raises(ModelError):
        _ = taps.taken


class Odd(nn.Module):
    """Layers that run twice, or never, or give more or less than a tensor."""

    def __init__(self):
        super().__init__()
        self.twice = nn.Linear(3, 3)
        self.never = nn.Linear(3, 3)
        self.several = Gives(lambda x: (None, [x + 1, x + 2]))
        self.named = Gives(lambda x: {"loss": None, "state": x + 3})
        self.nothing = Gives(lambda x: "text")

    def forward(self, x):
        self.several(x)
        self.named(x)
        self.nothing(x)
        return self.twice(self.twice(x))


class Gives(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_of_a_layer_that_ran_twice_the_last_output_is_taken():
    model, x = Odd(), torch.ones(2, 3)
    with Taps(model, ["twice"], "here") as taps:
        assert torch.equal(model(x), taps.taken["twice"])


def test_of_several_outputs_the_first_tensor_is_taken():
    model, x = Odd(), torch.ones(2, 3)
    with Taps(model, ["several", "named"], "here") as taps:
        model(x)
        assert torch.equal(taps.taken["several"], x + 1)
        assert torch.equal(taps.taken["named"], x + 3)


def test_a_layer_that_never_ran_is_an_error():
    model = Odd()
    with Taps(model, ["twice", "never"], "here") as taps:
        model(torch.ones(2, 3))
        with pytest.raises(ModelError, match="here: found layer 'never', which the model does not"):
            _ = taps.taken


def test_what_an_earlier_pass_gave_does_not_stand_in_for_a_layer_that_is_left_out():
    class Sometimes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x, through):
            return self.layer(x) if through else x

    model, x = Sometimes(), torch.ones(2, 3)
    with Taps(model, ["layer"], "here") as taps:
        model(x, True)
        model(x, False)
        with pytest.raises(ModelError):
            _ = taps.taken


def test_a_layer_that_gives_no_tensor_is_an_error():
    model = Odd()
    with Taps(model, ["nothing"], "here"), pytest.raises(ModelError, match=r"'nothing'.*gives str"):
        model(torch.ones(2, 3))


@pytest.mark.parametrize(
    ("name", "near"),
    [("stage1.00", "stage1.0"), ("backbone.stage2.1", "stage2.1"), ("haed", "head")],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, near):
    with pytest.raises(RecipeError) as caught:
        Taps(convolutions(), ["head", name], "distill.layers, student")
    assert caught.value.where == "distill.layers, student"
    assert caught.value.found == repr(name)
    assert f"did you mean {near!r}?" in caught.value.fix


def test_a_name_near_to_none_is_refused_with_those_there_are():
    with pytest.raises(RecipeError) as caught:
        Taps(convolutions(), ["xyz"], "here")
    assert "mean" not in caught.value.fix
    assert "known: 'stage1', " in caught.value.fix
    assert "'head'" in caught.value.fix


def test_the_whole_model_is_not_a_layer():
    with pytest.raises(RecipeError):
        Taps(convolutions(), [""], "here")


def test_a_refusal_in_a_deep_model_stays_short_and_shows_the_outer_layers():
    deep = nn.Sequential(*(nn.Sequential(*(nn.Linear(2, 2) for _ in range(30))) for _ in range(5)))
    with pytest.raises(RecipeError) as caught:
        Taps(deep, ["xyz"], "here")
    assert len(caught.value.fix) < 200
    assert "'0', " in caught.value.fix
    assert "'4'" in caught.value.fix
    assert caught.value.fix.endswith("…")
