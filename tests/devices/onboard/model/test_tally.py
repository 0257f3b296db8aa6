"""What graphs inside an If, Loop or Scan take, and what is said where that is not known."""

import numpy as np
import pytest
from edgestill.devices.onboard.model.cost import by_node, count_model
from edgestill.devices.onboard.model.graph import Graph
from edgestill.devices.onboard.model.shapes import inferred
from edgestill.devices.onboard.model.tally import Tally, of_graph, of_node, shown, tensor_bytes
from onnx import TensorProto, helper
from onnx_files import model

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def weights(*shape):
    return np.ones(shape, np.float32)


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def branch(name, *widths):
    """Products by weights of these widths; of the graph around it but for the last."""
    nodes, tensor = [], "x"
    for width in widths:
        nodes.append(helper.make_node("MatMul", [tensor, f"w{width}"], [f"{name}{width}"]))
        tensor = f"{name}{width}"
    return helper.make_graph(nodes, name, [], [value(tensor, FLOAT, None)])


def choice(*branches):
    names = ("then_branch", "else_branch")
    made = helper.make_node(
        "If", ["c"], ["y"], name="which", **dict(zip(names, branches, strict=True))
    )
    ends = [("x", FLOAT, ["n", 4]), ("c", BOOL, [])], [("y", FLOAT, None)]
    return model([made], *ends, [("w8", weights(4, 8)), ("w4", weights(4, 4))])


def test_branches_of_one_size_are_counted_without_a_word():
    cost = count_model(choice(branch("a", 8), branch("b", 8)), 3)
    assert cost.macs == 3 * 4 * 8
    assert cost.parameters == 32  # what nothing reads was not trained
    assert cost.notes == ()
    assert cost.activation_bytes == 4 * (3 * 4 + 3 * 8 + 3 * 8) + 1


def test_of_branches_that_differ_the_larger_is_counted_and_said():
    cost = count_model(choice(branch("a", 4), branch("b", 4, 8)), 3)
    assert cost.macs == 3 * (16 + 32)
    words = "If 'which': its branches take 48 and 144 multiply-accumulates; the most are counted"
    assert words in cost.notes
    assert [one.macs for one in by_node(choice(branch("a", 4), branch("b", 4, 8)), 3)] == [144]


def loop(limit, goes_on):
    """A product in a Loop that ends after `limit` turns, or when a computed value says so."""
    nodes = [helper.make_node("MatMul", ["s", "w4"], ["s2"])]
    if goes_on == "constant":
        nodes.append(helper.make_node("Identity", ["c"], ["c2"]))
    else:
        nodes += [
            helper.make_node("ReduceSum", ["s2"], ["sum"], keepdims=0),
            helper.make_node("Greater", ["sum", "zero"], ["c2"]),
        ]
    body = helper.make_graph(
        nodes, "body",
        [value("i", INT64, []), value("c", BOOL, []), value("s", FLOAT, [2, 4])],
        [value("c2", BOOL, []), value("s2", FLOAT, [2, 4])],
    )  # fmt: skip
    made = helper.make_node("Loop", [limit, ""], ["y"], name="turns", body=body)
    ends = [("x", FLOAT, [2, 4]), ("many", INT64, [])], [("y", FLOAT, [2, 4])]
    made.input.append("x")
    stored = [("w4", weights(4, 4)), ("five", np.int64(5)), ("zero", np.float32(0))]
    return model([made], *ends, stored)


def test_a_loop_is_counted_as_often_as_its_constants_say():
    cost = count_model(loop("five", "constant"))
    assert cost.macs == 5 * 2 * 16
    assert cost.notes == ()


@pytest.mark.parametrize(("limit", "goes_on"), [("many", "constant"), ("five", "computed")])
def test_a_loop_of_unknown_length_is_not_counted_and_said(limit, goes_on):
    cost = count_model(loop(limit, goes_on))
    assert cost.macs is None
    assert "Loop 'turns': how often it repeats 32 multiply-accumulates is not known" in cost.notes
    assert cost.parameters == (16 if goes_on == "constant" else 17)


def test_a_scan_is_counted_once_for_each_of_its_steps():
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["xt", "w"], ["m"]),
            helper.make_node("Add", ["s", "m"], ["s2"]),
        ],
        "body",
        [value("s", FLOAT, [2, 4]), value("xt", FLOAT, [2, 4])],
        [value("s2", FLOAT, [2, 4])],
    )
    made = helper.make_node("Scan", ["s0", "x"], ["y"], body=body, num_scan_inputs=1)
    ends = [("s0", FLOAT, [2, 4]), ("x", FLOAT, [7, 2, 4])], [("y", FLOAT, [2, 4])]
    cost = count_model(model([made], *ends, [("w", weights(4, 4))]))
    assert cost.macs == 7 * 2 * 16
    assert cost.notes == ()


def test_tallies_add_up_and_an_operator_is_named_by_its_output_where_it_has_no_name():
    total = Tally({"int8": 2}, 10)
    total.add(Tally({"int8": 1, "float32": 4}, 3, 1, 1, ["why"]), 2)
    assert total == Tally({"int8": 4, "float32": 8}, 16, 1, 1, ["why"])
    made = choice(branch("a", 8), branch("b", 8))
    graph = Graph(inferred(made, 1, {})[0].graph)
    assert of_node(graph.nodes[0], graph).macs == of_graph(graph).macs == {"float32": 32}
    assert shown(helper.make_node("Relu", ["x"], ["y"])) == "Relu 'y'"
    assert tensor_bytes(3, TensorProto.INT4) == 2
