"""fp16: half the file, the same answers, and nothing that fp16 cannot hold."""

from types import SimpleNamespace

import numpy as np
import onnx
import onnx_files
import pytest
import torch
from edgestill.devices.onboard.runtimes.onnxruntime import open_session
from edgestill.devices.onboard.settings import Session
from edgestill.errors import ModelError, NoEffectError
from edgestill.exporters import ort
from edgestill.exporters.onnx import INPUT, export
from edgestill.pipeline.compress.weights import fp16
from edgestill.pipeline.models import deployed, example
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.records import DataRecord
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.slow

FAMILIES = {
    "resnet8": ((8, 8, 3), "hwc", "uint8", 8, (120.0,), (60.0,)),
    "transformer1": ((12,), "tokens", "int32", 64, (), ()),
}
FLOAT = TensorProto.FLOAT


@pytest.fixture(scope="module", params=FAMILIES)
def source(request, tmp_path_factory):
    """An export of a family, samples, and its fp16 variant."""
    shape, layout, dtype, width, mean, std = FAMILIES[request.param]
    data = DataRecord(
        source="test", task="classification", labels=tuple("abcd"), sample_shape=shape,
        layout=layout, dtype=dtype, mean=mean, std=std, vocabulary=100,
        rows={}, counts={}, dropped=0, notes=(), fingerprint="",
    )  # fmt: skip
    torch.manual_seed(0)
    model = deployed(Architecture(model=request.param, width=width), data)
    folder = tmp_path_factory.mktemp("half")
    path = folder / "fp32.onnx"
    export(model, example(data), path, opset=20)
    random = np.random.default_rng(0)
    x = random.integers(0, 100, (20, *shape)).astype(dtype)
    if layout == "tokens":
        x[:, 7:] *= random.integers(0, 2, (20, 1), dtype=np.int32)
        x[0] = 0  # padding alone
    effect = fp16.convert(path, folder / "fp16.onnx", {INPUT: x})
    return SimpleNamespace(
        name=request.param, path=path, x=x, half=folder / "fp16.onnx", effect=effect
    )


def answers(path, x, optimization="all"):
    return open_session(path, Session(optimization=optimization)).run(None, {INPUT: x})[0]


def stored(path):
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def net(path, nodes, constants, *, width=64, dtype=FLOAT):
    """A model [n, width] to the same with constants; its middle is a layer that can be fp16."""
    return onnx_files.save(
        path, nodes, [(INPUT, dtype, ["n", width])], [("y", FLOAT, ["n", width])], constants
    )


def product(taken, given, weights="w"):
    return helper.make_node("MatMul", [taken, weights], [given])


# --- families ---------------------------------------------------------------------------------


@pytest.mark.parametrize("optimization", ["none", "all"])
def test_the_variant_answers_as_fp32_does(source, optimization):
    exact, given = answers(source.path, source.x), answers(source.half, source.x, optimization)
    assert given.dtype == np.float32
    assert 0 < np.abs(given - exact).max() < 0.01 * np.abs(exact).max()
    said = float(source.effect.notes[2].split(" by ")[1].split()[0])
    if optimization == "all":
        assert said == pytest.approx(np.abs(given - exact).max(), rel=0.1)


def test_the_variant_is_valid_takes_any_batch_and_has_the_same_inputs_and_outputs(source):
    onnx.checker.check_model(source.half, full_check=True)
    before, now = onnx.load(source.path).graph, onnx.load(source.half).graph
    assert (before.input, before.output) == (now.input, now.output)
    assert answers(source.half, source.x[:1]).shape == (1, 4)


def test_weights_of_layers_are_fp16_and_the_file_is_half_as_large(source):
    layers = {
        name
        for node in onnx.load(source.half).graph.node
        if node.op_type in ("Conv", "MatMul", "Gemm", "Gather")
        for name in node.input
    }
    kept = {name: a.dtype for name, a in stored(source.half).items() if name in layers}
    assert kept
    assert set(kept.values()) <= {np.dtype(np.float16), np.dtype(np.int64)}
    assert source.half.stat().st_size < 0.65 * source.path.stat().st_size


def test_the_notes_say_size_not_speed_with_the_true_bytes(source):
    assert source.effect.notes[0] == (
        f"size, not speed, on a CPU: the file takes {source.half.stat().st_size} bytes "
        f"instead of {source.path.stat().st_size}"
    )
    assert source.effect.changed_nodes > 10
    assert source.effect.notes[1].startswith(f"{source.effect.changed_nodes} of ")


def test_normalization_stays_in_fp32(source):
    if source.name != "resnet8":
        pytest.skip("texts have none")
    graph = onnx.load(source.half).graph
    types = {one.name: one.type.tensor_type.elem_type for one in graph.value_info}
    first = next(node for node in graph.node if node.op_type == "Mul")
    assert types[first.output[0]] == FLOAT


def test_the_same_file_gives_the_same_bytes_and_leaves_no_scratch(source, tmp_path):
    fp16.convert(source.path, tmp_path / "again.onnx", {INPUT: source.x})
    assert (tmp_path / "again.onnx").read_bytes() == source.half.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.onnx"]


def test_an_ort_file_can_be_made_of_it(source, tmp_path):
    (tmp_path / "fp16.onnx").write_bytes(source.half.read_bytes())
    (path,) = ort.convert(tmp_path, target="arm")
    exact = answers(source.path, source.x)
    assert np.abs(answers(path, source.x) - exact).max() < 0.01 * np.abs(exact).max()


# --- what fp16 cannot hold ----------------------------------------------------------------------


