"""Look-ups over one graph, and the extents of one query written into it."""

import numpy as np
from edgestill.devices.onboard.model.graph import Graph, clear_negative, fix_shapes, inner_graphs
from onnx import TensorProto, helper, numpy_helper
from onnx_files import model

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def _graph():
    """y = x @ w + x, with w stored and a constant beside it."""
    constant = numpy_helper.from_array(np.zeros((2,), np.int64), "value")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="mm"),
        helper.make_node("Constant", [], ["c"], value=constant),
        helper.make_node("Add", ["h", "x"], ["y"], name="add"),
    ]
    ends = [("x", FLOAT, ["n", 4])], [("y", FLOAT, [1, 4])]
    return model(nodes, *ends, [("w", np.ones((4, 4), np.float32))]).graph


def test_a_tensor_has_one_maker_and_its_takers_with_the_position_they_read_it_at():
    graph = Graph(_graph())
    assert graph.maker["h"].name == "mm"
    assert "x" not in graph.maker
    assert [(node.name, position) for node, position in graph.takers["x"]] == [
        ("mm", 0),
        ("add", 1),
    ]
    assert [(node.name, position) for node, position in graph.takers["h"]] == [("add", 0)]


def test_initializers_and_constants_are_stored_and_no_inputs():
    graph = Graph(_graph())
    assert set(graph.stored) == {"w", "c"}
    assert graph.inputs == ["x"]
    assert (graph.shape("w"), graph.elem_type("w")) == ((4, 4), FLOAT)
    assert (graph.shape("c"), graph.elem_type("c")) == ((2,), INT64)


def test_a_shape_with_an_open_extent_and_one_that_is_nowhere_are_unknown():
    graph = Graph(_graph())
    assert graph.shape("x") is None
    assert graph.elem_type("x") == FLOAT
    assert graph.shape("y") == (1, 4)
    assert graph.shape("h") is None
    assert graph.elem_type("h") == 0


def _dims(value):
    return [
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param
        for dim in value.type.tensor_type.shape.dim
    ]


def test_the_batch_is_the_first_open_axis_and_a_symbol_holds_wherever_it_stands():
    nodes = [helper.make_node("Add", ["a", "b"], ["y"])]
    inputs = [("a", FLOAT, ["n", "s", 4]), ("b", FLOAT, ["n", "t", 4])]
    graph = model(nodes, inputs, [("y", FLOAT, ["n", "s", "u"])]).graph
    fix_shapes(graph, 3, {"a": (3, 7, 4)})
    assert [_dims(value) for value in graph.input] == [[3, 7, 4], [3, "t", 4]]
    assert _dims(graph.output[0]) == [3, 7, "u"]


def _nested():
    """y = x @ w in both branches of an If, which read x and w of the graph around them."""
    branches = {
        name: helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], [f"{name}_y"], name=name)],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_y", FLOAT, [-1, 4])],
        )
        for name in ("then_branch", "else_branch")
    }
    nodes = [helper.make_node("If", ["c"], ["y"], **branches)]
    ends = [("x", FLOAT, [-1, 4]), ("c", TensorProto.BOOL, [])], [("y", FLOAT, [-1, 4])]
    return model(nodes, *ends, [("w", np.ones((4, 4), np.float32))]).graph


def test_a_graph_inside_a_node_reads_what_is_around_it():
    outer = Graph(_nested())
    inner = {name: Graph(one, outer) for name, one in inner_graphs(outer.nodes[0])}
    assert set(inner) == {"then_branch", "else_branch"}
    assert inner["then_branch"].shape("w") == (4, 4)
    assert inner["then_branch"].value("w").name == "w"
    assert inner["then_branch"].elem_type("x") == FLOAT
    assert sorted(node.name for node, _ in outer.takers["w"]) == ["else_branch", "then_branch"]


def test_negative_extents_are_open_in_the_graphs_inside_too():
    graph = _nested()
    assert Graph(graph).extents("x") == (None, 4)
    clear_negative(graph)
    assert _dims(graph.input[0]) == ["", 4]
    inner = [_dims(one.output[0]) for _, one in inner_graphs(graph.node[0])]
    assert inner == [["", 4], ["", 4]]
    fix_shapes(graph, 3, {})
    assert _dims(graph.input[0]) == [3, 4]
