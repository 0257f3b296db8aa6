"""Taps, bridges and their sum: what is taken, what is refused, what is learnt."""

import pytest
import torch
from edgestill.errors import ModelError, RecipeError
from edgestill.pipeline.distill import feature_losses
from edgestill.pipeline.distill.layers import Bridge, LayerLosses, Taps
from edgestill.pipeline.models import FAMILIES
from edgestill.pipeline.models.deployed import Deployed
from edgestill.pipeline.models.signature import Signature
from small_layers import Tokens, convolutions, images, layer
from torch import nn

# --- bridges ----------------------------------------------------------------------------------


@pytest.mark.parametrize("places", [(), (5,), (3, 2)])
def test_a_bridge_maps_channels_at_each_place_alike(places):
    torch.manual_seed(0)
    bridge, x = Bridge(2 + len(places), 4, 7), torch.randn(6, 4, *places)
    found = bridge(x)
    assert found.shape == (6, 7, *places)
    weight = bridge.map.weight.reshape(7, 4)
    bias = bridge.map.bias.reshape(7, *(1 for _ in places))
    wanted = torch.einsum("oc,nc...->no...", weight, x) + bias
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("places", [(), (5,), (3, 2)])
def test_a_bridge_learns_an_identity(places):
    torch.manual_seed(0)
    bridge, x = Bridge(2 + len(places), 4, 4), torch.randn(64, 4, *places)
    optimizer = torch.optim.Adam(bridge.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        feature_losses.hint(bridge(x), x).backward()
        optimizer.step()
    weight = bridge.map.weight.detach().reshape(4, 4)
    torch.testing.assert_close(weight, torch.eye(4), rtol=0, atol=0.01)
    assert bridge.map.bias.abs().max() < 0.01


# --- their sum --------------------------------------------------------------------------------


def both(layers, student=None, teacher=None, x=None):
    """The losses of two models that have just run, and the models."""
    student = convolutions((4, 6)) if student is None else student
    teacher = convolutions((8, 10)) if teacher is None else teacher
    x = images() if x is None else x
    between = LayerLosses(student, teacher, layers, x[:2])
    student(x)
    with torch.no_grad():
        teacher(x)
    return between, student, teacher


@pytest.mark.parametrize("name", ["similarity", "rkd", "attention"])
def test_the_sum_is_that_of_the_losses_by_their_weights(name):
    student, teacher, x = convolutions((4, 6)).eval(), convolutions((8, 10)).eval(), images()
    layers = (layer(name, weight=0.5), layer(name, "stage2", "stage2", weight=3.0))
    between, _, _ = both(layers, student, teacher, x)
    loss = feature_losses.LAYER_LOSSES[name]
    one, other = student.stage1(x), teacher.stage1(x)
    wanted = 0.5 * loss(one, other) + 3.0 * loss(student.stage2(one), teacher.stage2(other))
    assert between().item() == pytest.approx(wanted.item(), rel=1e-5)
    assert between.parameters() == []


def test_a_hint_passes_a_bridge_that_is_trained_along():
    between, student, teacher = both((layer("hint"),))
    assert [p.shape for p in between.parameters()] == [(8, 4, 1, 1), (8,)]
    between().backward()
    assert all(p.grad.abs().sum() > 0 for p in between.parameters())
    assert student.stage1[0].weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in teacher.parameters())


def test_the_teacher_gets_no_gradient_even_where_it_ran_with_one():
    between, _, teacher = both((layer("similarity"),))
    teacher(images())
    between().backward()
    assert all(p.grad is None for p in teacher.parameters())


def test_a_hint_between_equal_widths_has_a_bridge_and_cosine_has_none():
    models = {"student": convolutions((4, 6)), "teacher": convolutions((4, 6))}
    assert len(both((layer("hint"),), **models)[0].parameters()) == 2
    assert both((layer("cosine"),), **models)[0].parameters() == []


def test_cosine_between_other_widths_has_a_bridge():
    between, _, _ = both((layer("cosine"),))
    assert len(between.parameters()) == 2
    assert 0.0 < between().item() < 2.0


@pytest.mark.parametrize("name", ["hint", "attention", "similarity", "rkd", "cosine"])
@pytest.mark.parametrize("strides", [(1, 2), (2, 1)])
def test_maps_of_different_size_are_compared(name, strides):
    student, teacher = (convolutions((4, 6), stride=stride) for stride in strides)
    between, _, _ = both((layer(name, "stage2", "stage2"),), student, teacher)
    loss = between()
    loss.backward()
    assert torch.isfinite(loss)
    assert loss.item() > 0
    assert student.stage1[0].weight.grad.abs().sum() > 0


def test_students_learn_by_a_hint():
    student, teacher, x = convolutions((4, 6)), convolutions((8, 10)).eval(), images()
    between = LayerLosses(student, teacher, (layer("hint"),), x[:2])
    optimizer = torch.optim.Adam([*student.parameters(), *between.parameters()], lr=0.02)
    teacher(x)
    seen = []
    for _ in range(60):
        student(x)
        optimizer.zero_grad()
        loss = between()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert seen[-1] < 0.3 * seen[0]


