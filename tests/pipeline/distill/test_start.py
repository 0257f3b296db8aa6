"""A student that starts from other weights: its last layer anew, the rest loaded, some frozen."""

import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from edgestill.errors import ModelError
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.distill.loop import evaluate
from edgestill.pipeline.distill.probe import fit_head
from edgestill.pipeline.distill.start import begin
from edgestill.pipeline.distill.steps import scored_after
from edgestill.pipeline.models import FAMILIES, deployed
from edgestill.pipeline.models.weights import save
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.records import DataRecord
from safetensors.torch import save_file
from small_trainings import DATA, SHORT, copied, drawn, run
from torch import nn

SAMPLES = {
    "mlp": ("mlp3", "table", (6,)),
    "resnet": ("resnet8", "hwc", (8, 8, 3)),
    "mobilenet": ("mobilenet3", "hwc", (16, 16, 3)),
    "dscnn": ("dscnn2", "hw", (16, 8)),
    "conv1d": ("conv1d2", "tc", (24, 3)),
    "transformer": ("transformer2", "tokens", (12,)),
    "dan": ("dan1", "tokens", (12,)),
}


def data_of(family, classes):
    """A data set that a family takes."""
    _, layout, shape = SAMPLES[family]
    text = (
        {"vocabulary": 20, "dtype": "int32", "mean": (), "std": ()}
        if family in ("transformer", "dan")
        else {}
    )
    return DATA.model_copy(
        update={
            "labels": tuple(map(str, range(classes))),
            "layout": layout,
            "sample_shape": shape,
            **text,
        }
    )


def model_of(family, data):
    name, _, _ = SAMPLES[family]
    return deployed(Architecture(model=name, width=8), data)


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def test_every_family_gets_a_new_last_layer_and_all_else_of_the_weights(family, tmp_path):
    assert SAMPLES.keys() == FAMILIES.keys()
    torch.manual_seed(0)
    before = model_of(family, data_of(family, 5))
    save(before, tmp_path / "w.safetensors")
    torch.manual_seed(1)
    data = data_of(family, 3)
    after = model_of(family, data)
    fresh = copied(after)
    began = begin(after, tmp_path / "w.safetensors", "whole", data, family)
    assert isinstance(after.backbone.get_submodule(began.head), nn.Linear)
    assert began.frozen == ()
    assert began.trained == sum(p.numel() for p in after.parameters())
    loaded, old = after.state_dict(), before.state_dict()
    for key, value in loaded.items():
        of_head = key.startswith(f"backbone.{began.head}.")
        assert torch.equal(value, fresh[key] if of_head else old[key]), key


def test_with_as_many_classes_the_last_layer_is_new_all_the_same(family, tmp_path):
    data = data_of(family, 3)
    before, after = model_of(family, data), model_of(family, data)
    save(before, tmp_path / "w.safetensors")
    own = copied(after)
    head = begin(after, tmp_path / "w.safetensors", "whole", data, family).head
    key = f"backbone.{head}.weight"
    assert torch.equal(after.state_dict()[key], own[key])
    assert not torch.equal(after.state_dict()[key], before.state_dict()[key])


@pytest.mark.usefixtures("one_thread")
def test_the_last_layer_of_every_family_can_be_fitted(family, tmp_path):
    data = data_of(family, 3)
    torch.manual_seed(0)
    model = model_of(family, data)
    save(model, tmp_path / "w.safetensors")
    head = begin(model, tmp_path / "w.safetensors", "whole", data, family).head
    random = np.random.default_rng(0)
    x = random.integers(1, 20, (48, *data.sample_shape)).astype(data.dtype)
    samples = Arrays(x, np.arange(48) % 3)  # as many of each: no bias alone is better than chance
    assert fit_head(model, head, samples, samples, data, SHORT).samples == 48
    assert evaluate(model, samples, data)[0] < math.log(3.0) - 0.01


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("tune", ["frozen", "partly"])
def test_what_is_frozen_keeps_weights_and_statistics_through_a_training(tune, tmp_path):
    data = DATA.model_copy(update={"layout": "hw", "sample_shape": (6, 6)})
    torch.manual_seed(0)
    model = deployed(Architecture(model="resnet8", width=4), data)
    save(model, tmp_path / "w.safetensors")
    began = begin(model, tmp_path / "w.safetensors", tune, data, "resnet8")
    before = copied(model)
    run(model, frozen=began.frozen)
    after = model.state_dict()
    moved = {key for key in after if not torch.equal(after[key], before[key])}
    names = {id(module): name for name, module in model.named_modules()}
    kept = {names[id(module)] for module in began.frozen}
    still = {key for key in after if key.rpartition(".")[0] in kept}
    assert still
    assert not moved & still
    assert any(key.startswith("backbone.linear") for key in moved)
    if tune == "frozen":
        assert {key.rpartition(".")[0] for key in moved} == {"backbone.linear"}
    else:
        # conv1, the first block and half of the second of seven convolutions: the first three.
        assert "backbone.layer1.0.bn2.running_mean" in still
        assert "backbone.layer3.0.conv2.weight" in moved
        assert "backbone.layer2.0.conv1.weight" in moved


