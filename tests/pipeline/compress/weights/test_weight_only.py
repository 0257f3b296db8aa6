"""Weights alone in int8 or int4: what is stored, what is answered, how it loads."""

from types import SimpleNamespace

import numpy as np
import onnx
import onnx_files
import onnxruntime
import pytest
import torch
from edgestill.errors import ModelError, NoEffectError
from edgestill.exporters import ort
from edgestill.exporters.onnx import INPUT, export
from edgestill.pipeline.compress.weights import weight_only
from edgestill.pipeline.compress.weights.packable import SMALLEST
from edgestill.pipeline.models import deployed, example
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.records import DataRecord
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.slow

WAYS = {
    "int8": weight_only.int8,
    "int8-run": lambda source, target: weight_only.int8(source, target, unpack="run"),
    "int4": weight_only.int4,
}
FAMILIES = {
    "resnet8": ((8, 8, 3), "hwc", "float32", 16),
    "mlp1": ((48,), "table", "float32", 64),
    "transformer1": ((12,), "tokens", "int32", 64),
}


@pytest.fixture(scope="module", params=FAMILIES)
def source(request, tmp_path_factory):
    """An export of a family, samples, and its variants."""
    shape, layout, dtype, width = FAMILIES[request.param]
    statistics = ((), ()) if layout == "tokens" else ((0.5,), (2.0,))
    data = DataRecord(
        source="test", task="classification", labels=tuple("abcd"), sample_shape=shape,
        layout=layout, dtype=dtype, mean=statistics[0], std=statistics[1], vocabulary=100,
        rows={}, counts={}, dropped=0, notes=(), fingerprint="",
    )  # fmt: skip
    torch.manual_seed(0)
    model = deployed(Architecture(model=request.param, width=width), data)
    folder = tmp_path_factory.mktemp("weights")
    export(model, example(data), folder / "fp32.onnx", opset=20)
    random = np.random.default_rng(0)
    if layout == "tokens":
        samples = random.integers(1, 100, (40, *shape), dtype=np.int32)
        samples[:, 7:] *= random.integers(0, 2, (40, 1), dtype=np.int32)
    else:
        samples = random.normal(size=(40, *shape)).astype(np.float32)
    made = {}
    for name, way in WAYS.items():
        path = folder / f"{name}.onnx"
        made[name] = SimpleNamespace(path=path, effect=way(folder / "fp32.onnx", path))
    return SimpleNamespace(
        name=request.param, path=folder / "fp32.onnx", samples=samples, made=made
    )


