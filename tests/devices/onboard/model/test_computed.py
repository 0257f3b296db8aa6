"""Shapes that a graph computes itself are known where the extents of a query are."""

import numpy as np
import onnx
from edgestill.devices.onboard.model.computed import TAKEN, compute
from edgestill.devices.onboard.model.cost import count_model
from edgestill.devices.onboard.model.graph import Graph
from edgestill.devices.onboard.model.shapes import inferred
from onnx import TensorProto, helper
from onnx_files import model

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def weights(*shape):
    return np.ones(shape, np.float32)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def padded():
    """Pads out of a chain of constants, as torch writes `F.pad`, then a convolution."""
    nodes = [
        node("ConstantOfShape", "two", "zeros"),
        node("Concat", "given zeros", "flat", axis=0),
        node("Reshape", "flat rows", "pairs"),
        node("Slice", "pairs last first_axis none back", "turned"),
        node("Transpose", "turned", "columns", perm=[1, 0]),
        node("Reshape", "columns all", "listed"),
        node("Cast", "listed", "pads", to=INT64),
        node("Pad", "x pads", "p"),
        node("Conv", "p w", "y"),
    ]
    stored = [
        ("two", np.array([4])), ("given", np.array([1, 2])), ("rows", np.array([-1, 2])),
        ("last", np.array([-1])), ("first_axis", np.array([np.iinfo(np.int64).min])),
        ("none", np.array([0])), ("back", np.array([-1])), ("all", np.array([-1])),
        ("w", weights(5, 3, 3)),
    ]  # fmt: skip
    return model(nodes, [("x", FLOAT, ["n", 3, 8])], [("y", FLOAT, None)], stored)


def test_pads_out_of_constants_are_computed():
    made = padded()
    graph = Graph(inferred(made, 2, {})[0].graph)
    assert graph.shape("p") == (2, 3, 11)
    assert count_model(made, 2).macs == 2 * 5 * 9 * 9


def test_a_target_that_the_inputs_shape_gives_is_computed():
    """Shape, in floats and back, as exporters write a size: onnx propagates no such value."""
    nodes = [
        node("Shape", "x", "s"), node("Cast", "s", "f", to=FLOAT), node("Mul", "f k", "m"),
        node("Cast", "m", "t", to=INT64), node("Expand", "x t", "e"), node("MatMul", "e w", "y"),
    ]  # fmt: skip
    stored = [("k", np.array([3, 1, 1], np.float32)), ("w", weights(4, 5))]
    made = model(nodes, [("x", FLOAT, [1, "t", 4])], [("y", FLOAT, None)], stored)
    assert count_model(made, 1, {"x": (1, 7, 4)}).macs == 3 * 7 * 4 * 5
    unknown = count_model(made)
    assert unknown.macs is None
    assert any("a shape is unknown" in note for note in unknown.notes)


def choosing(rank):
    """An If on the rank of a tensor, as torch writes `if x.dim() == 2`."""
    branches = {
        name: helper.make_graph(
            [helper.make_node("MatMul", ["x", f"w{width}"], [f"y{width}"])],
            name,
            [],
            [helper.make_tensor_value_info(f"y{width}", FLOAT, None)],
        )
        for name, width in (("then_branch", 5), ("else_branch", 9))
    }
    nodes = [
        node("Shape", "x", "s"), node("Size", "s", "r"), node("Equal", "r two", "c"),
        helper.make_node("If", ["c"], ["y"], **branches), node("Relu", "y", "z"),
    ]  # fmt: skip
    stored = [("two", np.array(2)), ("w5", weights(4, 5)), ("w9", weights(4, 9))]
    shape = [3, 4] if rank == 2 else [2, 3, 4]
    return model(nodes, [("x", FLOAT, shape)], [("z", FLOAT, None)], stored)


def test_the_branch_that_a_query_takes_is_counted_and_gives_the_shape():
    for rank, macs, shape in ((2, 3 * 4 * 5, (3, 5)), (3, 6 * 4 * 9, (2, 3, 9))):
        fixed, _ = inferred(choosing(rank), 1, {})
        assert Graph(fixed.graph).shape("z") == shape
        taken = [one.value for one in fixed.graph.node[3].metadata_props if one.key == TAKEN]
        assert taken == ["then_branch" if rank == 2 else "else_branch"]
        cost = count_model(choosing(rank))
        assert (cost.macs, cost.notes) == (macs, ())


def test_what_is_known_already_is_left_alone_and_large_tensors_are_not_made():
    plain = model(
        [node("Relu", "x", "y")], [("x", FLOAT, [1, 4])], [("y", FLOAT, [1, 4])]
    )  # fmt: skip
    known = onnx.shape_inference.infer_shapes(plain)
    before = known.SerializeToString()
    compute(known)
    assert known.SerializeToString() == before
    nodes = [
        node("ConstantOfShape", "big", "z"), node("NonZero", "z", "i"), node("Relu", "x", "y"),
    ]  # fmt: skip
    stored = [("big", np.array([1 << 20, 1 << 20]))]
    huge = model(nodes, [("x", FLOAT, [1, 4])], [("y", FLOAT, [1, 4])], stored)
    assert count_model(huge).macs == 0


def test_what_reads_an_unknown_operator_stays_unknown():
    """onnx's own wrapper fails with a KeyError where a type that an operator reads is missing."""
    nodes = [
        helper.make_node("Weird", ["x"], ["h"], domain="acme"),
        node("Relu", "h", "r"), node("Shape", "r", "s"), node("Reshape", "x s", "y"),
    ]  # fmt: skip
    made = model(nodes, [("x", FLOAT, [1, 4])], [("y", FLOAT, None)], domain="acme")
    graph = Graph(inferred(made, 1, {})[0].graph)
    assert graph.shape("r") is None
    assert graph.shape("x") == (1, 4)


def test_a_scalar_stays_a_scalar():
    nodes = [node("Range", "zero n one", "r"), node("Gather", "x r", "y", axis=1)]
    stored = [("zero", np.array(0)), ("n", np.array(3)), ("one", np.array(1))]
    made = model(nodes, [("x", FLOAT, [2, 8])], [("y", FLOAT, None)], stored)
    assert Graph(inferred(made, 1, {})[0].graph).shape("y") == (2, 3)
