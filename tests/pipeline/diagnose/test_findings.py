"""What is read off hand-made profiles: times by layer, what did not fuse, advice and sentences."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgestill.devices.onboard.model.outline import of_model
from edgestill.devices.operators.layers import join
from edgestill.devices.operators.profiling import Operator, Profile
from edgestill.pipeline.diagnose.advice import advise, edges_of, layer_costs
from edgestill.pipeline.diagnose.diagnosis import conclude
from edgestill.pipeline.diagnose.file_times import FileTimes, computes, is_quantized
from edgestill.pipeline.diagnose.float_edit import FloatEdit
from edgestill.pipeline.diagnose.sentences import sentences
from edgestill.pipeline.diagnose.unfused import islands, unfused
from onnx import TensorProto, helper
from onnx_files import model

FLOAT = TensorProto.FLOAT
WEIGHTS = np.random.default_rng(0).integers(-100, 100, (4, 4)).astype(np.int8)
QUANTIZED = [
    ("w", WEIGHTS), ("s", np.float32(0.05)), ("z", np.uint8(128)), ("ws", np.float32(0.01)),
    ("wz", np.int8(0)),
]  # fmt: skip
ENDS = [("x", FLOAT, [1, 4])], [("y", FLOAT, [1, 4])]


def node(op, inputs, outputs, name=""):
    return helper.make_node(op, inputs.split(), outputs.split(), name=name)


def fp32_model():
    """A product and a Softplus."""
    nodes = [node("MatMul", "x v", "a", "product"), node("Softplus", "a", "y", "curve")]
    return model(nodes, *ENDS, [("v", WEIGHTS.astype(np.float32) * np.float32(0.01))])


def int8_model():
    """The product between Q and DQ, the Softplus as well."""
    nodes = [
        node("QuantizeLinear", "x s z", "xq"), node("DequantizeLinear", "xq s z", "xd"),
        node("DequantizeLinear", "w ws wz", "wd"), node("MatMul", "xd wd", "a", "product"),
        node("QuantizeLinear", "a s z", "aq"), node("DequantizeLinear", "aq s z", "ad"),
        node("Softplus", "ad", "b", "curve"),
        node("QuantizeLinear", "b s z", "bq"), node("DequantizeLinear", "bq s z", "y"),
    ]  # fmt: skip
    return model(nodes, *ENDS, QUANTIZED)


def profile_of(loaded, us):
    """A profile in which the runtime changed nothing and each operator takes `us[op]`."""
    graph = of_model(loaded, 1, {})
    operators = tuple(
        Operator(i, n.name, n.op, "CPU", 1.0, us[n.op], us[n.op], 0.0, "float", 4)
        for i, n in enumerate(graph.nodes)
    )
    query = sum(operator.us for operator in operators)
    return Profile(Path("model.onnx"), operators, query, query, query, 10, graph, graph, "runtime")


@pytest.fixture
def profiles():
    us = {"MatMul": 50.0, "Softplus": 10.0}
    converting = {"QuantizeLinear": 4.0, "DequantizeLinear": 2.0}
    return profile_of(fp32_model(), us), profile_of(int8_model(), {**us, **converting})


@pytest.fixture
def sides(profiles):
    joined = join(*profiles)
    return (
        joined,
        FileTimes(profiles[0], joined.layer_of_fp32),
        FileTimes(profiles[1], joined.layer_of_int8),
    )


def test_conversions_are_attributed_to_the_layer_they_run_for(sides):
    _, _, after = sides
    assert after.us(0) == 50.0
    # Before it: the DQ of its input and of its weight; behind it: its Q. The input's Q has no
    # layer before it and runs for the first behind it.
    assert after.around(0, after.conversions) == 4 + 2 + 2 + 4
    assert after.around(1, after.conversions) == 2 + 4 + 2
    assert after.total({"QuantizeLinear"}) == 12.0
    assert after.us_an_element("QuantizeLinear") == 1.0
    assert after.converts_stored(2)
    assert not after.converts_stored(0)
    assert list(after.unjoined("int8")) == []


def test_a_layer_read_by_a_q_alone_shows_no_reason_and_a_softplus_is_an_island(sides):
    _, _, after = sides
    (layer,) = unfused(after)
    assert (layer.name, layer.us) == ("product", 50.0)
    assert layer.why == "the graph shows no reason; onnxruntime has no kernel for this form"
    (island,) = islands(after)
    assert (island.name, island.us, island.conversions_us) == ("curve", 10.0, 6.0)


def test_both_layers_are_advised_to_be_left_in_float_where_conversions_are_all_they_cost(sides):
    joined, before, after = sides
    costs = layer_costs(joined, before, after)
    assert costs.gains_us == {0: 2.0, 1: 0.0}
    assert costs.in_float == {0, 1}
    assert [(edge.producer, edge.readers) for edge in edges_of(joined, after.profile)] == [
        (None, (0,)), (0, (1,)), (1, ()),
    ]  # fmt: skip
    advice = advise(joined, before, after).advice
    assert advice.exclude == advice.nodes == advice.layers == ("product", "curve")


def test_the_sentences_state_the_ratio_and_a_busy_machine(profiles):
    diagnosis = conclude(*profiles)
    first, *rest = diagnosis.why
    assert first == (
        "int8 takes 1.33× the latency of fp32: 80 µs and 60 µs a query at the 10th percentile, "
        "80 µs and 60 µs at the median"
    )
    assert "1 of 1 layers with weights are computed in float in the int8 file" in rest
    assert not any("other processes" in sentence for sentence in rest)
    busy = list(sentences(replace(diagnosis, advice=None), busy=True))
    assert busy[1].startswith("other processes took much of the time")
    assert busy[-1] == "leaving layers in float would save no time"


def test_operators_count_as_quantized_by_their_type():
    graph = of_model(int8_model(), 1, {})
    assert [n.op for n in graph.nodes if not is_quantized(n)] == ["MatMul", "Softplus"]
    integers = Operator(0, "", "QLinearConv", "CPU", 1.0, 1.0, 1.0, 0.0, "uint8", 4)
    assert computes([integers]) == "integers"
    assert computes([replace(integers, op="FusedConv", type="float")]) == "float"
    assert computes([]) is None


def test_the_edit_restores_the_fp32_weights_and_drops_the_conversions():
    edit = FloatEdit(int8_model(), fp32_model(), Path("fp32.onnx"))
    names = [n.name for n in edit.outline.nodes]
    assert edit.reads_dequantized(names.index("product"))
    edit.apply([names.index("product"), names.index("curve")])
    onnx.checker.check_model(edit.model)
    assert "QuantizeLinear" not in {n.op_type for n in edit.model.graph.node}
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in edit.model.graph.initializer}
    assert np.allclose(stored["v"], WEIGHTS * 0.01)