def test_partly_needs_layers_to_freeze(tmp_path):
    data = data_of("mlp", 3)
    model = deployed(Architecture(model="mlp1", width=8), data)
    save(model, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="1 layer before the last one"):
        begin(model, tmp_path / "w.safetensors", "partly", data, "mlp1")


def test_weights_of_another_width_are_refused_by_name(tmp_path):
    data = data_of("mlp", 3)
    save(deployed(Architecture(model="mlp2", width=16), data), tmp_path / "w.safetensors")
    model = deployed(Architecture(model="mlp2", width=8), data)
    with pytest.raises(ModelError, match="is it another width"):
        begin(model, tmp_path / "w.safetensors", "whole", data, "mlp2")


def test_missing_weights_name_the_key_of_the_student(tmp_path):
    data = data_of("mlp", 3)
    model = deployed(Architecture(model="mlp2", width=8), data)
    with pytest.raises(ModelError, match=re.escape("correct student.weights")):
        begin(model, tmp_path / "none.safetensors", "whole", data, "mlp2")


class NormLast(nn.Module):
    """A model whose last layer with weights is a norm."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm = nn.Linear(6, 3), nn.LayerNorm(3)

    def forward(self, x):
        return self.norm(self.linear(x))


def test_a_model_that_ends_with_no_linear_layer_is_refused_with_what_is_needed(tmp_path):
    data = data_of("mlp", 3)
    model = deployed(Architecture(model="mlp1", width=8), data)
    model.backbone = NormLast()
    save_file(model.backbone.state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="'norm', a LayerNorm") as caught:
        begin(model, tmp_path / "w.safetensors", "whole", data, "nets:make")
    assert "end the model with such a layer" in caught.value.fix


def test_weights_without_the_normalization_around_them_are_taken_as_well(tmp_path):
    data = data_of("mlp", 3)
    before = deployed(Architecture(model="mlp2", width=8), data)
    save_file(before.backbone.state_dict(), tmp_path / "w.safetensors")
    after = deployed(Architecture(model="mlp2", width=8), data)
    begin(after, tmp_path / "w.safetensors", "whole", data, "mlp2")
    first = next(key for key in before.backbone.state_dict() if key.endswith("weight"))
    assert torch.equal(after.backbone.state_dict()[first], before.backbone.state_dict()[first])


@pytest.mark.parametrize("total", [1, 2, 5, 100, 4321])
def test_the_grid_rises_from_the_first_step_to_the_last_by_less_than_a_factor_of_two(total):
    steps = scored_after(total)
    assert steps[0] == 1
    assert steps[-1] == total
    assert all(a < b <= 2 * a for a, b in pairwise(steps))


@pytest.mark.usefixtures("one_thread")
def test_scores_after_steps_change_nothing_of_a_training():
    def trained(**more):
        torch.manual_seed(0)
        model = deployed(Architecture(model="resnet8", width=4), DATA)
        return model, run(model, **more)

    (one, plain), (other, scored) = trained(), trained(scored_after=frozenset({0, 1, 4, 18}))
    assert [step.step for step in scored.steps] == [0, 1, 4, 18]
    torch.manual_seed(0)
    untrained = deployed(Architecture(model="resnet8", width=4), DATA)
    assert scored.steps[0].score == evaluate(untrained, drawn(60, 1), DATA)[1]
    assert plain.steps == ()
    for key, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key
    # The last step is the end of the last epoch, whose score is the same.
    assert scored.steps[-1].score == scored.curve[-1].validation_score


def test_a_path_is_no_part_of_a_key():
    from edgestill.pipeline.recipe.architecture import Start

    one, other = Start(weights=Path("a.safetensors")), Start(weights=Path("b.safetensors"))
    assert one.ingredients() == other.ingredients() == {"tune": "whole"}
    assert isinstance(DATA, DataRecord)
