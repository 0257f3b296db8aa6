"""Structured pruning: what is cut answers as if silenced, is smaller, and can be trained on."""

import json
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import tiny
import torch
import torch.nn.functional as F
from edgestill.devices.onboard.model.cost import count
from edgestill.errors import DataError, ModelError, NoEffectError, RecipeError
from edgestill.exporters.onnx import INPUT, export
from edgestill.pipeline.build import build as build_all
from edgestill.pipeline.compress.train.channels import find
from edgestill.pipeline.compress.train.importance import norms, taylor
from edgestill.pipeline.compress.train.pruning import prune, restore
from edgestill.pipeline.data.arrays import Arrays
from edgestill.pipeline.distill.batches import Batch, Batches
from edgestill.pipeline.distill.hard_labels import hard_labels
from edgestill.pipeline.distill.loop import TrainingSetup, fit, new_view_each_epoch
from edgestill.pipeline.models import Signature, build, parameters, weights
from edgestill.pipeline.models.deployed import Deployed
from edgestill.pipeline.progress import Silent
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.augment import Augment
from edgestill.pipeline.recipe.training import Schedule
from edgestill.pipeline.records import DataRecord, Pruned
from torch import nn

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


class Users(nn.Module):
    """A user's own: biases, a residual, activations in place, images laid flat, a norm of them."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.inside = nn.Sequential(
            nn.Conv2d(16, 40, 1), nn.BatchNorm2d(40), nn.SiLU(), nn.Dropout2d(0.1),
            nn.Conv2d(40, 40, 3, padding=1, groups=40), nn.ReLU(inplace=True), nn.Conv2d(40, 16, 1),
        )  # fmt: skip
        self.last = nn.Conv2d(16, 20, 3)
        self.pool = nn.MaxPool2d(2)
        self.norm = nn.BatchNorm1d(20 * 9)
        self.hidden = nn.Linear(20 * 9, 24)
        self.answer = nn.Linear(24, 5)

    def forward(self, x):
        x = self.stem(x).relu_()
        x = self.pool(self.last(x + self.inside(x)) * 0.5)
        x = self.norm(x.reshape(x.size(0), -1))
        return self.answer(F.leaky_relu(self.hidden(x)))


IMAGES = Signature((8, 8, 3), "hwc", 5)
KINDS = {
    "resnet8": (16, Signature((9, 7, 3), "hwc", 5)),
    "mobilenet4": (4, Signature((3, 9, 7), "chw", 5)),
    "dscnn2": (24, Signature((25, 10), "hw", 5)),
    "dscnn4": (16, Signature((25, 10), "hw", 5)),
    "conv1d3": (12, Signature((32, 3), "tc", 5)),
    "mlp2": (28, Signature((12,), "table", 5)),
    "transformer1": (12, Signature((16,), "tokens", 5, vocabulary=40, pad=0)),
    "users": (0, IMAGES),
}


def made(name):
    """A model of which each weight and statistic is some number, as after a training."""
    torch.manual_seed(0)
    width, of = KINDS[name]
    net = Users() if name == "users" else build(Architecture(model=name, width=width), of)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return shipped(net, of)


def shipped(net, of=IMAGES):
    known = () if of.layout == "tokens" else (0.5,)
    return Deployed(net, of.layout, known, known)


def samples(of, number=6):
    if of.layout == "tokens":
        return torch.randint(1, of.vocabulary, (number, *of.sample_shape), dtype=torch.int32)
    return torch.randn(number, *of.sample_shape)


@pytest.fixture(scope="module", params=KINDS)
def cut(request):
    """A model, and the same with half of its work cut out."""
    model, x = made(request.param), samples(KINDS[request.param][1])
    small, pruned = prune(model, x, 0.4, multiple=4)
    return SimpleNamespace(name=request.param, model=model, x=x, small=small, pruned=pruned)


@torch.no_grad()
def answers(model, x):
    return model.eval()(x)


def silenced(name, pruned):
    """The whole model, in which all that makes the channels that went is zero."""
    model = made(name)
    for one in pruned.cuts:
        gone = torch.ones(one.channels, dtype=torch.bool)
        gone[list(one.kept)] = False
        for layer in (one.layer, *one.along):
            for parameter in model.get_submodule(layer).parameters():
                rows = gone.repeat_interleave(len(parameter) // len(gone))
                parameter.data[rows] = 0.0
    return model


# --- what is cut ------------------------------------------------------------------------------


def test_a_cut_model_answers_as_the_whole_one_with_those_channels_at_zero(cut):
    expected = answers(silenced(cut.name, cut.pruned), cut.x)
    torch.testing.assert_close(answers(cut.small, cut.x), expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(answers(cut.model, cut.x), expected, atol=1e-3)


def test_layers_really_are_smaller_and_keep_their_own_weights_and_statistics(cut):
    assert cut.pruned.cuts
    for one in cut.pruned.cuts:
        kept, of = torch.tensor(one.kept), cut.model.get_submodule(one.layer)
        assert len(kept) < one.channels == len(of.weight)
        layer = cut.small.get_submodule(one.layer)
        inputs = [layer.weight.shape[1], of.weight.shape[1]]
        rows = of.weight[kept]
        assert layer.weight.shape == (len(kept), inputs[0], *of.weight.shape[2:])
        if inputs[0] == inputs[1]:
            assert torch.equal(layer.weight, rows)
        for name in one.along:
            norm, was = cut.small.get_submodule(name), cut.model.get_submodule(name)
            assert len(norm.weight) * one.channels == len(was.weight) * len(kept)
            if not isinstance(norm, nn.modules.batchnorm._BatchNorm) and was.groups == 1:
                continue  # another layer that makes the same channels
            if not isinstance(norm, nn.modules.batchnorm._BatchNorm):
                assert norm.groups == norm.in_channels == norm.out_channels == len(kept)
                continue
            each = was.num_features // one.channels
            for key in ("weight", "bias", "running_mean", "running_var"):
                expected = getattr(was, key).reshape(-1, each)[kept].flatten()
                assert torch.equal(getattr(norm, key), expected)
            assert norm.num_features == len(kept) * each


@pytest.mark.parametrize("cut", sorted(set(KINDS) - {"dscnn4", "mlp2"}), indirect=True)
def test_parameters_and_macs_fall_as_told_and_the_file_takes_any_batch(cut, tmp_path):
    pruned, path = cut.pruned, tmp_path / "m.onnx"
    assert pruned.macs <= 0.6 * pruned.macs_before
    assert pruned.parameters_before == parameters(cut.model)
    assert pruned.parameters == parameters(cut.small) < parameters(cut.model)
    export(cut.small, cut.x, path, opset=20)
    assert count(path).macs == pruned.macs
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        x = cut.x[:batch]
        (found,) = session.run(None, {INPUT: x.numpy()})
        np.testing.assert_allclose(found, answers(cut.small, x).numpy(), rtol=1e-3, atol=1e-3)


def test_macs_before_are_those_of_the_whole_model(tmp_path):
    model, x = made("mlp2"), samples(KINDS["mlp2"][1])
    export(model, x, tmp_path / "m.onnx", opset=20)
    assert prune(model, x, 0.3)[1].macs_before == count(tmp_path / "m.onnx").macs


def test_every_cut_layer_keeps_a_multiple_and_at_least_one(cut):
    for kept in cut.pruned.kept.values():
        assert len(kept) % 4 == 0
        assert len(kept) >= 4
        assert list(kept) == sorted(set(kept))


def test_a_layer_of_no_multiple_is_left_one():
    model, x = made("mlp2"), samples(KINDS["mlp2"][1])
    pruned = prune(model, x, 0.2)[1]
    assert {len(kept) % 8 for kept in pruned.kept.values()} == {0}


def test_of_two_layers_the_one_that_costs_more_is_cut_first():
    """The first convolution works at four times the places of the second."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 1), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(16, 16, 1), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.Flatten(), nn.Linear(256, 5),
    )  # fmt: skip

    def alike(model, groups):
        return [torch.arange(1.0, group.size + 1) for group in groups]

    pruned = prune(shipped(net), torch.randn(2, 8, 8, 3), 0.1, importance=alike)[1]
    assert pruned.kept == {"backbone.2": tuple(range(8, 16))}


