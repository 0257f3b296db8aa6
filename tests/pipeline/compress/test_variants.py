"""Compression: what is quantized, what is not, and that changing nothing is an error."""

from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from edgestill.devices.profiles import profile
from edgestill.errors import NoEffectError
from edgestill.exporters.onnx import INPUT, export
from edgestill.pipeline.compress.byte_breakdown import where_bytes_go
from edgestill.pipeline.compress.method import Job
from edgestill.pipeline.compress.methods import METHODS
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.models import deployed, example
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.compress import Compress, Variant
from edgestill.pipeline.records import DataRecord
from edgestill.pipeline.stages import TUNED_VARIANTS
from onnx import TensorProto, helper, numpy_helper

SHAPES = {
    "mlp1": ((32,), "table", 64),
    "resnet8": ((12, 12, 3), "hwc", 8),
    "mobilenet4": ((12, 12, 3), "hwc", 8),
    "dscnn2": ((25, 10), "hw", 32),
}

SATURATES = profile.load("host").saturates


def job(source, target, samples, *, bits=8, most_lost=0.0, lost=None, **asked):
    """A compression of a model with one input."""
    reduce_range = "always" if bits == 7 else "never"
    return Job(
        source, target, {INPUT: samples}, plan(Compress(**{"reduce_range": reduce_range} | asked)),
        asked.get("calibration", "minmax"), 99.99, lost or (lambda _, __: 0.0), most_lost,
    )  # fmt: skip


@pytest.fixture(scope="module", params=SHAPES)
def source(request, tmp_path_factory):
    """A small fp32 file and samples to calibrate with."""
    shape, layout, width = SHAPES[request.param]
    data = DataRecord(
        source="test", task="classification", labels=tuple("abcd"), sample_shape=shape,
        layout=layout, dtype="float32",
        mean=(0.5,), std=(2.0,), rows={}, counts={}, dropped=0, notes=(), fingerprint="",
    )  # fmt: skip
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("compress")
    model = deployed(Architecture(model=request.param, width=width), data)
    export(model, example(data), folder / "fp32.onnx", opset=20)
    samples = np.random.default_rng(0).normal(size=(70, *shape)).astype(np.float32)
    return SimpleNamespace(name=request.param, path=folder / "fp32.onnx", samples=samples)


@pytest.fixture(scope="module")
def static(source):
    """The static variants of it, with 8-bit and with 7-bit weights."""
    made = {}
    for bits in (8, 7):
        target = source.path.with_name(f"static{bits}.onnx")
        effect = METHODS["int8-static"](job(source.path, target, source.samples, bits=bits))
        made[bits] = SimpleNamespace(path=target, effect=effect, model=onnx.load(target))
    return made


def kinds(path):
    return [node.op_type for node in onnx.load(path).graph.node]