@pytest.mark.parametrize("masked", [-1e4, -1e9])
def test_a_mask_beyond_the_range_is_kept_in_fp32_and_a_text_of_padding_has_no_nan(masked, tmp_path):
    """Scores of padding as in many a BERT: an additive mask in front of a softmax."""
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Equal", [INPUT, "pad"], ["padding"]),
        helper.make_node("Cast", ["padding"], ["float"], to=FLOAT),
        helper.make_node("Mul", ["float", "masked"], ["mask"]),
        helper.make_node("Cast", [INPUT], ["x"], to=FLOAT),
        product("x", "scores"),
        helper.make_node("Add", ["scores", "mask"], ["masked scores"]),
        helper.make_node("Softmax", ["masked scores"], ["shares"]),
        product("shares", "y"),
    ]
    weights = (0.1 * random.normal(size=(64, 64))).astype(np.float32)
    constants = [("w", weights), ("pad", np.int32(0)), ("masked", np.float32(masked))]
    path = net(tmp_path / "m.onnx", nodes, constants, dtype=TensorProto.INT32)
    x = random.integers(0, 3, (6, 64)).astype(np.int32)
    x[0] = 0
    fp16.convert(path, tmp_path / "h.onnx", {INPUT: x})
    exact, given = answers(path, x), answers(tmp_path / "h.onnx", x)
    assert np.abs(given - exact).max() < 0.01
    assert stored(tmp_path / "h.onnx")["masked"] == np.float32(masked)
    assert stored(tmp_path / "h.onnx")["w"].dtype == np.float16


def test_a_layer_whose_weights_or_values_are_too_large_is_left_in_fp32(tmp_path):
    random = np.random.default_rng(0)
    small = random.normal(size=(64, 64)).astype(np.float32) / 8
    large = small.copy()
    large[0, 0] = 7e4
    nodes = [
        product(INPUT, "a"),
        product("a", "b", "large"),
        helper.make_node("Mul", ["b", "million"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("Div", ["d", "huge"], ["e"]),
        product("e", "y"),
    ]
    constants = [("w", small), ("large", large), ("million", np.float32(1e6))]
    constants.append(("huge", np.float32(1e11)))
    path = net(tmp_path / "m.onnx", nodes, constants)
    x = random.normal(size=(9, 64)).astype(np.float32)
    effect = fp16.convert(path, tmp_path / "h.onnx", {INPUT: x})
    exact, given = answers(path, x), answers(tmp_path / "h.onnx", x)
    assert np.isfinite(given).all()
    assert np.abs(given - exact).max() < 0.01 * np.abs(exact).max()
    assert stored(tmp_path / "h.onnx")["large"][0, 0] == np.float32(7e4)
    assert effect.changed_nodes == 2, "the first product and the last"


def test_a_column_in_large_units_loses_no_digit(tmp_path):
    """10,000 and a bit: in fp16 the bit would be gone before the mean is taken off."""
    weights = np.eye(64, dtype=np.float32)
    nodes = [
        helper.make_node("Sub", [INPUT, "mean"], ["x"]),
        product("x", "z"),
        helper.make_node("Add", ["z", "mean"], ["y"]),
    ]
    path = net(tmp_path / "m.onnx", nodes, [("w", weights), ("mean", np.float32(10_000))])
    x = (10_000 + np.random.default_rng(0).normal(size=(9, 64))).astype(np.float32)
    fp16.convert(path, tmp_path / "h.onnx", {INPUT: x})
    assert np.abs(answers(tmp_path / "h.onnx", x) - answers(path, x)).max() < 0.01
    # onnxruntime's CPU may leave out the casts that lose the bit; another device will not.
    graph = onnx.load(tmp_path / "h.onnx").graph
    assert [node.op_type for node in graph.node] == ["Sub", "Cast", "MatMul", "Cast", "Add"]


def test_an_epsilon_below_fp16_stays_what_it_is(tmp_path):
    nodes = [
        product(INPUT, "a"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Add", ["b", "epsilon"], ["c"]),
        helper.make_node("Sqrt", ["c"], ["d"]),
        product("d", "y"),
    ]
    weights = (-np.eye(64)).astype(np.float32)
    path = net(tmp_path / "m.onnx", nodes, [("w", weights), ("epsilon", np.float32(1e-12))])
    x = np.ones((3, 64), np.float32)
    fp16.convert(path, tmp_path / "h.onnx", {INPUT: x})
    # The root of epsilon: 1e-6 in fp32, where fp16's smallest number has a root of 2.4e-4.
    assert answers(tmp_path / "h.onnx", x) == pytest.approx(-1e-6, rel=0.2)


def test_answers_that_are_not_finite_are_refused_with_their_output(tmp_path):
    nodes = [product(INPUT, "a"), helper.make_node("Log", ["a"], ["b"]), product("b", "y")]
    path = net(tmp_path / "m.onnx", nodes, [("w", np.zeros((64, 64), np.float32))])
    with pytest.raises(ModelError, match="'y' not finite"):
        fp16.convert(path, tmp_path / "h.onnx", {INPUT: np.ones((3, 64), np.float32)})


def test_a_model_without_arithmetic_that_fp16_could_do_is_an_error(tmp_path):
    path = net(tmp_path / "m.onnx", [helper.make_node("Softmax", [INPUT], ["y"])], [])
    with pytest.raises(NoEffectError, match="fp16 changed none of 1 nodes"):
        fp16.convert(path, tmp_path / "h.onnx", {INPUT: np.ones((3, 64), np.float32)})
    assert not (tmp_path / "h.onnx").exists()