def test_a_fresh_model_is_cut_alike_and_takes_the_weights(cut, tmp_path):
    weights.save(cut.small, tmp_path / weights.WEIGHTS)
    known = Pruned.model_validate_json(cut.pruned.model_dump_json())
    assert known == cut.pruned
    torch.manual_seed(1)
    fresh = restore(made(cut.name), known)
    nn.init.normal_(fresh.get_submodule(known.cuts[0].layer).weight)
    weights.restore(fresh, tmp_path / weights.WEIGHTS)
    assert torch.equal(answers(fresh, cut.x), answers(cut.small, cut.x))


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("resnet8", ["layer1.0.conv1", "layer2.0.conv1", "layer3.0.conv1"]),
        ("mobilenet4", [f"blocks.{i}.block.0" for i in range(4)] + ["blocks.2.block.6", "head.0"]),
        ("dscnn2", ["stem.0", "blocks.0.3", "blocks.1.3"]),
        ("conv1d3", ["blocks.0.conv1", "blocks.1.conv1", "blocks.2.conv1"]),
        ("mlp2", ["1", "3"]),
        ("transformer1", ["layers.0.linear1"]),
        ("users", ["inside.0", "last", "hidden"]),
    ],
)
def test_all_channels_that_no_residual_ties_are_found(name, layers):
    model, x = made(name), samples(KINDS[name][1])
    found = find(model.eval(), x)
    assert {group.layer for group in found.groups} >= {f"backbone.{layer}" for layer in layers}
    ties = set(found.left.values())
    assert "the model's output" in ties
    assert ("add" in ties) == (name == "transformer1"), "a residual connection ties nothing"


