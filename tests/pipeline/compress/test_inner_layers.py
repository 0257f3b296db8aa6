"""Layers in branches and loops stay in float, and the user reads which."""

from itertools import pairwise

import foreign_graphs
import numpy as np
import onnx
import pytest
from edgestill.errors import NoEffectError
from edgestill.pipeline.compress.inner_layers import inner_layers
from edgestill.pipeline.compress.method import Job
from edgestill.pipeline.compress.methods import METHODS
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.recipe.compress import Compress
from onnx import helper, numpy_helper
from onnx_files import FLOAT, model


def in_a_branch(count=1):
    """Products inside an If alone, one behind another, weights as a Constant of the branch."""
    weight = numpy_helper.from_array(np.full((32, 32), 0.1, np.float32))
    nodes = [helper.make_node("Constant", [], ["w"], value=weight)]
    names = ["x", *(f"p{i}" for i in range(count))]
    nodes += [
        helper.make_node("MatMul", [before, "w"], [after], name=f"inner {after}")
        for before, after in pairwise(names)
    ]
    nodes.append(helper.make_node("Relu", [names[-1]], ["o"]))
    branch = helper.make_graph(nodes, "b", [], [helper.make_tensor_value_info("o", FLOAT, None)])
    outer = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["mean", "zero"], ["which"]),
        helper.make_node("If", ["which"], ["y"], then_branch=branch, else_branch=branch),
    ]
    stored = [("zero", np.float32(0))]
    return model(outer, [("x", FLOAT, ["n", 32])], [("y", FLOAT, ["n", 32])], stored)


def job(source, folder):
    samples = np.random.default_rng(1).normal(size=(8, 32)).astype(np.float32)
    path = folder / "m.onnx"
    path.write_bytes(source.SerializeToString())
    return Job(
        path, folder / "q.onnx", {"x": samples}, plan(Compress()), "minmax", 99.99,
        lambda fp32, own: 0.0, 0.0,
    )  # fmt: skip


def test_each_is_named_with_the_operator_around_it():
    assert inner_layers(in_a_branch()) == (
        "2 layers inside branches or loops stay in float (1,024 weights): "
        "MatMul 'inner p0' in If 'y', MatMul 'inner p0' in If 'y'",
    )
    (many,) = inner_layers(in_a_branch(4))
    assert many.startswith("8 layers")
    assert many.endswith(", 3 more")
    (loop,) = inner_layers(foreign_graphs.GRAPHS["layer_in_a_loop"]().model)
    assert loop.startswith("1 layer inside a branch or loop stays in float (1,024 weights): MatMul")
    assert " in Loop " in loop
    assert inner_layers(foreign_graphs.GRAPHS["relu_read_in_a_branch"]().model) == ()


@pytest.mark.parametrize("method", ["int8-static", "int8-dynamic", "int8-mixed", "int8-weights"])
def test_a_method_names_them_beside_what_it_changed(method, tmp_path):
    source = in_a_branch()
    outside = helper.make_node("MatMul", ["y", "outer"], ["z"], name="outside")
    source.graph.node.append(outside)
    weights = np.random.default_rng(2).normal(size=(32, 32)).astype(np.float32)
    source.graph.initializer.append(numpy_helper.from_array(weights, "outer"))
    source.graph.output[0].name = "z"
    effect = METHODS[method](job(source, tmp_path))
    assert effect.changed_nodes
    assert "inner p0" in effect.notes[-1]
    assert onnx.load(tmp_path / "q.onnx").graph.node


@pytest.mark.parametrize("method", ["int8-static", "int8-dynamic", "int8-mixed", "int4-weights"])
def test_a_method_that_finds_no_other_layer_says_so(method, tmp_path):
    with pytest.raises(NoEffectError, match="nodes; 2 layers inside branches or loops stay in"):
        METHODS[method](job(in_a_branch(), tmp_path))