def session(path, optimized=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def answers(path, x):
    return session(path).run(None, {INPUT: x})[0]


def noise_db(given, exact):
    return 10 * np.log10((exact**2).mean() / ((given - exact) ** 2).mean())


def stored(path):
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def kinds(path):
    return [node.op_type for node in onnx.load(path).graph.node]


def one_layer(path, node, matrix, extra=(), shape=("batch", "features")):
    """One layer whose weights are known."""
    return onnx_files.save(
        path, [node],
        [(INPUT, TensorProto.FLOAT, list(shape))],
        [("y", TensorProto.FLOAT, [None] * len(shape))],
        [("w", matrix), *extra],
    )  # fmt: skip


# --- families ---------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_variant_is_a_valid_model_that_answers_nearly_as_fp32(source, way):
    made = source.made[way]
    onnx.checker.check_model(made.path)
    exact, given = (answers(path, source.samples) for path in (source.path, made.path))
    assert noise_db(given, exact) > (15 if way == "int4" else 35)
    assert made.effect.changed_nodes > 0
    assert answers(made.path, source.samples[:1]).shape == (1, 4)


@pytest.mark.parametrize("way", WAYS)
def test_every_weight_of_some_size_leaves_as_integers(source, way):
    left = [a for a in stored(source.made[way].path).values() if a.dtype == np.float32]
    allowed = {a.shape for n, a in stored(source.path).items() if a.size < SMALLEST}
    scales = {a.shape for n, a in stored(source.made[way].path).items() if n.endswith(".scale")}
    assert {a.shape for a in left} <= allowed | scales
    assert source.made[way].path.stat().st_size < source.path.stat().st_size


@pytest.mark.parametrize("way", ["int8", "int4"])
def test_convolutions_and_products_unpacked_at_load_run_as_fp32s_do(source, way, tmp_path):
    session(source.path, tmp_path / "fp32.onnx")
    session(source.made[way].path, tmp_path / "packed.onnx")
    fp32, packed = kinds(tmp_path / "fp32.onnx"), kinds(tmp_path / "packed.onnx")
    for kind in ("Conv", "FusedConv", "DequantizeLinear"):
        assert packed.count(kind) == fp32.count(kind)
    if way == "int8":
        assert packed.count("MatMul") == fp32.count("MatMul")
        assert "MatMulNBits" not in packed


@pytest.mark.parametrize("way", WAYS)
def test_no_activation_is_quantized_after_onnxruntimes_own_optimizer(source, way, tmp_path):
    session(source.made[way].path, tmp_path / "o.onnx")
    for node in onnx.load(tmp_path / "o.onnx").graph.node:
        assert "Quantize" not in node.op_type or node.op_type == "GatherBlockQuantized"
        assert "Integer" not in node.op_type
        if node.op_type == "MatMulNBits":
            assert {a.name: a.i for a in node.attribute}["accuracy_level"] == 1


def test_packed_in_the_run_stays_packed_in_an_ort_file_and_at_load_does_not(source, tmp_path):
    for name, made in source.made.items():
        (tmp_path / f"{name}.onnx").write_bytes(made.path.read_bytes())
    (tmp_path / "fp32.onnx").write_bytes(source.path.read_bytes())
    sizes = {path.stem: path.stat().st_size for path in ort.convert(tmp_path, target="arm")}
    assert sizes["int8-run"] < sizes["int8"] - 2000
    if source.name == "resnet8":
        assert sizes["int8"] > 0.95 * sizes["fp32"]
    else:
        assert sizes["int4"] < sizes["int8-run"]


@pytest.mark.parametrize("way", WAYS)
def test_the_same_file_gives_the_same_bytes(source, way, tmp_path):
    WAYS[way](source.path, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == source.made[way].path.read_bytes()


def test_the_notes_tell_the_layers_and_the_true_bytes(source):
    made = source.made["int4"]
    layers = {"resnet8": (6, 8), "mlp1": (1, 2), "transformer1": (5, 6)}[source.name]
    assert made.effect.changed_nodes == layers[0]
    assert f"{layers[0]} of {layers[1]} layers in int4" in made.effect.notes[0]
    assert f"takes {made.path.stat().st_size} bytes" in made.effect.notes[1]
    assert f"instead of {source.path.stat().st_size}" in made.effect.notes[1]


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["int8", "int8-run"])
@pytest.mark.parametrize("kind", ["MatMul", "Gemm", "Gemm transposed"])
def test_int8_is_off_by_half_a_step_of_its_channel_at_most(way, kind, tmp_path):
    random = np.random.default_rng(0)
    # Channels of very different size: one scale for all would round the small ones to nothing.
    matrix = (random.normal(size=(40, 30)) * np.logspace(-3, 3, 30)).astype(np.float32)
    matrix[:, 4] = 0
    turned = kind.endswith("transposed")
    node = helper.make_node(
        kind.split()[0], [INPUT, "w"], ["y"], **({"transB": 1} if turned else {})
    )
    one_layer(tmp_path / "m.onnx", node, matrix.T.copy() if turned else matrix)
    WAYS[way](tmp_path / "m.onnx", tmp_path / "q.onnx")
    given = answers(tmp_path / "q.onnx", np.eye(40, dtype=np.float32))
    step = np.abs(matrix).max(0) / 127
    assert (np.abs(given - matrix) <= 0.501 * step + 1e-9).all()
    assert np.abs(given - matrix).max() > 0


@pytest.mark.parametrize("kind", ["MatMul", "Gemm", "Gemm transposed", "Gemm scaled"])
@pytest.mark.parametrize("block", [16, 64])
def test_int4_is_off_by_one_step_of_its_block_at_most(kind, block, tmp_path):
    random = np.random.default_rng(0)
    matrix = random.normal(size=(70, 20)).astype(np.float32)  # no block divides 70
    bias = random.normal(size=20).astype(np.float32)
    turned = kind.endswith("transposed")
    options = {"transB": 1} if turned else {"alpha": 0.5} if kind.endswith("scaled") else {}
    inputs = [INPUT, "w"] + (["b"] if kind.startswith("Gemm") else [])
    node = helper.make_node(kind.split()[0], inputs, ["y"], **options)
    stored_matrix = matrix.T.copy() if turned else matrix
    one_layer(tmp_path / "m.onnx", node, stored_matrix, [("b", bias)] if len(inputs) > 2 else [])
    weight_only.int4(tmp_path / "m.onnx", tmp_path / "q.onnx", block=block)
    exact, given = (
        answers(tmp_path / f"{name}.onnx", np.eye(70, dtype=np.float32)) for name in "mq"
    )
    # Half a step inside, one step for a value as far out as the farthest but on the other side.
    assert (np.abs(given - exact) <= np.abs(matrix).max(0) / 8 * 1.001).all()
    assert noise_db(given, exact) > 18
    assert ("MatMulNBits" in kinds(tmp_path / "q.onnx")) == (not kind.endswith("scaled"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
def test_convolutions_of_any_direction_are_unpacked_along_their_channels(way, kind, tmp_path):
    random = np.random.default_rng(0)
    matrix = random.normal(size=(8, 16, 3, 3)).astype(np.float32)
    scales = np.logspace(-2, 2, 8 if kind == "Conv" else 16).astype(np.float32)
    matrix *= scales.reshape((-1, 1, 1, 1) if kind == "Conv" else (1, -1, 1, 1))
    taken = 16 if kind == "Conv" else 8
    node = helper.make_node(kind, [INPUT, "w"], ["y"])
    one_layer(tmp_path / "m.onnx", node, matrix, shape=("batch", taken, 6, 6))
    WAYS[way](tmp_path / "m.onnx", tmp_path / "q.onnx")
    x = random.normal(size=(2, taken, 6, 6)).astype(np.float32)
    exact, given = (answers(tmp_path / f"{name}.onnx", x) for name in "mq")
    for channel in range(len(scales)):
        wanted = 15 if way == "int4" else 35
        assert noise_db(given[:, channel], exact[:, channel]) > wanted


@pytest.mark.parametrize("way", WAYS)
def test_each_embedded_row_has_its_own_scale_and_any_index_works(way, tmp_path):
    random = np.random.default_rng(0)
    table = (random.normal(size=(60, 40)) * np.logspace(-3, 3, 60)[:, None]).astype(np.float32)
    path = onnx_files.save(
        tmp_path / "m.onnx", [helper.make_node("Gather", ["w", INPUT], ["y"])],
        [(INPUT, TensorProto.INT64, ["batch", "t"])],
        [("y", TensorProto.FLOAT, ["batch", "t", 40])], [("w", table)],
    )  # fmt: skip
    WAYS[way](path, tmp_path / "q.onnx")
    ids = np.array([[0, 59, -1], [3, -60, 30]])
    given = answers(tmp_path / "q.onnx", ids)
    step = np.abs(table[ids]).max(2, keepdims=True) / (8 if way == "int4" else 2 * 127)
    assert (np.abs(given - table[ids]) <= 1.01 * step).all()


def test_a_weight_shared_by_two_layers_is_stored_once(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", [INPUT, "w"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    path = onnx_files.save(
        tmp_path / "m.onnx", nodes, [(INPUT, TensorProto.FLOAT, ["batch", 40])],
        [("y", TensorProto.FLOAT, ["batch", 40])], [("w", matrix)],
    )  # fmt: skip
    for way, count in (("int8", 2), ("int4", 2)):
        assert WAYS[way](path, tmp_path / "q.onnx").changed_nodes == count
        assert len(stored(tmp_path / "q.onnx")) == 2


# --- refusals ---------------------------------------------------------------------------------


def test_a_weight_that_is_also_used_otherwise_is_left_alone(tmp_path):
    matrix = np.ones((40, 40), np.float32)
    nodes = [
        helper.make_node("MatMul", [INPUT, "w"], ["h"]),
        helper.make_node("Add", ["h", "w"], ["y"]),
    ]
    path = onnx_files.save(
        tmp_path / "m.onnx", nodes, [(INPUT, TensorProto.FLOAT, [40, 40])],
        [("y", TensorProto.FLOAT, [40, 40])], [("w", matrix)],
    )  # fmt: skip
    for way in WAYS.values():
        with pytest.raises(NoEffectError, match="changed none of 2 nodes"):
            way(path, tmp_path / "q.onnx")
    assert not (tmp_path / "q.onnx").exists()


def test_small_weights_are_not_worth_it_and_that_is_an_error(tmp_path):
    node = helper.make_node("MatMul", [INPUT, "w"], ["y"])
    one_layer(tmp_path / "m.onnx", node, np.ones((31, 33), np.float32))
    with pytest.raises(NoEffectError, match="1024 constant float32 weights"):
        weight_only.int8(tmp_path / "m.onnx", tmp_path / "q.onnx")


def test_weights_that_are_not_finite_are_refused_by_name(tmp_path):
    matrix = np.ones((40, 40), np.float32)
    matrix[3, 3] = np.nan
    node = helper.make_node("MatMul", [INPUT, "w"], ["y"])
    one_layer(tmp_path / "m.onnx", node, matrix)
    for way in WAYS.values():
        with pytest.raises(ModelError, match="not finite in 'w'"):
            way(tmp_path / "m.onnx", tmp_path / "q.onnx")


def test_a_model_that_cannot_be_raised_to_opset_21_is_told_to_be_exported_so(tmp_path):
    node = helper.make_node("GroupNormalization", [INPUT, "s", "b"], ["y"], num_groups=2)
    groups = np.ones(2, np.float32)
    model = onnx_files.model(
        [node], [(INPUT, TensorProto.FLOAT, ["n", 4, 8])], [("y", TensorProto.FLOAT, ["n", 4, 8])],
        [("s", groups), ("b", groups)], opset=20,
    )  # fmt: skip
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"set export\.opset = 21"):
        weight_only.int4(tmp_path / "m.onnx", tmp_path / "q.onnx")


@pytest.mark.parametrize("block", [8, 24, 0])
def test_a_block_that_onnxruntime_does_not_take_is_a_bug(block, tmp_path):
    with pytest.raises(ValueError, match="block"):
        weight_only.int4(tmp_path / "m.onnx", tmp_path / "q.onnx", block=block)