def test_channels_of_a_residual_connection_go_together_all_along_it():
    model, x = made("conv1d3"), samples(KINDS["conv1d3"][1])
    groups = {group.layer: group for group in find(model.eval(), x).groups}
    first, second = groups["backbone.conv"], groups["backbone.blocks.1.conv2"]
    assert [one.layer for one in first.added] == ["backbone.blocks.0.conv2"]
    assert first.along == ("backbone.bn",)
    assert first.added[0].along == ("backbone.blocks.0.bn2",)
    assert set(first.into) == {
        f"backbone.blocks.{at}" for at in ("0.conv1", "1.conv1", "1.shortcut.0")
    }
    assert [one.layer for one in second.added] == ["backbone.blocks.1.shortcut.0"]


def test_channels_that_a_shortcut_pads_with_zeros_are_followed_into_the_wider_ones():
    model, x = made("resnet8"), samples(KINDS["resnet8"][1])
    (group,) = [one for one in find(model.eval(), x).groups if one.layer == "backbone.conv1"]
    assert [one.layer for one in group.added] == ["backbone.layer1.0.conv2"]
    assert [(one.start, one.channels.size) for one in group.places] == [(0, 16), (8, 32), (24, 64)]
    layers = [one.channels.layer for one in group.places]
    assert layers == ["backbone.conv1", "backbone.layer2.0.conv2", "backbone.layer3.0.conv2"]
    assert group.places[2].channels.into == ("backbone.linear",)
    kept = {one.layer: one.kept for one in prune(model, x, 0.7)[1].cuts}
    assert "backbone.conv1" not in prune(model, x, 0.6)[1].kept, "only where nothing else is enough"
    stem = kept["backbone.conv1"]
    assert len(stem) == 8
    assert kept["backbone.layer2.0.conv2"] == (
        *range(8), *(8 + one for one in stem), *range(24, 32)
    )  # fmt: skip


