"""Model families, the model as it ships, and weights that others made."""

import io

import numpy as np
import onnxruntime
import pytest
import torch
from edgestill.errors import ModelError, RecipeError
from edgestill.exporters.onnx import INPUT, export
from edgestill.pipeline import models
from edgestill.pipeline.models import FAMILIES, Signature, example, parameters, signature
from edgestill.pipeline.models.deployed import Deployed
from edgestill.pipeline.models.resnet import Block
from edgestill.pipeline.models.transformer import MASKED, heads, initialize
from edgestill.pipeline.models.weights import load_foreign, restore, save
from edgestill.pipeline.recipe import model_names
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.records import DataRecord
from safetensors.torch import save_file
from shared_data import SHARED
from torch import nn


def record(shape, layout, *, dtype="uint8", mean=(0.0,), std=(1.0,), classes=10, **more):
    return DataRecord(
        source="test", task="classification", labels=tuple(map(str, range(classes))),
        sample_shape=shape, layout=layout, dtype=dtype, mean=mean, std=std, rows={}, counts={},
        dropped=0, notes=(), fingerprint="", **more,
    )  # fmt: skip


def build(model, of, *, width=4, **arguments):
    return models.build(Architecture(model=model, width=width, arguments=arguments), of)


def deployed(model, width, data, outputs=None):
    return models.deployed(Architecture(model=model, width=width), data, outputs)


IMAGES = Signature((8, 8), "hw", 3)
TEXTS = Signature((24,), "tokens", 4, vocabulary=50, pad=3)


# --- families ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "count"),
    [("resnet20", 269_722), ("resnet32", 464_154), ("resnet56", 853_018), ("resnet110", 1_727_962)],
)
def test_a_residual_network_has_the_parameters_of_the_paper(model, count):
    """He et al. 2016, table 6: 0.27M, 0.46M, 0.85M, 1.7M."""
    net = build(model, Signature((32, 32, 3), "hwc", 10), width=16)
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
    net = build(model, Signature(shape, layout, 7), width=width)
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
    net = build("mlp3", Signature((4, 2), "hw", 3), width=5)
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    assert [(one.in_features, one.out_features) for one in layers] == [
        (8, 5),
        (5, 5),
        (5, 5),
        (5, 3),
    ]
    assert net(torch.zeros(6, 1, 4, 2)).shape == (6, 3)


def test_the_recipe_knows_every_family_that_can_be_built():
    assert set(model_names.FAMILIES) == set(FAMILIES)
    for family, depths in model_names.FAMILIES.items():
        for depth in (depths.least, depths.least + depths.step):
            of = TEXTS if family in ("transformer", "dan") else IMAGES
            assert parameters(build(f"{family}{depth}", of, width=2)) > 0


def test_the_keyword_spotting_network_has_the_published_size():
    """MLPerf Tiny's DS-CNN has 24,908 numbers: 576 biases that batch norm makes needless, and the
    1,152 running moments of its batch norms, are not among our trainable parameters."""
    net = build("dscnn4", Signature((49, 10), "hw", 12), width=64)
    assert parameters(net) == 24_908 - 576 - 1_152
    assert net.blocks(net.stem(net.pad(torch.zeros(1, 1, 49, 10)))).shape == (1, 64, 25, 5)


@pytest.mark.parametrize(("depth", "per_stage"), [(3, (1, 1, 1)), (5, (2, 2, 1)), (9, (3, 3, 3))])
def test_inverted_residuals_stand_in_three_stages_that_halve_the_image_twice(depth, per_stage):
    net = build(f"mobilenet{depth}", Signature((17, 9), "hw", 3))
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
        return build("resnet8", IMAGES).conv1.weight

    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))


UNFIT = {
    "resnet8": ("table", "tc", "tokens"),
    "mobilenet3": ("table", "tc", "tokens"),
    "dscnn1": ("table", "tc", "tokens"),
    "mlp1": ("tokens",),
    "conv1d1": ("table", "hwc", "chw", "tokens"),
    "transformer1": ("table", "hw", "hwc", "chw", "tc"),
    "dan1": ("table", "hw", "hwc", "chw", "tc"),
}
SHAPES = {
    "table": (6,),
    "hw": (6, 5),
    "hwc": (6, 5, 3),
    "chw": (3, 6, 5),
    "tc": (24, 3),
    "tokens": (24,),
}
SUITED = {"table": "mlp", "tc": "conv1d", "tokens": "transformer"}


