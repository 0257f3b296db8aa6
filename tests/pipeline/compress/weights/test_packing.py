"""Which weights are packed, how they are rounded, and that unpacked they are what was rounded."""

import numpy as np
import onnx
import pytest
from edgestill.errors import ModelError, NoEffectError
from edgestill.pipeline.compress.weights import int4_nodes
from edgestill.pipeline.compress.weights.int4_nodes import (
    at_opset_21,
    is_plain_product,
)
from edgestill.pipeline.compress.weights.int8_nodes import layer_int8, layer_int8_kept
from edgestill.pipeline.compress.weights.packable import (
    SMALLEST,
    layers_with_weights,
    packable_weights,
)
from edgestill.pipeline.compress.weights.packed_model import PackedModel
from edgestill.pipeline.compress.weights.rounding import by_block, by_channel, rounded
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx_files import model

FLOAT = TensorProto.FLOAT


def layer_int4(packed, weight):
    int4_nodes.layer_int4(packed, weight, 32)


def product(side=32, op="MatMul", **options):
    """x @ w, with w of `side` by `side`."""
    weight = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    node = helper.make_node(op, ["x", "w"], ["y"], name="product", **options)
    return model([node], [("x", FLOAT, [1, side])], [("y", FLOAT, [1, side])], [("w", weight)])


def test_a_weight_is_packed_from_a_size_on_and_counts_as_a_layer_below_it_too(tmp_path):
    (weight,) = packable_weights(product().graph, tmp_path)
    assert (weight.name, weight.axis, weight.values.size) == ("w", 1, SMALLEST)
    assert not weight.embedding
    small = product(8).graph
    assert packable_weights(small, tmp_path) == ()
    assert layers_with_weights(small) == 1


def test_a_weight_that_is_an_output_too_is_left_alone(tmp_path):
    loaded = product()
    loaded.graph.output.append(helper.make_tensor_value_info("w", FLOAT, [32, 32]))
    assert packable_weights(loaded.graph, tmp_path) == ()


def test_int8_is_symmetric_and_int4_gives_the_negative_end_to_the_farthest_value():
    values = np.array([[1.0, -0.5, 0.25]], np.float32)
    whole, scale = rounded(values, 1, 8)
    assert whole.tolist() == [[127, -64, 32]]
    assert scale.item() == pytest.approx(1 / 127)
    whole, scale = rounded(values, 1, 4)
    assert whole.tolist() == [[-8, 4, -2]]
    assert scale.item() == pytest.approx(-1 / 8)


def test_rounding_is_off_by_half_a_step_at_most(tmp_path):
    (weight,) = packable_weights(product().graph, tmp_path)
    whole, scale = by_channel(weight)
    assert scale.shape == (1, 32)
    assert (np.abs(whole * scale - weight.values) <= scale / 2 + 1e-7).all()
    blocks, scales = by_block(weight.values, 16)
    assert (blocks.shape, scales.shape) == ((32, 2, 16), (32, 2))


@pytest.mark.parametrize("unpack", [layer_int8, layer_int8_kept, layer_int4])
def test_unpacking_nodes_give_the_weights_back(unpack, tmp_path):
    loaded = at_opset_21(product(), tmp_path)
    packed = PackedModel(loaded)
    (weight,) = packable_weights(loaded.graph, tmp_path)
    del loaded.graph.initializer[:]
    unpack(packed, weight)
    (tmp_path / "m.onnx").write_bytes(product().SerializeToString())
    effect = packed.save(tmp_path / "m.onnx", tmp_path / "q.onnx", (weight,), "int8", "so")
    assert effect.changed_nodes == 1
    loaded = onnx.load(tmp_path / "q.onnx")
    loaded.graph.output.append(helper.make_tensor_value_info("w", FLOAT, [32, 32]))
    x = np.eye(1, 32, dtype=np.float32)
    _, restored = ReferenceEvaluator(loaded).run(None, {"x": x})
    off = np.abs(restored - weight.values).max() / np.abs(weight.values).max()
    assert off < (0.005 if unpack in (layer_int8, layer_int8_kept) else 0.1)


def test_nothing_packed_is_an_error(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(product(8).SerializeToString())
    with pytest.raises(NoEffectError, match="int8-weights changed none of 1 nodes"):
        PackedModel(product(8)).save(path, tmp_path / "q.onnx", (), "int8", "so")


def test_a_product_with_a_factor_is_no_plain_product(tmp_path):
    for options, plain in (({}, True), ({"alpha": 2.0}, False), ({"transA": 1}, False)):
        graph = product(op="Gemm", **options).graph
        (weight,) = packable_weights(graph, tmp_path)
        assert is_plain_product(graph.node[0], weight) == plain


def test_a_group_normalization_keeps_a_model_below_opset_21(tmp_path):
    node = helper.make_node("GroupNormalization", ["x", "s", "s"], ["y"], num_groups=1)
    ends = [("x", FLOAT, [1, 2, 4])], [("y", FLOAT, [1, 2, 4])]
    loaded = model([node], *ends, [("s", np.ones(1, np.float32))])
    loaded.opset_import[0].version = 18
    with pytest.raises(ModelError, match=r"opset 18, which cannot be converted \(GroupNorm"):
        at_opset_21(loaded, tmp_path)