def test_tokens_have_their_channels_last():
    student, teacher = Tokens(8), Tokens(12)
    ids = torch.randint(0, 20, (4, 7), generator=torch.Generator().manual_seed(0))
    layers = (layer("hint", "block", "block"), layer("attention", "embedding", "embedding"))
    between = LayerLosses(student, teacher, layers, ids)
    assert [p.shape for p in between.parameters()] == [(12, 8, 1), (12,)]
    for length in (7, 3):  # a batch is cut to its longest text
        student(ids[:, :length])
        teacher(ids[:, :length])
        one, other = (m.embedding(ids[:, :length]).mT for m in (student, teacher))
        bridge = nn.Conv1d(8, 12, 1)
        bridge.load_state_dict(dict(zip(("weight", "bias"), between.parameters(), strict=True)))
        states = [m.block(m.embedding(ids[:, :length])).mT for m in (student, teacher)]
        wanted = feature_losses.attention(one, other) + feature_losses.hint(
            bridge(states[0]), states[1]
        )
        assert between().item() == pytest.approx(wanted.item(), rel=1e-5)


def test_as_many_tokens_as_channels_are_told_apart():
    ids = torch.zeros(2, 8, dtype=torch.int64)
    between = LayerLosses(Tokens(8), Tokens(12), (layer("hint", "block.2", "block.2"),), ids)
    assert between.parameters()[0].shape == (12, 8, 1)


@pytest.mark.parametrize("name", ["0", "1", "2"])
@pytest.mark.parametrize("steps", [9, 4])
def test_windows_have_their_channels_first(name, steps):
    def model(width):
        return nn.Sequential(
            nn.Conv1d(2, width, 3, padding=1),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(width, 5),
        )

    layers = (layer("hint", name, name),)
    between = LayerLosses(model(4), model(6), layers, torch.randn(2, 2, steps))
    assert between.parameters()[0].shape == (6, 4, 1)


def test_maps_of_as_many_places_as_channels_have_their_channels_first():
    student, teacher, x = convolutions((6, 6)).eval(), convolutions((8, 6)).eval(), images(size=6)
    for name in ("stage1", "stage1.2"):  # a ReLU has no width: the stage around it tells
        between, _, _ = both((layer("attention", name, "stage1"),), student, teacher, x)
        wanted = feature_losses.attention(student.stage1(x), teacher.stage1(x))
        assert between().item() == pytest.approx(wanted.item(), rel=1e-5)


TEXTS = Signature((16,), "tokens", 4, vocabulary=30)
WINDOWS = Signature((16, 16), "tc", 4)
IMAGES = Signature((16, 16, 3), "hwc", 4)


@pytest.mark.parametrize(
    ("family", "depth", "of"),
    [
        ("transformer", 2, TEXTS),
        ("conv1d", 3, WINDOWS),
        ("resnet", 8, IMAGES),
        pytest.param("mobilenet", 3, IMAGES, marks=pytest.mark.slow),
        ("dscnn", 2, IMAGES),
    ],
)
def test_every_layer_of_a_family_has_its_channels_found_even_where_places_are_as_many(
    family, depth, of
):
    """A teacher of twice the width has the same places, which gives its channels away."""
    torch.manual_seed(0)
    x = torch.randint(1, 30, (4, 16)) if of.vocabulary else torch.randn(4, *of.backbone_shape)
    models = [FAMILIES[family](depth, width, of).eval() for width in (16, 32)]
    taken = []
    for model in models:
        names = [name for name, inner in model.named_modules() if name and called(inner)]
        with Taps(model, names, "here") as taps:
            model(x)
            taken.append(taps.taken)
    layers, wanted = [], []
    for name, one in taken[0].items():
        other = taken[1][name]
        differ = [axis for axis in range(one.ndim) if one.shape[axis] != other.shape[axis]]
        if one.ndim > 2 and differ:
            layers.append(layer("attention", name, name))
            wanted.append(
                feature_losses.attention(*(f.movedim(differ[0], 1) for f in (one, other)))
            )
    assert len(layers) > 10
    for told, value in zip(layers, wanted, strict=True):
        with LayerLosses(*models, (told,), x) as between:
            for model in models:
                model(x)
            assert between().item() == pytest.approx(value.item(), rel=1e-4), told.student


def called(module):
    return not isinstance(module, nn.ModuleList)


class Last(nn.Module):
    """Channels behind: inside alone, as in ConvNeXt, or for what it gives, too, as in Swin."""

    def __init__(self, channels, gives_last):
        super().__init__()
        self.conv = nn.Identity() if gives_last else nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.LayerNorm(channels)
        self.linear = nn.Linear(channels, channels)
        self.gives_last = gives_last

    def forward(self, x):
        y = self.linear(self.norm(self.conv(x).permute(0, 2, 3, 1)))
        return y if self.gives_last else y.permute(0, 3, 1, 2)