def test_a_sum_of_channels_counts_with_all_layers_that_make_them():
    model, x = made("conv1d3"), samples(KINDS["conv1d3"][1])
    groups = find(model.eval(), x).groups
    place = [group.layer for group in groups].index("backbone.conv")
    with torch.no_grad():
        model.backbone.bn.weight[:6] = 1e-3
        model.backbone.blocks[0].bn2.weight[3:9] = 1e-3
    assert set(norms(model, groups)[place].argsort()[:3].tolist()) == {3, 4, 5}


# --- how much, and which ----------------------------------------------------------------------


def test_more_is_cut_where_more_is_asked_for_and_no_more_than_that():
    model, x = made("mobilenet4"), samples(KINDS["mobilenet4"][1])
    left = []
    for share in (0.2, 0.4, 0.6):
        pruned = prune(model, x, share, multiple=1)[1]
        left.append(pruned.macs / pruned.macs_before)
        assert 1 - share - 0.1 < left[-1] <= 1 - share, "a channel of four, where they are few"
    assert left == sorted(left, reverse=True)


def perceptron(silent, incoming):
    """Two hidden layers, some units of the first of which say nothing."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 5))
    with torch.no_grad():
        if incoming:
            net[0].weight[silent] = net[0].bias[silent] = 0.0
        else:
            net[2].weight[:, silent] = 0.0
    return shipped(net, Signature((10,), "table", 5))


def batches(shape=(10,), count=3):
    torch.manual_seed(2)
    for _ in range(count):
        yield Batch(torch.randn(8, *shape), torch.randint(0, 5, (8,)), np.arange(8), 0)


def cross_entropy(outputs, batch):
    return F.cross_entropy(outputs, batch.y)


@pytest.mark.parametrize("criterion", ["norms", "taylor"])
def test_units_that_say_nothing_go_first_and_no_answer_changes(criterion):
    silent = [1, 2, 5, 6, 7, 11, 12, 15]
    model = perceptron(silent, incoming=criterion == "norms")
    x = torch.randn(4, 10)
    told = norms if criterion == "norms" else taylor(batches(), cross_entropy)
    small, pruned = prune(model, x, 0.4, importance=told)
    assert pruned.kept == {"backbone.0": tuple(sorted(set(range(16)) - set(silent)))}
    torch.testing.assert_close(answers(small, x), answers(model, x))


def test_a_filter_counts_with_the_scale_of_its_batch_norm():
    model, x = made("resnet8"), samples(KINDS["resnet8"][1])
    norm = model.backbone.layer3[0].bn1
    with torch.no_grad():
        norm.weight.fill_(1.0)
        norm.running_var.fill_(1.0)
        norm.weight[:8] = 1e-3
        norm.running_var[8:16] = 1e6
    kept = prune(model, x, 0.05)[1].kept["backbone.layer3.0.conv1"]
    assert not set(kept) & set(range(16))


def behind(place, gate):
    """How many channels of a place stand in front of and behind those of its group."""
    return (place.start, place.channels.size - place.start - len(gate))


@pytest.mark.parametrize("name", ["resnet8", "users", "dscnn2"])
def test_taylor_is_the_squared_slope_of_the_loss_at_a_gate(name):
    """The definition, by gates that are multiplied in where the channels are read."""
    model, shape = made(name).eval(), KINDS[name][1].sample_shape
    groups = find(model, samples(KINDS[name][1])).groups
    found = taylor(list(batches(shape)), cross_entropy)(model, groups)
    for group, told in zip(groups, found, strict=True):
        expected = torch.zeros(group.size)
        for batch in batches(shape):
            gate = torch.ones(group.size, requires_grad=True)

            def close(module, inputs, gate=gate):
                (x,) = inputs
                each = gate.repeat_interleave(x.shape[1] // len(gate))
                return x * each.reshape(1, -1, *[1] * (x.ndim - 2))

            handles = [
                model.get_submodule(into).register_forward_pre_hook(
                    lambda module, inputs, gate=gate, place=place: close(
                        module, inputs, F.pad(gate, behind(place, gate), value=1.0)
                    )
                )
                for place in group.places
                for into in place.channels.into
            ]
            (slope,) = torch.autograd.grad(cross_entropy(model(batch.x), batch), gate)
            for handle in handles:
                handle.remove()
            expected += slope**2 / 3
        torch.testing.assert_close(told, expected, rtol=1e-3, atol=1e-7)


def test_the_model_that_is_cut_stays_as_it_was_and_its_mode_goes_along():
    model, x = made("resnet8"), samples(KINDS["resnet8"][1])
    before = {key: value.clone() for key, value in model.state_dict().items()}
    shape = KINDS["resnet8"][1].sample_shape
    model.backbone.layer1.requires_grad_(False)
    for mode in (True, False):
        model.train(mode)
        small, pruned = prune(model, x, 0.3, importance=taylor(batches(shape), cross_entropy))
        again = restore(model, pruned)
        assert {part.training for part in (*small.modules(), *again.modules())} == {mode}
        assert {part.training for part in model.modules()} == {mode}
        for one in (small, model):
            assert not one.backbone.layer1[0].conv1.weight.requires_grad
            assert one.backbone.layer2[0].conv1.weight.requires_grad
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_cut_model_learns_in_the_one_loop():
    torch.manual_seed(0)
    data = DataRecord(
        source="test", task="classification", labels=tuple("abcde"), sample_shape=(9, 7, 3),
        layout="hwc", dtype="float32", mean=(0.0,), std=(1.0,), rows={"train": 64},
        counts={"train": (13,) * 5}, dropped=0, notes=(), fingerprint="",
    )  # fmt: skip
    y = np.arange(64) % 5
    x = np.random.default_rng(0).normal(y[:, None, None, None], 0.3, (64, 9, 7, 3))
    train = Arrays(x.astype(np.float32), y)
    small, pruned = prune(made("resnet8"), torch.from_numpy(train.x[:4]), 0.5)
    schedule = Schedule(epochs=15, batch_size=16, learning_rate=0.01)
    setup = TrainingSetup(
        Batches(data, train, Augment(), 0), train, data, schedule, hard_labels(data, schedule),
        new_view_each_epoch, 0,
    )  # fmt: skip
    fitted = fit(small, setup, progress=Silent(), what="pruned")
    assert fitted.best.validation_score > 0.6
    assert parameters(small) == pruned.parameters


# --- what is left -----------------------------------------------------------------------------


class Tied(nn.Module):
    """A perceptron's part that can be cut, and in front of it something that ties channels."""

    def __init__(self, tie):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3)
        self.tie = tie
        self.hidden = nn.LazyLinear(16)
        self.answer = nn.Linear(16, 5)

    def forward(self, x):
        x = self.tie(self.first(x))
        return self.answer(F.relu(self.hidden(x.flatten(1))))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.again = nn.Conv2d(16, 16, 1)

    def forward(self, x):
        return self.again(self.again(x))


