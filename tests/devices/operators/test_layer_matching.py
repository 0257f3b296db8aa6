"""Which operators of two graphs are matched, how layers are joined, and who reads which tensor."""

import numpy as np
from edgestill.devices.onboard.model.outline import of_model
from edgestill.devices.operators.layer_matching import match
from edgestill.devices.operators.layers import homes, join
from edgestill.devices.operators.profiling import Operator, Profile
from edgestill.devices.operators.weight_samples import similarity
from edgestill.devices.operators.wiring import Wiring, family, multiplies, shown
from onnx import TensorProto, helper
from onnx_files import model

FLOAT = TensorProto.FLOAT


def of(*nodes, stored=()):
    """The outline of a graph from `x` to `y`, four numbers each."""
    ends = [("x", FLOAT, [1, 4])], [("y", FLOAT, [1, 4])]
    return of_model(model(list(nodes), *ends, list(stored)), 1, {})


def node(op, inputs, outputs, name=""):
    return helper.make_node(op, inputs.split(), outputs.split(), name=name)


def square(seed):
    return np.random.default_rng(seed).normal(size=(4, 4)).astype(np.float32)


def profile_of(source, optimized):
    """One operator a node of the optimized graph, of one microsecond."""
    operators = tuple(
        Operator(i, n.name, n.op, "CPU", 1.0, 1.0, 1.0, 0.0, "float", 4)
        for i, n in enumerate(optimized.nodes)
    )
    return Profile(None, operators, 1.0, 1.0, 1.0, 1, source, optimized, "runtime")


def test_a_fused_operator_of_another_kind_is_what_wrote_its_output_before():
    source = of(helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Gelu", ["a"], ["y"]))
    fused = of(helper.make_node("BiasGelu", ["x", "b"], ["y"], domain="com.microsoft"))
    assert match(fused, source, by_values=False) == {0: 1}
    assert match(fused, source, by_values=True) == {}  # of another file a name proves nothing


def test_wiring_looks_through_conversions_and_names_direct_neighbours():
    graph = of(
        node("Relu", "x", "a"),
        node("QuantizeLinear", "a s", "q"),
        node("DequantizeLinear", "q s", "d"),
        node("Relu", "d", "y"),
        stored=[("s", np.float32(0.1))],
    )
    wiring = Wiring(graph)
    assert wiring.after(0) == [3]
    assert wiring.before(3) == [0]
    assert list(wiring.next(0, backward=False)) == [1]
    assert wiring.producer["q"] == 1
    assert wiring.readers["q"] == [2]


def test_operator_types_of_one_operation_are_one_family():
    assert {family(op) for op in ("Conv", "FusedConv", "QLinearConv", "ConvInteger")} == {"Conv"}
    assert {family(op) for op in ("Gemm", "QGemm", "MatMulNBits")} == {"MatMul"}
    assert family("QLinearAdd") == family("Add") == "Add"


def test_a_node_without_a_name_is_shown_by_its_output():
    (named,) = of(node("Relu", "x", "y", "act")).nodes
    (unnamed,) = of(node("Relu", "x", "y")).nodes
    assert (shown(named), shown(unnamed)) == ("act", "y")
    assert not multiplies(named)


def test_weights_are_alike_as_they_are_and_transposed_and_unlike_otherwise():
    def weight(values):
        graph = of(node("MatMul", "x w", "y"), stored=[("w", values)])
        return graph.nodes[0].weight

    a = square(1)
    assert similarity(weight(a), weight(2 * a)) > 0.999
    assert similarity(weight(a), weight(a.T.copy())) > 0.999
    assert abs(similarity(weight(a), weight(square(2)))) < 0.6
    assert similarity(weight(a), weight(np.zeros((4, 5), np.float32))) == 0.0


def test_suffixes_that_onnxruntime_and_its_quantizer_append_are_looked_through():
    source = of(node("Relu", "x", "y", "act"))
    renamed = of(node("Relu", "x", "other", "act_token_7_quant"), node("Relu", "other", "y"))
    assert match(renamed, source, by_values=False)[0] == 0


def test_a_fused_operator_runs_in_the_last_of_those_that_feed_it():
    source = of(
        node("MatMul", "x w", "a", "product"), node("Relu", "a", "y", "act"),
        stored=[("w", square(1))],
    )  # fmt: skip
    assert homes(source, {0: 0}) == {0: 0, 1: 0}


def test_operators_that_run_as_one_in_either_file_are_one_layer():
    stored = [("w", square(1)), ("v", square(2))]
    source = of(
        node("MatMul", "x w", "a", "first"), node("Relu", "a", "b", "act"),
        node("MatMul", "b v", "y", "second"), stored=stored,
    )  # fmt: skip
    fused = of(
        node("MatMul", "x w", "b", "first"), node("MatMul", "b v", "y", "second"), stored=stored
    )
    joined = join(profile_of(source, source), profile_of(source, fused))
    assert [(layer.name, layer.fp32, layer.int8) for layer in joined.layers] == [
        ("first", (0, 1), (0,)),
        ("second", (2,), (1,)),
    ]
    assert joined.layer_of_node == {0: 0, 1: 0, 2: 1}
