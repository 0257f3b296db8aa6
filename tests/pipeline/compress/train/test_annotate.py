"""Where int8-qat rounds: where the runtime computes in int8, in the types of the plan, alike."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from edgestill.errors import NoEffectError
from edgestill.pipeline.compress.int8.saturation import saturable
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.compress.train import annotate, qat
from edgestill.pipeline.compress.train.rounding_sensitivity import largest_change, propagates
from edgestill.pipeline.judge.answers import logits
from edgestill.pipeline.models import deployed, parameters
from edgestill.pipeline.models.deployed import Deployed
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.compress import Compress
from onnx import numpy_helper
from rounding_models import KINDS, SEVEN, calibrated, lived_in, record, samples
from torch import nn

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


@torch.no_grad()
def answers_without_rounding(model, data):
    """What a captured model answers in float, to one sample, which may be shorter, and to five."""
    for rounding in model.roundings():
        rounding.disable_fake_quant()
    batches = [torch.from_numpy(samples(data, count)) for count in (1, 5)]
    if data.layout == "tokens":
        batches[0] = batches[0][:, :8]
    found = [(x, model(x)) for x in batches]
    for rounding in model.roundings():
        rounding.enable_fake_quant()
    return found


@pytest.fixture(scope="module", params=KINDS)
def quantized(request, tmp_path_factory):
    """A small model with 7-bit weights as a torch module, a file, and the file as it runs."""
    model, data = lived_in(request.param)
    path = tmp_path_factory.mktemp("qat") / "model.onnx"
    rounding = calibrated(model, data)
    unrounded = answers_without_rounding(rounding, data)
    reference = qat.converted(rounding)
    qat.write(reference, data, path, opset=20)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path.with_name("runs.onnx"))
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return SimpleNamespace(
        name=request.param, data=data, model=model, reference=reference, path=path,
        file=onnx.load(path),
        unrounded=unrounded,
        runs=Counter(n.op_type for n in onnx.load(path.with_name("runs.onnx")).graph.node),
    )  # fmt: skip


# --- where it rounds ----------------------------------------------------------------------------


def test_every_layer_is_computed_in_int8(quantized):
    kinds = [type(module) for module in quantized.model.modules()]
    convolutions = sum(kind in (nn.Conv1d, nn.Conv2d) for kind in kinds)
    assert quantized.runs["QLinearConv"] == convolutions
    assert quantized.runs["QGemm"] == 1, "the last layer"
    within = kinds.count(nn.Linear) - 1
    assert quantized.runs["MatMulIntegerToFloat"] + quantized.runs["QLinearMatMul"] == within + (
        2 if quantized.name == "transformer1" else 0
    ), "scores and mix of attention are products too"
    assert not {"Conv", "Gemm", "MatMul"} & set(quantized.runs)


def test_every_sum_of_a_residual_network_is_computed_in_int8(quantized):
    sums = {"resnet8": 3, "mobilenet3": 1, "conv1d3": 3, "transformer1": 0}
    assert quantized.runs["QLinearAdd"] == sums[quantized.name]
    if quantized.name != "transformer1":
        assert quantized.runs["Add"] == 1, "the normalization's"


def test_no_activation_is_left_beside_the_layer_it_belongs_to(quantized):
    assert not {"Relu", "Clip"} & set(quantized.runs) or quantized.name == "transformer1"


def producers(graph):
    return {name: node for node in graph.node for name in node.output}


def test_input_and_logits_stay_in_float(quantized):
    graph = quantized.file.graph
    made_by = producers(graph)
    assert made_by[graph.output[0].name].op_type == "Gemm"
    reached = {graph.input[0].name}
    for node in graph.node:
        if reached & set(node.input) and node.op_type in ("Cast", "Mul", "Add", "Transpose"):
            reached |= set(node.output)
    readers = {n.op_type for n in graph.node if reached & set(n.input)}
    if quantized.data.layout != "tokens":
        assert "QuantizeLinear" in readers
        rounded = {name for n in graph.node if n.op_type == "QuantizeLinear" for name in n.input}
        assert len(rounded & reached) == 1, "rounded once, in front of the first layer"


def test_what_feeds_a_softmax_is_not_rounded(quantized):
    made_by = producers(quantized.file.graph)
    softmax = [n for n in quantized.file.graph.node if n.op_type == "Softmax"]
    assert len(softmax) == (quantized.name == "transformer1")
    for node in softmax:
        scores = made_by[node.input[0]]
        assert scores.op_type == "Add"
        assert "MatMul" in {made_by[name].op_type for name in scores.input if name in made_by}


def test_weights_are_stored_in_seven_bits_with_a_scale_a_channel_and_biases_in_32(quantized):
    stored = {t.name: numpy_helper.to_array(t) for t in quantized.file.graph.initializer}
    kept = [n for n in quantized.file.graph.node if n.op_type == "DequantizeLinear"]
    kept = [(stored[n.input[0]], stored[n.input[1]]) for n in kept if n.input[0] in stored]
    weights = [(w, scale) for w, scale in kept if w.dtype == np.int8]
    others = [(w.dtype.name, w.ndim) for w, _ in kept if w.dtype != np.int8]
    tables = [("uint8", 2)] if quantized.name == "transformer1" else []
    assert sorted(others, reverse=True) == tables + [("int32", 1)] * (len(others) - len(tables))
    layers = (nn.Conv1d, nn.Conv2d, nn.Linear)
    assert len(weights) == sum(isinstance(m, layers) for m in quantized.model.modules())
    for weight, scale in weights:
        assert np.abs(weight.astype(int)).max() == 63
        assert scale.shape == weight.shape[:1]
    floats = [
        name for name, t in stored.items() if t.ndim > 1 and t.size > 128 and t.dtype == np.float32
    ]
    assert len(floats) == len(tables), "positions alone stay in float, beside a table"


def test_a_file_is_about_a_third_of_what_its_weights_take_in_float(quantized):
    if quantized.name == "resnet8":
        assert quantized.path.stat().st_size < 0.36 * 4 * parameters(quantized.model)


def test_without_rounding_the_captured_model_answers_as_the_student_whatever_its_batch(quantized):
    for x, found in quantized.unrounded:
        with torch.no_grad():
            torch.testing.assert_close(found, quantized.model(x), rtol=1e-4, atol=1e-4)


def test_the_units_of_a_regression_stay_in_float():
    data = record((6,), "table").model_copy(
        update={"task": "regression", "labels": ("a",), "answer_mean": (4.0,), "answer_std": (3.0,)}
    )
    model = deployed(Architecture(model="mlp1", width=8), data).eval()
    graph = qat.prepared(model, data, SEVEN).net.graph
    (end,) = next(n for n in graph.nodes if n.op == "output").args[0]
    kinds = []
    while len(kinds) < 3:
        kinds.append(end.target)
        end = end.args[0]
    aten = torch.ops.aten
    assert kinds == [aten.add.Tensor, aten.mul.Tensor, aten.linear.default]


def test_a_model_without_layers_is_refused_before_it_is_trained():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(6))

        def forward(self, x):
            return (x * self.factor).tanh()

    model = Deployed(Scaled(), "table", (0.0,), (1.0,))
    with pytest.raises(NoEffectError, match="no layer of Scaled that can be quantized"):
        qat.prepared(model, record((6,), "table"), SEVEN)


# --- what the target takes ----------------------------------------------------------------------

PLANS = {
    "u8s8, pairs fit": plan(Compress(types="u8s8")).model_copy(
        update={"pairs_fit": True, "precise": False}
    ),
    "u8s8": plan(Compress(target="x86-vnni")).model_copy(update={"precise": True}),
    "s8s8": plan(Compress(target="raspberry-pi-5")).model_copy(update={"precise": True}),
    "u8u8": plan(Compress(types="u8u8")),
}


@pytest.fixture(scope="module", params=PLANS)
def planned(request, tmp_path_factory):
    """A network of pointwise and depthwise convolutions and a sum, as each target takes it."""
    how = PLANS[request.param]
    model, data = lived_in("mobilenet3")
    path = tmp_path_factory.mktemp("planned") / "model.onnx"
    reference = qat.converted(calibrated(model, data, how))
    qat.write(reference, data, path, opset=20)
    return SimpleNamespace(name=request.param, how=how, reference=reference, path=path, data=data)


def test_types_and_bits_are_those_of_the_plan(planned):
    graph = onnx.load(planned.path).graph
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    whole = {"u8": "uint8", "s8": "int8"}
    rounded = [n for n in graph.node if n.op_type == "QuantizeLinear"]
    assert {stored[n.input[2]].dtype.name for n in rounded} == {whole[planned.how.activations]}
    kept = [n for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in stored]
    weights = [stored[n.input[0]] for n in kept if stored[n.input[0]].ndim > 1]
    assert len(weights) == 12
    assert {w.dtype.name for w in weights} == {whole[planned.how.weights]}
    middle = 0 if planned.how.weights == "s8" else 127
    assert max(np.abs(w.astype(int) - middle).max() for w in weights) >= 127


def test_it_answers_alike_in_the_mode_that_the_plan_names(planned):
    x = samples(planned.data, 64, seed=9)
    with torch.no_grad():
        expected = planned.reference(torch.from_numpy(x)).numpy()
    for optimization in ("none", "all"):
        found = logits(
            planned.path, x, batch=64, optimization=optimization, precise=planned.how.precise
        )
        assert np.abs(found - expected).max() <= np.ptp(expected) / 255


def test_where_pairs_are_to_fit_none_saturates_and_channels_keep_more_than_seven_bits(planned):
    file = onnx.load(planned.path)
    count = sum(one.pairs for one in saturable(file))
    assert bool(count) == (planned.how.weights == "s8" and not planned.how.pairs_fit)
    if not planned.how.pairs_fit:
        return
    stored = {t.name: numpy_helper.to_array(t) for t in file.graph.initializer}
    weights = [w for w in stored.values() if w.ndim > 1 and w.dtype == np.int8]
    largest = [np.abs(w.astype(int)).reshape(len(w), -1).max(1) for w in weights]
    assert sum((channel > 64).sum() for channel in largest) > 0.8 * sum(map(len, largest))
    depthwise = [most for w, most in zip(weights, largest, strict=True) if w.shape[1:] == (1, 3, 3)]
    assert len(depthwise) == 3
    assert all((most[most > 0] == 127).all() for most in depthwise), "it pairs none"


# --- parity -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("optimization", ["none", "all"])
def test_the_file_answers_as_the_torch_model_within_one_step(quantized, batch, optimization):
    x = samples(quantized.data, 64, seed=9)
    with torch.no_grad():
        expected = quantized.reference(torch.from_numpy(x)).numpy()
        before = quantized.model(torch.from_numpy(x)).numpy()
    found = logits(quantized.path, x, batch=batch, optimization=optimization)
    assert np.abs(found - expected).max() <= np.ptp(expected) / 255
    assert 0 < np.abs(found - before).max() < 0.2 * np.ptp(before), "rounded, and not ruined"


def test_a_model_moves_as_the_file_does_by_less_than_a_step_where_it_has_no_attention(quantized):
    x = torch.from_numpy(samples(quantized.data, 64, seed=9))
    with torch.no_grad():
        step = np.ptp(quantized.reference(x).numpy()) / 255
    assert propagates(quantized.reference.net) == (quantized.name == "transformer1")
    found = largest_change(quantized.reference.net, x)
    assert found == largest_change(quantized.reference.net, x)
    assert 0 < found <= step * (1 if quantized.name != "transformer1" else 5)


def test_without_rounding_a_model_moves_by_no_more_than_its_arithmetic():
    torch.manual_seed(0)
    net = torch.fx.symbolic_trace(nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)))
    graph = torch.export.export(net, (torch.randn(64, 16),)).module()
    x = torch.randn(64, 16)
    assert 0 < largest_change(graph, x) < 1e-5


def test_the_quantizer_marks_layers_and_leaves_the_first_input_and_the_last_output_in_float():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.Flatten())
    graph = torch.export.export(net.eval(), (torch.zeros(2, 3, 8, 8),)).module()
    annotate.RuntimeQuantizer(SEVEN).annotate(graph)
    marked = {
        node: node.meta["quantization_annotation"]
        for node in graph.graph.nodes
        if "quantization_annotation" in node.meta
    }
    layers = [node for node in marked if node.target in annotate.CONVOLUTIONS]
    assert len(layers) == 2
    relu = next(node for node in marked if node.target in annotate.CLAMPS)
    assert marked[relu].output_qspec is not None
    assert marked[layers[1]].output_qspec is None
    for layer in layers:
        weight = marked[layer].input_qspec_map[layer.args[1]]
        assert (weight.dtype, weight.quant_max, weight.ch_axis) == (torch.int8, 63, 0)