@pytest.mark.parametrize("layout", SHAPES)
@pytest.mark.parametrize("model", UNFIT)
def test_a_family_takes_its_layouts_and_names_another_for_the_rest(model, layout):
    of = Signature(SHAPES[layout], layout, 4, vocabulary=50, pad=3)
    if layout not in UNFIT[model]:
        data = record(SHAPES[layout], layout, dtype="float32", classes=4, vocabulary=50)
        net = Deployed(build(model, of), layout, (0.0,), (1.0,))
        assert net(example(data)).shape == (2, 4)
        return
    with pytest.raises(RecipeError) as refused:
        build(model, of)
    family = SUITED.get(layout, "resnet")
    assert refused.value.found == f"model {model!r} for {of.described}"
    assert refused.value.expected.endswith(f"or the family {family}")
    named = refused.value.fix.split("'")[1]
    assert parameters(build(named, of)) > 0


# --- windows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "per_stage"), [(1, (1, 0, 0)), (3, (1, 1, 1)), (5, (2, 2, 1))])
def test_blocks_over_time_stand_in_three_stages_that_halve_it_twice(depth, per_stage):
    net = build(f"conv1d{depth}", Signature((21, 3), "tc", 5))
    assert [block.bn2.num_features for block in net.blocks] == [
        width for width, blocks in zip((4, 8, 16), per_stage, strict=True) for _ in range(blocks)
    ]
    steps = 21 if depth == 1 else 6
    assert net.blocks(net.conv(torch.zeros(2, 3, 21))).shape == (2, net.linear.in_features, steps)


@pytest.mark.parametrize(
    ("steps", "stride", "kernel"),
    [(1, 1, 5), (128, 1, 5), (1023, 1, 5), (1024, 2, 9), (16_000, 16, 65)],
)
def test_a_long_window_is_taken_down_to_512_to_1023_steps_first(steps, stride, kernel):
    net = build("conv1d1", Signature((steps, 1), "tc", 2))
    assert (net.conv.stride, net.conv.kernel_size) == ((stride,), (kernel,))
    left = net.conv(torch.zeros(1, 1, steps)).shape[2]
    assert left == -(-steps // stride)
    assert left == steps or 512 <= left < 1024


def test_a_block_over_time_whose_convolutions_are_silent_is_its_shortcut():
    block = build("conv1d1", Signature((21, 3), "tc", 5)).blocks[0].eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.rand(2, 4, 21)
    assert torch.equal(block(x), x)


def test_an_image_over_time_is_answered_as_a_window():
    torch.manual_seed(0)
    window, image = (
        build("conv1d3", Signature((30, 3), layout, 5)).eval() for layout in ("tc", "hw")
    )
    image.load_state_dict(window.state_dict())
    x = torch.randn(2, 30, 3)
    assert torch.equal(window(x.transpose(1, 2)), image(x[:, None]))


# --- texts ------------------------------------------------------------------------------------


def texts(rows, of=TEXTS):
    """Ids of texts of 1, 2, 3, … tokens, int32 [rows, length]."""
    length = of.sample_shape[0]
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, of.vocabulary, (rows, length), generator=generator, dtype=torch.int32)
    told = torch.arange(length) < (torch.arange(rows) % length + 1)[:, None]
    return torch.where(told, ids, torch.tensor(of.pad, dtype=torch.int32))


def transformer(depth=2, width=16, of=TEXTS, seed=0):
    """One whose embeddings are large enough to make attention choose."""
    torch.manual_seed(seed)
    net = build(f"transformer{depth}", of, width=width).eval()
    for table in (net.embedding.weight, net.position):
        nn.init.normal_(table)
    return net


def test_a_text_is_answered_alike_cut_to_its_length_and_padded():
    net, ids = transformer(2, 64), texts(24)
    with torch.no_grad():
        whole = net(ids)
        assert whole.std(0).min() > 0.1
        for length in (1, 2, 9, 23):
            cut = net(ids[:length, :length])
            torch.testing.assert_close(cut, whole[:length], rtol=0, atol=1e-5)
            torch.testing.assert_close(cut[-1:], net(ids[length - 1 : length]), rtol=0, atol=1e-5)


