"""Operators matched by where they stand: fused ones in another layout, without any name."""

import numpy as np
import onnxruntime as ort
import pytest
from edgestill.devices.onboard.model.outline import of_model
from edgestill.devices.operators.layer_matching import match
from edgestill.devices.operators.places import by_place
from onnx import TensorProto, helper, load
from onnx_files import model

FLOAT = TensorProto.FLOAT
rng = np.random.default_rng(2)


def weights(*shape):
    return rng.normal(size=shape).astype(np.float32)


def node(op, inputs, outputs, name="", domain="", **attributes):
    return helper.make_node(
        op, inputs.split(), outputs.split(), name=name, domain=domain, **attributes
    )


def silu_net(*, named):
    """Two convolutions, each with SiLU, and a sum over both."""
    nodes = [
        node("Conv", "x w", "a", "c0", pads=[1] * 4), node("Sigmoid", "a", "s", "g0"),
        node("Mul", "a s", "b", "m0"), node("Conv", "b v", "c", "c1", pads=[1] * 4),
        node("Sigmoid", "c", "t", "g1"), node("Mul", "c t", "d", "m1"),
        node("Add", "b d", "e", "sum"), node("GlobalAveragePool", "e", "y", "pool"),
    ]  # fmt: skip
    if not named:
        for one in nodes:
            one.name = ""
    stored = [("w", weights(16, 3, 3, 3)), ("v", weights(16, 16, 3, 3))]
    return model(nodes, [("x", FLOAT, [1, 3, 8, 8])], [("y", FLOAT, [1, 16, 1, 1])], stored)


@pytest.mark.parametrize("named", [True, False])
def test_what_onnxruntime_fused_in_its_own_layout_is_matched(named, tmp_path):
    made = silu_net(named=named)
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    ran, source = of_model(load(tmp_path / "optimized.onnx"), 1, {}), of_model(made, 1, {})
    matched = match(ran, source, by_values=False)
    ops = {
        (ran.nodes[ours].op, source.nodes[theirs].outputs[0]) for ours, theirs in matched.items()
    }
    assert {("QuickGelu", "b"), ("QuickGelu", "d"), ("Add", "e")} <= ops
    unmatched = {one.op for at, one in enumerate(ran.nodes) if at not in matched}
    assert unmatched <= {"ReorderInput", "ReorderOutput"}


def outlines(ours, theirs):
    ends = [("x", FLOAT, [1, 4])], [("y", FLOAT, [1, 4])]
    return (
        of_model(model(ours, *ends, domain="com.microsoft"), 1, {}),
        of_model(model(theirs, *ends), 1, {}),
    )


def test_a_fused_operator_ends_where_all_ways_meet_again():
    theirs = [
        node("Relu", "x", "a"), node("Erf", "a", "b"), node("Add", "b a", "c"),
        node("Mul", "c a", "d"), node("Tanh", "d", "y"),
    ]  # fmt: skip
    ours = [node("Relu", "x", "p"), node("Fused", "p", "q", domain="com.microsoft"),
            node("Tanh", "q", "r")]  # fmt: skip
    found = by_place(*outlines(ours, theirs), {0: 0})
    assert found == {0: 0, 1: 3, 2: 4}


def test_what_is_read_elsewhere_was_not_fused_and_stays_unmatched():
    theirs = [node("Relu", "x", "a"), node("Erf", "a", "b"), node("Add", "b a", "c"),
              node("Tanh", "b", "y")]  # fmt: skip
    ours = [node("Relu", "x", "p"), node("Fused", "p", "q", domain="com.microsoft"),
            node("Tanh", "q", "r")]  # fmt: skip
    assert by_place(*outlines(ours, theirs), {0: 0, 2: 3}) == {0: 0, 2: 3}


def test_an_operator_of_onnx_is_only_matched_with_one_of_its_kind_and_only_where_that_is_alone():
    plain = [node("Relu", "x", "p"), node("Tanh", "p", "q")]
    other = [node("Relu", "x", "a"), node("Erf", "a", "y")]
    assert by_place(*outlines(plain, other), {0: 0}) == {0: 0}
    twins = [node("Relu", "x", "a"), node("Tanh", "a", "b"), node("Tanh", "a", "y")]
    assert by_place(*outlines(plain, twins), {0: 0}) == {0: 0}