class Shares(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.one, self.two = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)
        setattr(self.two, what, getattr(self.one, what))

    def forward(self, x):
        return self.two(self.one(x))


class Both(nn.Module):
    def forward(self, x):
        return torch.cat([x, x.relu()], 1)


class Gated(nn.Module):
    def forward(self, x):
        return x * x.mean((2, 3), keepdim=True)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(16, 1, 1))

    def forward(self, x):
        return x * self.scale


class Halves(nn.Module):
    def forward(self, x):
        one, other = x.chunk(2, 1)
        return one * other


class Spelled(nn.Module):
    def forward(self, x):
        return F.relu(x).reshape(-1, 16 * 36)


class OverChannels(nn.Module):
    def forward(self, x):
        return x.mean(1)


@pytest.mark.parametrize(
    ("tie", "told"),
    [
        (nn.Sigmoid(), "sigmoid"),
        (nn.GroupNorm(4, 16), "group_norm"),
        (nn.BatchNorm2d(16, affine=False), "batch_norm"),
        (nn.Conv2d(16, 16, 1, groups=4), "conv2d"),
        (nn.Conv2d(16, 32, 1, groups=16), "conv2d"),
        (nn.PReLU(16), "prelu"),
        (Twice(), "conv2d"),
        (Shares("weight"), "conv2d"),
        (Shares("bias"), "conv2d"),
        (Both(), "cat"),
        (Gated(), "mul"),
        (Scaled(), "mul"),
        (Halves(), "chunk"),
        (Spelled(), "reshape"),
        (OverChannels(), "mean"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_layer_whose_channels_are_tied_is_left_whole_and_named(tie, told):
    torch.manual_seed(0)
    net, x = Tied(tie), torch.randn(3, 3, 8, 8)
    net(x)
    small, pruned = prune(shipped(net, Signature((3, 8, 8), "chw", 5)), x, 0.01)
    assert pruned.left["backbone.first"] == told
    assert list(pruned.kept) == ["backbone.hidden"]
    assert small.backbone.first.weight.shape == net.first.weight.shape
    assert answers(small, x).shape == (3, 5)


class Tokens(nn.Module):
    """Channels last, and a mean over what stands in front of them."""

    def __init__(self):
        super().__init__()
        self.hidden, self.answer = nn.Linear(3, 16), nn.Linear(16, 5)

    def forward(self, x):
        return self.answer(F.gelu(self.hidden(x.transpose(1, 2))).mean(1))


def test_channels_are_followed_to_another_axis():
    x = torch.randn(3, 12, 3)
    model = shipped(Tokens(), Signature((12, 3), "tc", 5))
    small, pruned = prune(model, x, 0.3)
    assert list(pruned.kept) == ["backbone.hidden"]
    assert small.backbone.answer.in_features == 8


def test_layers_with_few_channels_are_left_and_named():
    model, x = made("mlp2"), samples(KINDS["mlp2"][1])
    model.backbone[3] = nn.Linear(28, 8)
    model.backbone[5] = nn.Linear(8, 5)
    pruned = prune(model, x, 0.2)[1]
    assert pruned.left["backbone.3"] == "no more than 8 channels"


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 50.0, float("nan"), float("inf")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(RecipeError, match=r"expected one above 0 and below 1; 0\.5 takes half"):
        prune(made("mlp2"), samples(KINDS["mlp2"][1]), share)


def wider(cut):
    """Whether channels of zeros stand in front of those that can go: they are always kept."""
    return "layer2.0.conv2" in cut.layer or "layer3.0.conv2" in cut.layer


@pytest.mark.parametrize("name", ["resnet8", "dscnn4"])
def test_a_share_beyond_what_can_go_is_refused_and_the_most_is_named(name):
    model, x = made(name), samples(KINDS[name][1])
    with pytest.raises(RecipeError, match=r"expected at most 0\.\d+ for this model") as refusal:
        prune(model, x, 0.97)
    most = float(refusal.value.expected.split()[2])
    pruned = prune(model, x, most)[1]
    assert all(len(one.kept) == 8 for one in pruned.cuts if not wider(one))
    assert all(one.channels - len(one.kept) == 8 for one in pruned.cuts if wider(one))
    with pytest.raises(RecipeError):
        prune(model, x, most + 0.002)


def test_a_model_without_channels_to_cut_is_refused_and_what_ties_them_is_named():
    of = Signature((10,), "table", 5)
    with pytest.raises(NoEffectError, match=r"backbone: the model's output.*leave 'pruned' out of"):
        prune(shipped(nn.Linear(10, 5), of), torch.randn(2, 10), 0.5)
    few = shipped(nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 5)), of)
    with pytest.raises(NoEffectError, match=r"no layer has enough.*more than 8 channels"):
        prune(few, torch.randn(2, 10), 0.5)
    assert prune(few, torch.randn(2, 10), 0.4, multiple=2)[1].kept


@pytest.mark.parametrize(
    ("width", "error", "told"),
    [
        (32, RecipeError, r"share of 0\.9, expected at most 0\.\d+ for this model"),
        (8, NoEffectError, "no channels that can be cut out .no layer has enough"),
    ],
)
def test_a_share_that_cannot_go_is_refused_before_anything_is_trained(tmp_path, width, error, told):
    recipe = tiny.write(tmp_path)
    asked = ['compress.variants=["pruned"]', "compress.prune_share=0.9", f"student.width={width}"]
    with pytest.raises(error, match=told) as refusal:
        build_all(recipe, artifacts=tmp_path / "a", overrides=asked)
    kept = [json.loads(path.read_text())["stage"] for path in (tmp_path / "a").rglob("entry.json")]
    assert kept == ["data"]
    if error is RecipeError:
        most = refusal.value.expected.split()[2]
        asked[1] = f"compress.prune_share={most}"
        made = build_all(recipe, artifacts=tmp_path / "a", overrides=asked, until="tuned")
        assert made.ran[-1] == "tuned", "what is named can be had"


class Remembers(nn.Module):
    """A forward pass that keeps a size of its own."""

    def __init__(self, how):
        super().__init__()
        self.one, self.two, self.how = nn.Linear(10, 16), nn.Linear(16, 5), how

    def forward(self, x):
        x = F.relu(self.one(x))
        return self.two(x / x.shape[1] if self.how == "scales" else F.layer_norm(x, (16,)))


class Checks(Remembers):
    def forward(self, x):
        x = F.relu(self.one(x))
        if x.shape[1] != 16:
            raise ValueError("16 wanted")
        return self.two(x)


@pytest.mark.parametrize(
    ("net", "told"),
    [(Remembers("scales"), "found answers .* away"), (Checks(""), r"fails \(16 wanted\)")],
)
def test_a_model_that_answers_otherwise_once_cut_is_refused(net, told):
    with pytest.raises(ModelError, match=told):
        prune(shipped(net, Signature((10,), "table", 5)), 30 * torch.randn(4, 10), 0.3)


class Branches(nn.Linear):
    def forward(self, x):
        return super().forward(x if x.sum() > 0 else -x)


def test_a_model_that_cannot_be_traced_is_refused():
    model = shipped(Branches(10, 5), Signature((10,), "table", 5))
    with pytest.raises(ModelError, match=r"Branches: cannot be traced \(.+\); write it so"):
        prune(model, torch.randn(2, 10), 0.5)


def test_weights_that_are_not_numbers_are_refused():
    model = made("mlp2")
    model.backbone[1].weight.data[3] = float("nan")
    with pytest.raises(ModelError, match=r"backbone\.1: NaN or infinity.*look for NaN"):
        prune(model, samples(KINDS["mlp2"][1]), 0.3)


def test_taylor_without_a_batch_is_refused():
    with pytest.raises(DataError, match="no batch"):
        prune(perceptron([], True), torch.randn(2, 10), 0.3, importance=taylor((), cross_entropy))


def test_a_cut_is_not_restored_into_another_architecture():
    model, x = made("mlp2"), samples(KINDS["mlp2"][1])
    small, pruned = prune(model, x, 0.3)
    with pytest.raises(ModelError, match=r"layer 'backbone\.\d' of \d+ channels, expected"):
        restore(small, pruned)
    with pytest.raises(ModelError, match=r"no layer 'backbone\.1' with channels, expected"):
        restore(made("users"), pruned)