def test_what_stands_in_the_padding_changes_nothing():
    net, ids = transformer(), texts(5)
    with torch.no_grad():
        before = net(ids)
        net.embedding.weight[TEXTS.pad] = 100.0
        assert torch.equal(net(ids), before)


def test_the_order_of_tokens_changes_the_answer():
    net, ids = transformer(), texts(24)[-1:]
    with torch.no_grad():
        assert (net(ids) - net(ids.flip(1))).abs().max() > 1e-3


def test_a_text_of_padding_alone_has_a_finite_answer_and_gradient():
    net, ids = transformer().train(), texts(4)
    ids[2] = TEXTS.pad
    answers = net(ids)
    answers.sum().backward()
    assert torch.isfinite(answers).all()
    assert all(torch.isfinite(one.grad).all() for one in net.parameters())


def test_attention_is_the_papers_formula():
    """Vaswani et al. 2017, equation 1, one head after the other, in numpy."""
    torch.manual_seed(0)
    part = build("transformer1", TEXTS, width=64).layers[0].attention
    x, width, each = torch.randn(2, 7, 64), 64, 32
    mask = torch.zeros(2, 1, 1, 7)
    mask[1, ..., 5:] = MASKED
    with torch.no_grad():
        found = part(x, mask).numpy()
        q, k, v = (one.numpy() for one in part.query_key_value(x).split(width, 2))
    weight, bias = (one.detach().numpy() for one in part.output.parameters())
    for row, told in ((0, 7), (1, 5)):
        mixed = []
        for head in (slice(0, each), slice(each, width)):
            scores = q[row][:, head] @ k[row][:told, head].T / np.sqrt(each)
            shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
            mixed.append(shares @ v[row][:told, head])
        expected = np.concatenate(mixed, 1) @ weight.T + bias
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_heads_have_32_units_and_64_in_wide_models():
    assert [heads(width) for width in (1, 16, 32, 128, 256, 512, 768)] == [1, 1, 1, 4, 8, 8, 12]
    for width in range(1, 1025):
        assert width % heads(width) == 0


def test_a_transformer_has_the_parameters_of_its_parts():
    layer = 4 * (64 * 64 + 64) + (64 * 256 + 256) + (256 * 64 + 64) + 2 * 2 * 64
    net = build("transformer3", TEXTS, width=64)
    assert parameters(net) == 50 * 64 + 24 * 64 + 3 * layer + 2 * 64 + 64 * 4 + 4


@pytest.mark.parametrize(
    ("student", "teacher", "taken"),
    [(2, 4, [0, 2]), (4, 6, [0, 1, 3, 4]), (1, 3, [0]), (2, 2, [0, 1])],
)
def test_a_student_starts_from_evenly_spaced_layers_of_its_teacher(student, teacher, taken):
    small, large = transformer(student, seed=0), transformer(teacher, seed=1)
    wrapped = Deployed(large, "tokens", (), ())
    assert initialize(small, wrapped) == student
    assert same(small.embedding.state_dict(), large.embedding.state_dict())
    assert torch.equal(small.position, large.position)
    for layer, place in zip(small.layers, taken, strict=True):
        assert same(layer.state_dict(), large.layers[place].state_dict())
    small.position.data.zero_()
    assert large.position.any()


def test_a_student_as_deep_as_its_teacher_answers_as_it_once_norm_and_head_agree():
    one, other = transformer(seed=0), transformer(seed=1)
    initialize(one, other)
    for part in ("norm", "linear"):
        getattr(one, part).load_state_dict(getattr(other, part).state_dict())
    assert torch.equal(one(texts(5)), other(texts(5)))


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        (lambda: transformer(width=32), "a teacher of 50 tokens, width 32, length 24 and 1 heads"),
        (lambda: transformer(of=TEXTS._replace(vocabulary=51)), "a teacher of 51 tokens"),
        (lambda: transformer(of=TEXTS._replace(sample_shape=(25,))), "length 25"),
        (lambda: transformer(1), "a student of 2 layers and a teacher of 1"),
        (lambda: build("mlp1", IMAGES), "a teacher of Sequential, expected a model of the family"),
    ],
)
def test_a_teacher_of_other_sizes_is_refused_and_the_student_stays_as_it_was(teacher, said):
    student = transformer()
    before = {key: value.clone() for key, value in student.state_dict().items()}
    with pytest.raises(ModelError, match=said):
        initialize(student, teacher())
    assert same(before, student.state_dict())


