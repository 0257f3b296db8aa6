"""A graph as plain data: its weights by their marks, its scopes, its way through JSON."""

import json

import numpy as np
import pytest
from edgestill.devices.onboard.model.outline import from_json, of_model, outline, to_json
from onnx import TensorProto, helper
from onnx_files import model, save

FLOAT = TensorProto.FLOAT


def test_a_weight_keeps_its_fingerprint_in_another_order_and_loses_it_with_a_value(tmp_path):
    w = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    other = w.copy()
    other[0, 0] += 0.5
    prints, samples = [], []
    for index, values in enumerate((w, np.pad(w.T, 1), other)):
        rows, columns = values.shape
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
        ends = [("x", FLOAT, [1, rows])], [("y", FLOAT, [1, columns])]
        path = save(tmp_path / f"{index}.onnx", nodes, *ends, [("w", values)])
        weight = outline(path).nodes[0].weight
        prints.append(weight.fingerprint)
        samples.append(weight)
    assert prints[0] == prints[1] != prints[2]
    assert samples[0].sample == pytest.approx(w.reshape(-1).tolist())
    assert samples[0].transposed == pytest.approx(w.T.reshape(-1).tolist())


def test_an_int8_weight_is_sampled_as_the_numbers_it_stands_for():
    q = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
    scale, zero = np.array([0.5, 1.0, 2.0], np.float32), np.array([0, 1, -1], np.int8)
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    ends = [("x", FLOAT, [1, 3])], [("y", FLOAT, [1, 4])]
    found = of_model(model(nodes, *ends, [("q", q), ("s", scale), ("z", zero)]), 1, {})
    real = (q.astype(float) - zero[:, None]) * scale[:, None]
    assert found.nodes[1].weight.sample == pytest.approx(real.reshape(-1).tolist())
    assert found.nodes[1].weight.name == "q"


def layers(size=8):
    """Conv, Relu, pool, and a Gemm."""
    random = np.random.default_rng(0)
    w = random.normal(size=(4, 3, 3, 3)).astype(np.float32)
    g = random.normal(size=(4, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight"], ["c"], name="n0", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="n1"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="n2"),
        helper.make_node("Flatten", ["p"], ["f"], name="n3"),
        helper.make_node("Gemm", ["f", "fc.weight"], ["y"], name="n4"),
    ]
    ends = [("x", FLOAT, ["n", 3, size, size])], [("y", FLOAT, ["n", 5])]
    return model(nodes, *ends, [("conv.weight", w), ("fc.weight", g)])


def test_a_node_knows_the_module_that_the_exporter_wrote_down_and_distrusts_the_rest():
    made = layers()
    told = made.graph.node[0].metadata_props.add()
    told.key, told.value = "pkg.torch.onnx.name_scopes", "['', 'body', 'body.conv', 'conv2d']"
    hostile = made.graph.node[1].metadata_props.add()
    hostile.key, hostile.value = told.key, "__import__('os').system('x')"
    found = of_model(made, 1, {})
    assert [one.scope for one in found.nodes[:2]] == ["body.conv", ""]
    assert from_json(json.loads(json.dumps(to_json(found)))) == found


def test_an_outline_knows_ends_stored_types_and_shapes_of_a_batch():
    made = layers()
    found = of_model(made, 3, {})
    assert [node.op for node in found.nodes] == [
        "Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm",
    ]  # fmt: skip
    assert (found.inputs, found.outputs) == (("x",), ("y",))
    assert found.stored == {"conv.weight": FLOAT, "fc.weight": FLOAT}
    assert found.shapes["c"] == (3, 4, 8, 8)
    assert found.shapes["y"] == (3, 5)
    conv, relu, *_, gemm = found.nodes
    assert (conv.weight.name, conv.weight.shape, conv.weight.transposed) == (
        "conv.weight", (4, 3, 3, 3), (),
    )  # fmt: skip
    assert relu.weight is None
    assert len(gemm.weight.transposed) == 20