@pytest.mark.parametrize("gives_last", [False, True])
def test_maps_are_turned_by_what_they_come_from(gives_last):
    torch.manual_seed(0)
    student, teacher = (
        nn.Sequential(nn.Conv2d(3, width, 1), Last(width, gives_last)) for width in (4, 7)
    )
    between, _, _ = both((layer("hint", "1", "1"),), student, teacher)
    assert between.parameters()[0].shape == (7, 4, 1, 1)


def test_layers_of_a_deployed_model_are_those_of_its_backbone():
    student, teacher = (
        Deployed(convolutions(channels), "hwc", (0.5,), (0.2,)) for channels in ((4, 6), (8, 10))
    )
    x = torch.zeros(2, 6, 6, 3, dtype=torch.uint8)
    between = LayerLosses(student, teacher, (layer("hint"),), x)
    student(x)
    teacher(x)
    assert torch.isfinite(between())


def test_features_of_half_precision_are_compared_in_float32():
    student, teacher = convolutions((4, 6)), convolutions((8, 10))
    between = LayerLosses(student, teacher, (layer("hint"), layer("rkd")), images())
    with torch.autocast("cpu", torch.bfloat16):
        student(images())
    teacher(images())
    loss = between()
    loss.backward()
    assert loss.dtype == torch.float32
    assert student.stage1[0].weight.grad.abs().sum() > 0


def test_a_model_of_float64_has_bridges_of_its_precision():
    models = [convolutions(channels, torch.float64) for channels in ((4, 6), (8, 10))]
    between, _, _ = both((layer("hint"),), *models, images(dtype=torch.float64))
    assert between().dtype == torch.float64


def test_first_weights_follow_the_seed_alone_and_leave_random_numbers_alone():
    found = []
    for state in (3, 4):
        student, teacher = convolutions((4, 6)), convolutions((8, 10))
        torch.manual_seed(state)
        wanted = torch.rand(3)
        torch.manual_seed(state)
        between = LayerLosses(student, teacher, (layer("hint"),), images(), seed=7)
        assert torch.equal(torch.rand(3), wanted)
        found.append(between.parameters()[0])
    assert torch.equal(*found)
    other = LayerLosses(student, teacher, (layer("hint"),), images(), seed=8).parameters()[0]
    assert not torch.equal(other, found[0])


def test_finding_the_shapes_changes_neither_model():
    student, teacher = convolutions((4, 6)), convolutions((8, 10)).eval()
    student.stage2.eval()
    modes = [m.training for m in student.modules()]
    before = {k: v.clone() for k, v in student.state_dict().items()}
    LayerLosses(student, teacher, (layer("hint"),), images())
    assert [m.training for m in student.modules()] == modes
    assert not any(m.training for m in teacher.modules())
    assert all(torch.equal(v, before[k]) for k, v in student.state_dict().items())
    assert all(p.grad is None for p in student.parameters())


def test_closing_leaves_both_models_without_hooks():
    student, teacher = convolutions((4, 6)), convolutions((8, 10))
    with LayerLosses(student, teacher, (layer("hint"),), images()):
        assert any(m._forward_hooks for m in student.modules())
    assert not any(m._forward_hooks for model in (student, teacher) for m in model.modules())


def test_a_refusal_leaves_both_models_without_hooks():
    student, teacher = convolutions((4, 6)), convolutions((8, 10))
    with pytest.raises(RecipeError):
        LayerLosses(student, teacher, (layer("hint", "stage1", "stage9"),), images())
    assert not any(m._forward_hooks for model in (student, teacher) for m in model.modules())


@pytest.mark.parametrize(("role", "place"), [("student", "student"), ("teacher", "teacher")])
def test_an_unknown_layer_is_refused_where_it_is_named(role, place):
    told = {"student": "stage1", "teacher": "stage1", role: "stage7"}
    with pytest.raises(RecipeError, match=f"distill.layers, {place}: found 'stage7'"):
        both((layer("hint", **told),))


@pytest.mark.parametrize("name", ["hint", "attention", "cosine"])
def test_layers_of_different_rank_are_refused(name):
    with pytest.raises(RecipeError, match=r"'head' with .* teacher layer 'stage1' with") as caught:
        both((layer(name, "head", "stage1"),))
    assert "similarity or rkd" in caught.value.fix


def test_attention_between_layers_without_places_is_refused():
    with pytest.raises(RecipeError, match="for the loss 'attention'"):
        both((layer("attention", "head", "head"),))


@pytest.mark.parametrize("name", ["similarity", "rkd"])
def test_relations_are_compared_whatever_the_rank(name):
    between, _, _ = both((layer(name, "head", "stage1"),))
    assert between().item() > 0


def test_a_student_layer_in_front_of_every_weight_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(108, 5))
    with pytest.raises(RecipeError, match="student layer '0', in front of every weight"):
        both((layer("rkd", "0", "head"),), student=model)


def test_a_layer_that_does_not_give_samples_is_refused():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(x.flatten(1)[:, :3].repeat(3, 1))[: len(x)]

    with pytest.raises(ModelError, match=r"teacher: found layer 'layer', .* \[6, 3\]"):
        both((layer("rkd", "head", "layer"),), teacher=Turned(), x=images())