def stored(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def answers(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {INPUT: x})[0]


def weights(model):
    """Integer weights of every layer, its scale and the axis they are scaled along."""
    arrays = stored(model)
    layers = {
        name for n in model.graph.node if n.op_type in ("Conv", "Gemm") for name in n.input[1:2]
    }
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and set(node.output) & layers:
            axis = [a.i for a in node.attribute if a.name == "axis"]
            yield arrays[node.input[0]], arrays[node.input[1]], axis


def test_every_variant_a_recipe_may_name_has_its_method():
    assert {"fp32", *METHODS, *TUNED_VARIANTS} == set(Variant.__args__)
    assert set(Compress().variants) <= {"fp32", *METHODS}, "what trains on must be asked for"


# --- static -----------------------------------------------------------------------------------


def test_static_quantization_puts_q_and_dq_around_every_layer(static, source):
    graph = static[8].model.graph
    found = [node.op_type for node in graph.node]
    assert static[8].effect.changed_nodes == sum(k.endswith("eLinear") for k in found) > 4
    producer = {name: node.op_type for node in graph.node for name in node.output}
    layers = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(layers) == kinds(source.path).count("Conv") + kinds(source.path).count("Gemm")
    for layer in layers:
        assert {producer.get(name) for name in layer.input[:2]} == {"DequantizeLinear"}


def test_weights_are_int8_with_a_scale_a_channel(static):
    found = list(weights(static[8].model))
    assert found
    for values, scale, axis in found:
        assert values.dtype == np.int8
        assert axis, "a scale a channel needs its axis"
        assert scale.shape == (values.shape[axis[0]],)
        assert len(np.unique(scale)) > 1


def test_activations_are_uint8(static):
    arrays = stored(static[8].model)
    zeros = {
        arrays[node.input[2]].dtype
        for node in static[8].model.graph.node
        if node.op_type == "QuantizeLinear"
    }
    assert zeros == {np.dtype(np.uint8)}


def test_reduce_range_bounds_weights_to_seven_bits_and_without_it_they_use_eight(static):
    narrow = [np.abs(values.astype(int)).max() for values, _, _ in weights(static[7].model)]
    wide = [np.abs(values.astype(int)).max() for values, _, _ in weights(static[8].model)]
    assert max(narrow) <= 64
    assert min(narrow) >= 60
    assert max(wide) in (127, 128)
    assert "7-bit weights" in static[7].effect.notes[2]
    assert "8-bit weights" in static[8].effect.notes[2]


def test_logits_leave_in_float_and_take_more_values_than_uint8_has(static, source):
    graph = static[8].model.graph
    producer = {name: node.op_type for node in graph.node for name in node.output}
    assert producer[graph.output[0].name] == "Gemm"
    x = np.random.default_rng(1).normal(size=(400, *source.samples.shape[1:])).astype(np.float32)
    assert len(np.unique(answers(static[8].path, x))) > 256


@pytest.mark.parametrize("bits", [8, 7])
def test_a_static_variant_answers_nearly_as_fp32_does(static, source, bits):
    if bits == 8 and SATURATES:
        pytest.skip("8-bit weights saturate on an x86 CPU without VNNI; 'auto' takes 7 bits here")
    fp32, int8 = (answers(path, source.samples) for path in (source.path, static[bits].path))
    signal_to_noise_db = 10 * np.log10((fp32**2).mean() / ((fp32 - int8) ** 2).mean())
    assert signal_to_noise_db > 20
    assert np.isfinite(int8).all()


def test_a_static_variant_takes_any_batch_and_input_and_output_are_as_before(static, source):
    model = static[8].model
    before = onnx.load(source.path)
    for side in ("input", "output"):
        (now,), (was,) = getattr(model.graph, side), getattr(before.graph, side)
        assert (now.name, now.type) == (was.name, was.type)
    assert answers(static[8].path, source.samples[:3]).shape == (3, 4)
    onnx.checker.check_model(model)


def test_a_static_variant_of_a_net_of_some_size_is_smaller(tmp_path):
    rng = np.random.default_rng(0)
    path = dense(tmp_path / "big.onnx", rng.normal(size=(256, 256)).astype(np.float32))
    x = rng.normal(size=(32, 256)).astype(np.float32)
    METHODS["int8-static"](job(path, tmp_path / "q.onnx", x))
    assert (tmp_path / "q.onnx").stat().st_size < 0.35 * path.stat().st_size


def test_quantizing_twice_gives_the_same_file(source, static, tmp_path):
    METHODS["int8-static"](job(source.path, tmp_path / "again.onnx", source.samples))
    assert (tmp_path / "again.onnx").read_bytes() == static[8].path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["again.onnx"], "no scratch is left behind"


def test_the_source_is_left_as_it_was(source, static):
    assert not any(kind.endswith("eLinear") for kind in kinds(source.path))


def test_every_calibration_sample_is_shown_once_and_in_order(tmp_path):
    given = np.arange(70, dtype=np.float32)[:, None]
    shown = [feed[INPUT] for feed in job(tmp_path, tmp_path, given).feeds()]
    assert [len(batch) for batch in shown] == [32, 32, 6]
    assert np.array_equal(np.concatenate(shown), given)


# --- dynamic ----------------------------------------------------------------------------------


def test_dynamic_quantization_changes_fully_connected_layers_alone(source, tmp_path):
    target = tmp_path / "d.onnx"
    effect = METHODS["int8-dynamic"](
        job(source.path, target, source.samples, bits=7 if SATURATES else 8)
    )
    before, after = kinds(source.path), kinds(target)
    assert effect.changed_nodes > 0
    assert after.count("MatMulInteger") == before.count("Gemm") > 0
    assert after.count("Conv") == before.count("Conv")
    assert "Gemm" not in after
    assert "ConvInteger" not in after
    fp32, int8 = answers(source.path, source.samples), answers(target, source.samples)
    assert np.abs(fp32 - int8).max() < 0.1 * np.abs(fp32).max()


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_changes_nothing_is_an_error_that_says_what_to_leave_out(method, tmp_path):
    taken, given = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4])
        for name in (INPUT, "y")
    )
    write(tmp_path / "m.onnx", [helper.make_node("Tanh", [INPUT], ["y"])], taken, given, [])
    x = np.ones((4, 4), np.float32)
    said = "in fp16" if method == "fp16" else f"{method} changed none of 1 nodes"
    with pytest.raises(NoEffectError, match=said) as refusal:
        METHODS[method](job(tmp_path / "m.onnx", tmp_path / "q.onnx", x))
    assert f"leave '{method}' out of compress.variants" in str(refusal.value)
    assert refusal.value.exit_code == 3


def write(path, nodes, taken, given, tensors):
    graph = helper.make_graph(nodes, "g", [taken], [given], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def dense(path, matrix):
    """One fully connected layer."""
    taken, given = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", len(matrix)])
        for name in (INPUT, "y")
    )
    node = helper.make_node("MatMul", [INPUT, "w"], ["y"])
    return write(path, [node], taken, given, [numpy_helper.from_array(matrix, "w")])


# --- mixed ------------------------------------------------------------------------------------


