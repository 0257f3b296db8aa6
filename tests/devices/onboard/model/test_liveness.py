"""Memory by the graph alone: which tensors are alive together."""

import numpy as np
from edgestill.devices.onboard.model import liveness
from onnx import TensorProto, helper
from onnx_files import model

FLOAT = TensorProto.FLOAT


def _needs(nodes, inputs, outputs, stored=(), batch=1):
    made = model(nodes, inputs, outputs, stored)
    return liveness.of_models(made, made, batch)


def test_a_chain_holds_two_tensors_at_a_time():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["b"], name="middle"),
        helper.make_node("Tanh", ["b"], ["y"]),
    ]
    found = _needs(nodes, [("x", FLOAT, [1, 100])], [("y", FLOAT, [1, 100])])
    assert (found.activation_bytes, found.weight_bytes, found.missing) == (800, 0, None)


def test_a_skip_connection_is_held_until_it_is_added():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        helper.make_node("Tanh", ["b"], ["c"], name="t"),
        helper.make_node("Add", ["a", "c"], ["y"]),
    ]
    found = _needs(nodes, [("x", FLOAT, [1, 100])], [("y", FLOAT, [1, 100])])
    assert found.activation_bytes == 1200  # a, b and c
    assert "Tanh" in found.at


def test_the_peak_is_where_the_tensors_are_widest_and_grows_with_the_batch():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["wide"], name="up"),
        helper.make_node("MatMul", ["wide", "v"], ["y"]),
    ]
    ends = [("x", FLOAT, ["n", 10])], [("y", FLOAT, ["n", 2])]
    stored = [("w", np.ones((10, 90), np.float32)), ("v", np.ones((90, 2), np.float32))]
    one, eight = (_needs(nodes, *ends, stored, batch=batch) for batch in (1, 8))
    assert (one.activation_bytes, one.weight_bytes) == (400, 4 * (900 + 180))
    assert (eight.activation_bytes, eight.weight_bytes) == (3200, one.weight_bytes)
    assert "up" in one.at


def test_a_view_holds_nothing_of_its_own_but_keeps_what_it_shows():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Reshape", ["a", "shape"], ["flat"]),
        helper.make_node("Sigmoid", ["flat"], ["b"]),
        helper.make_node("Mul", ["flat", "b"], ["y"]),
    ]
    stored = [("shape", np.array([100], np.int64))]
    found = _needs(nodes, [("x", FLOAT, [1, 100])], [("y", FLOAT, [100])], stored)
    assert found.activation_bytes == 1200  # a (as flat), b and y


def test_making_a_view_takes_no_second_copy():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["wide"]),
        helper.make_node("Reshape", ["wide", "shape"], ["flat"]),
        helper.make_node("ReduceSum", ["flat"], ["y"]),
    ]
    stored = [("w", np.ones((10, 90), np.float32)), ("shape", np.array([90], np.int64))]
    found = _needs(nodes, [("x", FLOAT, [1, 10])], [("y", FLOAT, [1])], stored)
    assert found.activation_bytes == 400  # x and what it is multiplied into


def test_an_output_is_held_to_the_end():
    nodes = [
        helper.make_node("Relu", ["x"], ["first"]),
        helper.make_node("Sigmoid", ["x"], ["b"]),
        helper.make_node("Tanh", ["b"], ["y"]),
    ]
    outputs = [("first", FLOAT, [1, 100]), ("y", FLOAT, [1, 100])]
    assert _needs(nodes, [("x", FLOAT, [1, 100])], outputs).activation_bytes == 1200


def test_what_a_branch_reads_from_outside_is_held_until_the_branch():
    def branch(name):
        node = helper.make_node("Relu", ["a"], [name])
        return helper.make_graph(
            [node], name, [], [helper.make_tensor_value_info(name, FLOAT, [1, 100])]
        )

    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Sigmoid", ["x"], ["b"]),
        helper.make_node("Tanh", ["b"], ["c"]),
        helper.make_node("If", ["yes"], ["d"], then_branch=branch("t"), else_branch=branch("e")),
    ]
    stored = [("yes", np.array(True))]
    outputs = [("c", FLOAT, [1, 100]), ("d", FLOAT, [1, 100])]
    found = _needs(nodes, [("x", FLOAT, [1, 100])], outputs, stored)
    assert found.activation_bytes == 1200  # x, a and b; a, b and c; a, c and d


def test_a_tensor_of_unknown_size_makes_the_peak_unknown_not_smaller():
    nodes = [
        helper.make_node("NonZero", ["x"], ["where"]),
        helper.make_node("Cast", ["where"], ["y"], to=FLOAT),
    ]
    found = _needs(nodes, [("x", FLOAT, [1, 100])], [("y", FLOAT, None)])
    assert found.activation_bytes is None
    assert "'where'" in found.missing
