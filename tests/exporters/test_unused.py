"""What no output depends on goes, and what an inner graph reads stays."""

import numpy as np
from edgestill.exporters.unused import drop_unused
from onnx import helper, numpy_helper
from onnx_files import FLOAT, model


def test_operators_tensors_and_types_that_nothing_needs_go():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Add", ["a", "unused"], ["b"]),
        helper.make_node("Neg", ["b"], ["c"]),
        helper.make_node("Clip", ["a", "", "most"], ["y"]),
        helper.make_node("Dropout", ["x"], ["d", ""]),
    ]
    stored = [("unused", np.float32(1)), ("most", np.float32(6))]
    graph = model(nodes, [("x", FLOAT, [4])], [("y", FLOAT, [4])], stored).graph
    graph.value_info.extend(helper.make_tensor_value_info(n, FLOAT, [4]) for n in ("a", "b"))
    drop_unused(graph)
    assert [node.op_type for node in graph.node] == ["Relu", "Clip"]
    assert [tensor.name for tensor in graph.initializer] == ["most"]
    assert [value.name for value in graph.value_info] == ["a"]


def test_what_a_branch_reads_or_gives_stays():
    inner = [helper.make_node("Add", ["a", "w"], ["o"])]
    end = helper.make_tensor_value_info("o", FLOAT, None)
    given = helper.make_tensor_value_info("b", FLOAT, None)
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Neg", ["x"], ["b"]),
        helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
        helper.make_node("Greater", ["m", "zero"], ["which"]),
        helper.make_node(
            "If", ["which"], ["y"],
            then_branch=helper.make_graph(inner, "t", [], [end]),
            else_branch=helper.make_graph([], "e", [], [given]),
        ),
    ]  # fmt: skip
    stored = [("w", np.float32(1)), ("zero", np.float32(0)), ("dead", np.float32(0))]
    graph = model(nodes, [("x", FLOAT, [4])], [("y", FLOAT, None)], stored).graph
    drop_unused(graph)
    assert len(graph.node) == len(nodes)
    assert {tensor.name for tensor in graph.initializer} == {"w", "zero"}
    assert numpy_helper.to_array(graph.initializer[0]) == 1