def two_layers(path, *, damaged):
    """Two fully connected layers; the damaged one's input has an outlier that int8 cannot bear."""
    rng = np.random.default_rng(0)
    stored = {f"w{i}": rng.normal(size=(16, 16)).astype(np.float32) / 4 for i in (1, 2)}
    lift = np.ones(16, np.float32)
    lift[0] = 3e4
    stored["lift"] = lift
    # Lifted in front of the layer and weighted down in it: the answer is the same in float.
    stored[f"w{damaged}"] = stored[f"w{damaged}"] / lift[:, None]
    nodes, at = [], INPUT
    for i in (1, 2):
        if i == damaged:
            nodes.append(helper.make_node("Mul", [at, "lift"], [f"l{i}"], name=f"lift{i}"))
            at = f"l{i}"
        nodes.append(helper.make_node("MatMul", [at, f"w{i}"], [f"m{i}"], name=f"layer{i}"))
        at = f"m{i}"
        if i == 1:
            nodes.append(helper.make_node("Tanh", [at], ["t"], name="tanh"))
            at = "t"
    taken = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", 16])
    given = helper.make_tensor_value_info(at, TensorProto.FLOAT, ["batch", 16])
    tensors = [numpy_helper.from_array(a, n) for n, a in stored.items()]
    return write(path, nodes, taken, given, tensors)


def share_changed(fp32, found):
    return float((fp32.argmax(1) != found.argmax(1)).mean())


def share_lost(fp32, found):
    """The same of all outputs of a job, of which there is one."""
    (name,) = fp32.by_name
    return share_changed(fp32.whole(name), found.whole(name))


def layers_in_float(path):
    graph = onnx.load(path).graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    return [
        node.name
        for node in graph.node
        if node.op_type == "MatMul" and made_by.get(node.input[0]) != "DequantizeLinear"
    ]


@pytest.mark.parametrize("damaged", [1, 2])
def test_mixed_leaves_the_layer_in_float_that_int8_damages_and_no_other(tmp_path, damaged):
    path = two_layers(tmp_path / "m.onnx", damaged=damaged)
    x = np.random.default_rng(1).normal(size=(200, 16)).astype(np.float32)
    asked = {"lost": share_lost, "bits": 7}
    METHODS["int8-static"](job(path, tmp_path / "static.onnx", x, **asked))
    mixed = job(path, tmp_path / "mixed.onnx", x, most_lost=0.1, **asked)
    effect = METHODS["int8-mixed"](mixed)
    fp32, static, kept = (
        answers(tmp_path / name, x) for name in ("m.onnx", "static.onnx", "mixed.onnx")
    )
    assert share_changed(fp32, static) > 0.3
    assert share_changed(fp32, kept) <= 0.1
    assert [left.layer for left in effect.curve] == [None, f"layer{damaged}"]
    assert effect.curve[0].lost == pytest.approx(share_changed(fp32, static))
    assert effect.curve[1].lost == pytest.approx(share_changed(fp32, kept))
    assert effect.curve[1].damage > 0.1
    assert layers_in_float(tmp_path / "mixed.onnx") == [f"layer{damaged}"]
    assert "1 of 2 layers stay in float" in effect.notes[0]


def test_mixed_is_static_where_nothing_has_to_stay_and_says_so(source, static, tmp_path):
    target = tmp_path / "mixed.onnx"
    effect = METHODS["int8-mixed"](job(source.path, target, source.samples, most_lost=1.0))
    assert target.read_bytes() == static[8].path.read_bytes()
    assert [left.layer for left in effect.curve] == [None]
    assert "no layer has to stay in float" in effect.notes[0]


def test_mixed_says_where_even_one_layer_loses_too_much(tmp_path):
    path = two_layers(tmp_path / "m.onnx", damaged=1)
    x = np.random.default_rng(1).normal(size=(50, 16)).astype(np.float32)
    effect = METHODS["int8-mixed"](job(path, tmp_path / "q.onnx", x, lost=lambda *_: 0.5))
    assert len(effect.curve) == 2
    assert "more than the 0 allowed, with one layer left in int8" in effect.notes[0]


# --- what is told of a file ---------------------------------------------------------------------


def test_where_the_bytes_go_adds_up_and_knows_weights_by_type(source, static):
    for path, kind in ((source.path, "float"), (static[8].path, "int8")):
        parts = where_bytes_go(path)
        whole = sum(parts.weights.values()) + parts.scales + parts.constants + parts.graph
        assert whole == path.stat().st_size
        assert max(parts.weights, key=parts.weights.get) == kind
    stored_int8 = sum(
        len(tensor.raw_data)
        for tensor in static[8].model.graph.initializer
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) > 1
    )
    assert where_bytes_go(static[8].path).weights["int8"] == stored_int8
    assert where_bytes_go(source.path).scales == 0 < where_bytes_go(static[8].path).scales


def test_packed_weights_are_weights_wherever_they_are_unpacked(source, tmp_path):
    for method, share in (("int8-weights", 0.2), ("int4-weights", 0.1)):
        target = tmp_path / f"{method}.onnx"
        METHODS[method](job(source.path, target, source.samples))
        weights = where_bytes_go(target).weights
        packed = sum(size for kind, size in weights.items() if kind != "float")
        whole = sum(where_bytes_go(source.path).weights.values())
        assert packed > share * (whole - weights.get("float", 0))
