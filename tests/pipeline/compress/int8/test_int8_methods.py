"""The int8 methods on a network of two layers, and the parts that they are made of."""

import numpy as np
import onnx
import pytest
from edgestill.errors import DataError, ModelError, NoEffectError
from edgestill.pipeline.compress.int8 import int8_dynamic, int8_mixed, int8_static, qdq
from edgestill.pipeline.compress.int8.activation_run import ActivationRun
from edgestill.pipeline.compress.int8.extremes import Extremes, extremes_of
from edgestill.pipeline.compress.int8.kept_float import in_float
from edgestill.pipeline.compress.method import Job
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.recipe.compress import Compress
from onnx import TensorProto, helper
from onnx_files import model

FLOAT = TensorProto.FLOAT


def network(path):
    """A scale, two products with a Relu between them, and a shift of the output."""
    random = np.random.default_rng(0)
    stored = [
        ("w1", random.normal(size=(8, 8)).astype(np.float32)),
        ("w2", random.normal(size=(8, 4)).astype(np.float32)),
        ("scale", np.float32(0.5)),
        ("shift", np.float32(1)),
    ]
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"], name="normalize"),
        helper.make_node("MatMul", ["scaled", "w1"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("MatMul", ["b", "w2"], ["c"], name="second"),
        helper.make_node("Add", ["c", "shift"], ["y"], name="units"),
    ]
    loaded = model(nodes, [("x", FLOAT, ["n", 8])], [("y", FLOAT, ["n", 4])], stored)
    path.write_bytes(loaded.SerializeToString())
    return path


@pytest.fixture
def job(tmp_path):
    samples = np.random.default_rng(1).normal(size=(40, 8)).astype(np.float32)
    return Job(
        network(tmp_path / "m.onnx"), tmp_path / "q.onnx", {"x": samples},
        plan(Compress(reduce_range="always")), "minmax", 99.99,
        lambda fp32, own: max(loss.max_abs_difference for loss in own.losses(fp32)), 0.0,
    )  # fmt: skip


def kinds(path):
    return [node.op_type for node in onnx.load(path).graph.node]


def test_static_surrounds_both_layers_and_leaves_both_ends_in_float(job):
    effect = int8_static.quantize(job)
    assert effect.changed_nodes == sum(kind.endswith("Linear") for kind in kinds(job.target))
    assert effect.notes[0] == (
        "ranges of activations: smallest and largest value over 40 calibration samples"
    )
    graph = onnx.load(job.target).graph
    producer = {name: node.op_type for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type == "MatMul":
            assert [producer[name] for name in node.input] == ["DequantizeLinear"] * 2
    assert producer["y"] == "Add"
    assert producer["scaled"] == "Mul"


def test_dynamic_quantizes_products_in_each_query(job):
    effect = int8_dynamic.quantize(job)
    assert kinds(job.target).count("MatMulInteger") == 2
    assert effect.notes[0] == "2 of 2 layers are quantized; convolutions stay in float"


def test_mixed_leaves_layers_in_float_until_one_is_left(job):
    effect = int8_mixed.quantize(job)
    assert [left.layer is None for left in effect.curve] == [True, False]
    assert {left.layer for left in effect.curve} <= {None, "first", "second"}
    lost = effect.curve[-1].lost
    assert effect.notes[0] == (
        f"1 of 2 layers stay in float; the loss against fp32 is {lost:.4f}, more than the 0 "
        "allowed, with one layer left in int8"
    )


def test_an_opset_that_cannot_be_converted_is_refused(tmp_path):
    path = network(tmp_path / "m.onnx")
    loaded = onnx.load(path)
    loaded.opset_import[0].version = 10
    path.write_bytes(loaded.SerializeToString())
    assert onnx.load(qdq.prepare(path, tmp_path / "p.onnx")).opset_import[0].version == 13
    loaded.opset_import[0].version = 0
    path.write_bytes(loaded.SerializeToString())
    with pytest.raises(ModelError, match="opset 0, which cannot be converted"):
        qdq.prepare(path, tmp_path / "p.onnx")


def test_layers_their_own_operators_and_the_float_ends_are_found_by_name(tmp_path):
    loaded = onnx.load(qdq.prepare(network(tmp_path / "m.onnx"), tmp_path / "p.onnx"))
    assert set(in_float(loaded)) == {"normalize", "units"}
    first, second = qdq.layers(loaded, ())
    assert (first.name, second.name) == ("first", "second")
    assert [layer.name for layer in qdq.layers(loaded, ["first"])] == ["second"]
    assert qdq.with_their_own(loaded, [first, second]) == {
        "first": ["first", "normalize"], "second": ["second", "relu"],
    }  # fmt: skip
    assert {"scaled", "a", "b", "c"} <= set(qdq.activations(loaded))


def test_a_run_returns_activations_of_one_sample_at_a_time_and_their_extremes(tmp_path):
    path = network(tmp_path / "m.onnx")
    samples = np.random.default_rng(2).normal(size=(5, 8)).astype(np.float32)
    (tmp_path / "run").mkdir()
    run = ActivationRun(path, ("b", "x"), tmp_path / "run", threads=1)
    rows = [(name, values.shape) for name, values, _ in run.activations(lambda: [{"x": samples}])]
    assert rows == [("b", (1, 8)), ("x", (1, 8))] * 5
    extremes = extremes_of(run, lambda: [{"x": samples}])
    assert extremes["b"].low == 0.0
    assert extremes["x"].high == samples.max()
    assert extremes["x"].values == samples.size
    with pytest.raises(DataError, match="no samples"):
        extremes_of(run, list)


def test_extremes_hold_zero_and_average_over_runs():
    extremes = Extremes()
    extremes.add(1.0, 2.0, 3)
    extremes.add(2.0, 4.0, 3)
    assert (extremes.low, extremes.high, extremes.values) == (0.0, 4.0, 6)
    assert extremes.average() == (1.5, 3.0)


def test_a_model_without_layers_is_an_error(job, tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="relu")]
    loaded = model(nodes, [("x", FLOAT, ["n", 8])], [("y", FLOAT, ["n", 8])], [])
    job.source.write_bytes(loaded.SerializeToString())
    with pytest.raises(NoEffectError, match="int8-dynamic changed none of 1 nodes"):
        int8_dynamic.quantize(job)
