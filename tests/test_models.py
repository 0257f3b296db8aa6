"""Model families, the model as it ships, and weights that others made."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from edgestill.errors import ModelError
from edgestill.pipeline import recipe
from edgestill.pipeline.models import FAMILIES, build, deployed, example, parameters
from edgestill.pipeline.models.deployed import Deployed
from edgestill.pipeline.models.resnet import Block
from edgestill.pipeline.models.weights import load_foreign, restore, save
from edgestill.pipeline.records import DataRecord
from safetensors.torch import save_file
from torch import nn

SHARED = Path(__file__).parent.parent.parent / "shared/data"


def record(shape, layout, *, dtype="uint8", mean=(0.0,), std=(1.0,), classes=10):
    return DataRecord(
        source="test", labels=tuple(map(str, range(classes))), sample_shape=shape, layout=layout,
        dtype=dtype, mean=mean, std=std, counts={}, dropped=0, notes=(), fingerprint="",
    )  # fmt: skip


# --- families ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "count"),
    [("resnet20", 269_722), ("resnet32", 464_154), ("resnet56", 853_018), ("resnet110", 1_727_962)],
)
def test_a_residual_network_has_the_parameters_of_the_paper(model, count):
    """He et al. 2016, table 6: 0.27M, 0.46M, 0.85M, 1.7M."""
    net = build(model, width=16, sample_shape=(32, 32, 3), layout="hwc", classes=10)
    assert parameters(net) == count


@pytest.mark.parametrize("model", ["resnet8", "resnet14"])
@pytest.mark.parametrize("width", [1, 3, 16])
@pytest.mark.parametrize(
    ("shape", "layout", "channels"),
    [((8, 8), "hw", 1), ((5, 7, 3), "hwc", 3), ((2, 9, 9), "chw", 2), ((1, 1, 1), "hwc", 1)],
)
def test_a_residual_network_takes_any_depth_width_size_and_channels(
    model, width, shape, layout, channels
):
    net = build(model, width=width, sample_shape=shape, layout=layout, classes=7)
    images = torch.zeros(2, channels, *{"hw": shape, "hwc": shape[:2], "chw": shape[1:]}[layout])
    assert net(images).shape == (2, 7)
    assert net.linear.in_features == 4 * width


def test_a_shortcut_strides_and_adds_zero_channels_on_both_sides():
    """He et al. 2016, option A; the side they stand on must be the checkpoints'."""
    block = Block(2, 4, stride=2).eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(3, 2, 5, 5) + 0.1
    found = block(x)
    assert found.shape == (3, 4, 3, 3)
    assert torch.equal(found[:, 1:3], x[:, :, ::2, ::2])
    assert not found[:, [0, 3]].any()


def test_a_perceptron_has_as_many_hidden_layers_as_its_name_says():
    net = build("mlp3", width=5, sample_shape=(4, 2), layout="hw", classes=3)
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    assert [(one.in_features, one.out_features) for one in layers] == [
        (8, 5),
        (5, 5),
        (5, 5),
        (5, 3),
    ]
    assert net(torch.zeros(6, 1, 4, 2)).shape == (6, 3)


def test_the_recipe_knows_every_family_that_can_be_built():
    assert set(recipe.FAMILIES) == set(FAMILIES)
    for family, (least, step) in recipe.FAMILIES.items():
        for depth in (least, least + step):
            name = f"{family}{depth}"
            net = build(name, width=2, sample_shape=(4, 4), layout="hw", classes=2)
            assert parameters(net) > 0


def test_the_keyword_spotting_network_has_the_published_size():
    """MLPerf Tiny's DS-CNN has 24,908 numbers: 576 biases that batch norm makes needless, and the
    1,152 running moments of its batch norms, are not among our trainable parameters."""
    net = build("dscnn4", width=64, sample_shape=(49, 10), layout="hw", classes=12)
    assert parameters(net) == 24_908 - 576 - 1_152
    assert net.blocks(net.stem(net.pad(torch.zeros(1, 1, 49, 10)))).shape == (1, 64, 25, 5)