# --- as ONNX ----------------------------------------------------------------------------------


def exported(name):
    if name == "transformer":
        return Deployed(transformer(2, 64), "tokens", (), ()), texts(64)
    torch.manual_seed(0)
    net = build("conv1d3", Signature((101, 3), name, 4), width=8)
    x = torch.randint(-900, 900, (64, 101, 3), dtype=torch.int16)
    # Batch norms that have seen nothing would let mistakes of scale pass.
    model = Deployed(net, name, (50.0,), (300.0,)).train()
    model(x)
    return model.eval(), x


@pytest.mark.parametrize(("name", "opset"), [("transformer", 18), ("transformer", 23), ("tc", 20)])
def test_onnx_runtime_answers_as_pytorch_at_any_batch_and_optimization(name, opset, tmp_path):
    model, x = exported(name)
    if name == "transformer":
        x[7] = TEXTS.pad
    export(model, x[:2], tmp_path / "m.onnx", opset=opset)
    with torch.no_grad():
        expected = model(x).numpy()
    assert expected.std() > 0.1
    for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        session = onnxruntime.InferenceSession(
            tmp_path / "m.onnx", options, providers=["CPUExecutionProvider"]
        )
        (given,) = session.get_inputs()
        kind = {torch.int32: "tensor(int32)", torch.int16: "tensor(int16)"}[x.dtype]
        assert (given.type, given.shape) == (kind, ["batch", *x.shape[1:]])
        for batch in (1, 7, 64):
            (found,) = session.run(None, {INPUT: x[:batch].numpy()})
            np.testing.assert_allclose(found, expected[:batch], rtol=0, atol=1e-4)


# --- a function of the user's -----------------------------------------------------------------


