"""Pairs that only round are taken away, and no others."""

import numpy as np
import onnx
from edgestill.pipeline.compress.int8.pairs import output_in_float, products_in_float
from foreign_graphs.building import foreign, node


def quantized(kind="MatMul", weights=(4, 4), after="Tanh"):
    """A product of integers, a pair, an operator, and a second pair and product."""
    stored = {
        "wq": np.ones(weights, np.int8), "s": np.float32(0.1), "z": np.uint8(0), "w0": np.int8(0),
        "own_s": np.float32(0.2), "own_z": np.uint8(0),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        node("DequantizeLinear", ["wq", "s", "w0"], ["wd"]),
        node(kind, ["xd", "wd"], ["a"], name="product"),
        node("QuantizeLinear", ["a", "own_s", "own_z"], ["aq"]),
        node("DequantizeLinear", ["aq", "own_s", "own_z"], ["ad"]),
        node(after, ["ad"], ["y"], name="after"),
    ]
    return foreign(nodes, {"x": [4, 4]}, {"y": [4, 4]}, stored, feeds={}).model


def kinds(model):
    return [one.op_type for one in model.graph.node]


def test_a_product_gives_its_sums_to_an_operator_in_float():
    model = quantized()
    products_in_float(model.graph, {"product"})
    assert kinds(model)[-2:] == ["MatMul", "Tanh"]
    assert model.graph.node[-1].input[0] == "a"
    assert {tensor.name for tensor in model.graph.initializer} == {"wq", "s", "z", "w0"}
    onnx.checker.check_model(model)


def test_pairs_that_the_runtime_needs_stay():
    for model, int8 in (
        (quantized(), {"product", "after"}),  # the next operator is in int8 too
        (quantized(), set()),  # the product itself is not
        (quantized("Add"), {"product"}),  # no product
        (quantized(weights=(2, 4, 4)), {"product"}),  # a stack of matrices
    ):
        before = kinds(model)
        products_in_float(model.graph, int8)
        assert kinds(model) == before


def test_the_last_layer_gives_floats():
    model = quantized()
    model.graph.node.pop()
    model.graph.output[0].name = "ad"
    output_in_float(model.graph, "ad")
    assert kinds(model)[-1] == "MatMul"
    assert model.graph.node[-1].output[0] == "ad"
    assert "own_s" not in {tensor.name for tensor in model.graph.initializer}


def test_a_pair_that_does_the_work_of_a_relu_stays():
    """The quantizer takes a Relu away where the range of the pair begins at zero."""
    for remove in (
        lambda model: products_in_float(model.graph, {"product"}, {"a"}),
        lambda model: output_in_float(model.graph, "ad", {"a"}),
    ):
        model = quantized()
        before = kinds(model)
        remove(model)
        assert kinds(model) == before