@pytest.mark.parametrize(("depth", "per_stage"), [(3, (1, 1, 1)), (5, (2, 2, 1)), (9, (3, 3, 3))])
def test_inverted_residuals_stand_in_three_stages_that_halve_the_image_twice(depth, per_stage):
    net = build(f"mobilenet{depth}", width=4, sample_shape=(17, 9), layout="hw", classes=3)
    widths = [block.block[-1].num_features for block in net.blocks]
    assert widths == [4] * per_stage[0] + [8] * per_stage[1] + [16] * per_stage[2]
    assert net.blocks(net.stem(torch.zeros(2, 1, 17, 9))).shape == (2, 16, 5, 3)
    assert net(torch.zeros(2, 1, 17, 9)).shape == (2, 3)
    # A shortcut stands exactly where a block changes neither size nor width.
    kept = [i for i, block in enumerate(net.blocks) if block.residual]
    starts = {0} if per_stage[0] == 0 else {per_stage[0], per_stage[0] + per_stage[1]}
    assert kept == [i for i in range(depth) if i not in starts]


def test_the_same_seed_builds_the_same_first_weights():
    def first(seed):
        torch.manual_seed(seed)
        return build("resnet8", width=4, sample_shape=(8, 8), layout="hw", classes=3).conv1.weight

    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))


# --- the model as it ships --------------------------------------------------------------------


class Seen(nn.Module):
    """A backbone that gives back what it takes."""

    def forward(self, x):
        return x


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize(
    ("layout", "shape", "values"),
    [("table", (6,), 6), ("table", (6,), 1), ("hw", (4, 5), 1), ("hwc", (4, 5, 3), 3),
     ("hwc", (4, 5, 3), 1), ("chw", (3, 4, 5), 3), ("chw", (3, 4, 5), 1)],
)  # fmt: skip
def test_normalization_is_numpys(dtype, layout, shape, values):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 200, (9, *shape)).astype(dtype)
    mean, std = rng.uniform(50, 150, values), rng.uniform(10, 70, values)
    channels_last = np.moveaxis(x, 1, -1) if layout == "chw" else x
    expected = (channels_last.astype(np.float64) - mean) / std
    if layout in ("hwc", "chw"):
        expected = np.moveaxis(expected, -1, 1)
    if layout == "hw":
        expected = expected[:, None]
    found = Deployed(Seen(), layout, tuple(mean), tuple(std))(torch.from_numpy(x))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_layouts_agree_on_the_same_images():
    torch.manual_seed(0)
    last = deployed(
        "resnet8", 4, record((6, 5, 3), "hwc", mean=(9.0, 8.0, 7.0), std=(2.0, 3.0, 4.0))
    )
    first = deployed(
        "resnet8", 4, record((3, 6, 5), "chw", mean=(9.0, 8.0, 7.0), std=(2.0, 3.0, 4.0))
    )
    first.backbone.load_state_dict(last.backbone.state_dict())
    x = torch.randint(0, 256, (4, 6, 5, 3), dtype=torch.uint8)
    with torch.no_grad():
        one, other = last.eval()(x), first.eval()(x.permute(0, 3, 1, 2).contiguous())
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_gray_images_agree_with_and_without_a_channel_axis():
    torch.manual_seed(0)
    flat, deep = (
        deployed("resnet8", 4, record(s, n)) for s, n in (((6, 5), "hw"), ((6, 5, 1), "hwc"))
    )
    deep.backbone.load_state_dict(flat.backbone.state_dict())
    x = torch.randint(0, 256, (4, 6, 5), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(flat.eval()(x), deep.eval()(x[..., None]), rtol=1e-4, atol=1e-4)


def test_an_example_is_what_the_model_takes():
    for dtype in ("uint8", "int16", "float32"):
        made = example(record((4, 4), "hw", dtype=dtype), batch=3)
        assert (made.shape, str(made.dtype)) == ((3, 4, 4), f"torch.{dtype}")


# --- weights ----------------------------------------------------------------------------------


def small(seed=0):
    torch.manual_seed(seed)
    return build("resnet8", width=2, sample_shape=(8, 8), layout="hw", classes=3)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


def test_saved_weights_come_back_bit_for_bit_and_the_file_is_the_same_each_time(tmp_path):
    saved, other = small(0), small(1)
    save(saved, tmp_path / "a.safetensors")
    save(saved.to(memory_format=torch.channels_last), tmp_path / "b.safetensors")
    restore(other, tmp_path / "a.safetensors")
    assert same(saved.state_dict(), other.state_dict())
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


WRAPPINGS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "best": 0.9},
    "model_state_dict": lambda state: {"model_state_dict": state},
    "model": lambda state: {"model": state},
    "module.": lambda state: {f"module.{key}": value for key, value in state.items()},
    "both": lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
    "without counters": lambda state: {k: v for k, v in state.items() if "num_batches" not in k},
    "float64": lambda state: {k: v.double() for k, v in state.items()},
}