FACTORIES = """
import torch
from torch import nn

class Thrice(nn.Module):
    def __init__(self, value=0.0, dtype=torch.float32):
        super().__init__()
        self.value, self.dtype = value, dtype
    def forward(self, x):
        return torch.full((len(x), 3), self.value, dtype=self.dtype)

def good(hidden=5, act="relu"):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, hidden), nn.ReLU() if act == "relu" else nn.Tanh(),
        nn.BatchNorm1d(hidden), nn.Dropout(0.5), nn.Linear(hidden, 3),
    )
def text(): return nn.Sequential(nn.EmbeddingBag(50, 4), nn.Linear(4, 4))
def number(): return 3
def nothing(): pass
def fails(): raise KeyError("weights")
def leaves(): raise SystemExit(3)
def narrow(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
def other_size(): return nn.Sequential(nn.Flatten(), nn.Linear(63, 3))
class Two(Thrice):
    def forward(self, x): return super().forward(x), x
def two(): return Two()
def nan(): return Thrice(float("nan"))
def double(): return Thrice(dtype=torch.float64)
def whole(): return Thrice(dtype=torch.int64)
not_callable = 3
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A module of the user's on the Python path; its name."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "test_models_own.py").write_text(FACTORIES)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield "test_models_own"


def test_a_function_of_the_users_is_called_with_the_recipes_arguments(own):
    net = build(f"{own}:good", IMAGES, hidden=7, act="tanh")
    assert net[1].out_features == 7
    assert isinstance(net[2], nn.Tanh)
    # Seeing that it answers must leave no trace.
    assert net.training
    assert net[3].num_batches_tracked == 0
    assert not net[3].running_mean.any()
    assert deployed(f"{own}:good", 4, record((8, 8), "hw", classes=3)).backbone[1].out_features == 5


def test_a_function_of_the_users_may_make_a_model_of_text(own):
    assert build(f"{own}:text", TEXTS)(texts(2)).shape == (2, 4)


def test_a_function_of_the_users_makes_the_same_weights_for_the_same_seed(own):
    made = []
    for _ in range(2):
        torch.manual_seed(5)
        made.append(build(f"{own}:good", IMAGES).state_dict())
    assert same(*made)


BAD = {
    "good": ({"depth": 2}, ["TypeError: ", "unexpected keyword argument 'depth'", "arguments"]),
    "absent": ({}, ["no function 'absent' in ", "write absent() there"]),
    "not_callable": ({}, ["found 'not_callable' of type int in ", "expected a function"]),
    "number": ({}, ["found a int, expected a torch.nn.Module"]),
    "nothing": ({}, ["found a NoneType, expected a torch.nn.Module"]),
    "fails": ({}, ["failed with KeyError: 'weights'"]),
    "leaves": ({}, ["failed with SystemExit: 3"]),
    "narrow": ({}, ["found float32 [2, 2] for float32 [2, 1, 8, 8], expected float32 [2, 3]"]),
    "other_size": ({}, ["RuntimeError: mat1 and mat2", "images of 8 by 8 with 1 channel"]),
    "two": ({}, ["found a tuple for float32 [2, 1, 8, 8], expected float32 [2, 3]"]),
    "nan": ({}, ["NaN or infinity in its output"]),
    "double": ({}, ["found float64 [2, 3]", "expected float32 [2, 3]"]),
    "whole": ({}, ["found int64 [2, 3]"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_function_of_the_users_is_refused_where_it_makes_no_such_model(name, own):
    arguments, said = BAD[name]
    with pytest.raises(ModelError) as refused:
        build(f"{own}:{name}", IMAGES, **arguments)
    assert str(refused.value).startswith(f"model {own}:{name}: ")
    for part in said:
        assert part in str(refused.value)


def test_a_module_of_the_users_that_is_not_there_is_refused():
    with pytest.raises(ModelError, match=r"no module 'absent_net' in .*put absent_net\.py in"):
        build("absent_net:make", IMAGES)


# --- the model as it ships --------------------------------------------------------------------


class Seen(nn.Module):
    """A backbone that gives back what it takes."""

    def forward(self, x):
        return x


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize(
    ("layout", "shape", "values"),
    [("table", (6,), 6), ("table", (6,), 1), ("hw", (4, 5), 1), ("hwc", (4, 5, 3), 3),
     ("hwc", (4, 5, 3), 1), ("chw", (3, 4, 5), 3), ("chw", (3, 4, 5), 1), ("tc", (7, 3), 3),
     ("tc", (7, 3), 1)],
)  # fmt: skip
def test_normalization_is_numpys(dtype, layout, shape, values):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 200, (9, *shape)).astype(dtype)
    mean, std = rng.uniform(50, 150, values), rng.uniform(10, 70, values)
    channels_last = np.moveaxis(x, 1, -1) if layout == "chw" else x
    expected = (channels_last.astype(np.float64) - mean) / std
    if layout in ("hwc", "chw", "tc"):
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


def test_token_ids_reach_the_backbone_as_they_are():
    ids = torch.tensor([[5, 7, 3], [1, 3, 3]], dtype=torch.int32)
    assert Deployed(Seen(), "tokens", (), ())(ids) is ids


@pytest.mark.parametrize(
    ("layout", "shape"),
    [("table", (6,)), ("hw", (4, 5)), ("hwc", (4, 5, 3)), ("chw", (3, 4, 5)), ("tc", (7, 3))],
)
def test_a_signature_tells_what_the_backbone_is_given(layout, shape):
    found = Deployed(Seen(), layout, (0.0,), (1.0,))(torch.zeros(2, *shape))
    assert found.shape[1:] == Signature(shape, layout, 1).backbone_shape


def test_a_model_gives_one_number_a_class_where_nothing_else_is_asked():
    data = record((24,), "tokens", dtype="int32", mean=(), std=(), vocabulary=50, pad=3, classes=4)
    assert signature(data) == TEXTS
    assert signature(data, 7) == TEXTS._replace(outputs=7)
    assert deployed("transformer1", 8, data, 7)(example(data)).shape == (2, 7)


def test_an_example_of_text_is_ids_with_padding_behind():
    for pad in (0, 3):
        data = record((5,), "tokens", dtype="int32", mean=(), std=(), vocabulary=9, pad=pad)
        made = example(data, batch=3)
        assert (made.dtype, made.shape) == (torch.int32, (3, 5))
        assert ((made == pad) == torch.tensor([False, False, False, True, True])).all()
        assert ((made >= 0) & (made < 9)).all()


def test_an_example_is_what_the_model_takes():
    for dtype in ("uint8", "int16", "float32"):
        made = example(record((4, 4), "hw", dtype=dtype), batch=3)
        assert (made.shape, str(made.dtype)) == ((3, 4, 4), f"torch.{dtype}")


# --- weights ----------------------------------------------------------------------------------


def small(seed=0):
    torch.manual_seed(seed)
    return build("resnet8", IMAGES, width=2)


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