@pytest.mark.parametrize("name", WRAPPINGS)
def test_a_checkpoint_is_unwrapped(name, tmp_path):
    given, taking = small(0), small(1)
    torch.save(WRAPPINGS[name](given.state_dict()), tmp_path / "c.pt")
    load_foreign(taking, tmp_path / "c.pt", "resnet8")
    assert same(given.state_dict(), taking.state_dict())


def test_a_checkpoint_in_safetensors_is_taken_too(tmp_path):
    given, taking = small(0), small(1)
    save_file({f"module.{k}": v for k, v in given.state_dict().items()}, tmp_path / "c.safetensors")
    load_foreign(taking, tmp_path / "c.safetensors", "resnet8")
    assert same(given.state_dict(), taking.state_dict())


def test_a_refused_checkpoint_leaves_the_model_as_it_was(tmp_path):
    state = small(0).state_dict()
    state["linear.bias"] = torch.full((3,), float("nan"))
    torch.save(state, tmp_path / "c.pt")
    taking = small(1)
    before = {key: value.clone() for key, value in taking.state_dict().items()}
    with pytest.raises(ModelError, match=r"c\.pt for resnet8: NaN or infinity in 'linear\.bias'"):
        load_foreign(taking, tmp_path / "c.pt", "resnet8")
    assert same(before, taking.state_dict())


@pytest.mark.parametrize("content", [[1, 2], 3, {1: torch.zeros(1)}, {"state_dict": {}}, {}])
def test_a_checkpoint_of_something_else_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(ModelError):
        load_foreign(small(), tmp_path / "c.pt", "resnet8")


def test_no_damage_to_a_checkpoint_ends_in_another_error_than_ours(tmp_path):
    buffer = io.BytesIO()
    torch.save(small().state_dict(), buffer)
    whole, rng, refused = buffer.getvalue(), np.random.default_rng(0), 0
    for _ in range(60):
        content = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.5 else whole)
        for place in rng.integers(0, len(content), 30):
            content[place] = rng.integers(0, 256)
        (tmp_path / "c.pt").write_bytes(content)
        try:
            load_foreign(small(), tmp_path / "c.pt", "resnet8")
        except ModelError:
            refused += 1
    assert refused > 30


# --- real weights on real images --------------------------------------------------------------


@pytest.fixture(scope="module")
def images():
    """500 test images of CIFAR-10 from their JPEGs, and their labels."""
    from PIL import Image as image

    path = SHARED / "cifar10_jpeg_stream.npz"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with np.load(path, allow_pickle=False) as archive:
        stream, offset, y = (archive[f"{name}_test"] for name in ("jpeg", "offset", "y"))
    decoded = [
        np.asarray(image.open(io.BytesIO(stream[offset[i] : offset[i + 1]].tobytes())))
        for i in range(500)
    ]
    return torch.from_numpy(np.stack(decoded)), torch.from_numpy(y[:500].astype(np.int64))


@pytest.mark.parametrize(
    ("file", "model", "accuracy"),
    [
        ("cifar10_resnet20", "resnet20", 0.810),
        ("cifar10_resnet56", "resnet56", 0.832),
        ("cifar10_resnet56_jpeg", "resnet56", 0.889),
    ],
)
def test_published_weights_reach_their_accuracy(file, model, accuracy, images):
    x, y = images
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    data = record((32, 32, 3), "hwc", mean=tuple(255 * mean), std=tuple(255 * std))
    net = deployed(model, 16, data)
    load_foreign(net.backbone, SHARED / f"{file}.safetensors", model)
    with torch.no_grad():
        found = (net.eval()(x).argmax(1) == y).float().mean().item()
    noise = (accuracy * (1 - accuracy) / len(y)) ** 0.5
    assert abs(found - accuracy) < 3.5 * noise
