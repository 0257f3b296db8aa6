"""Types of tensors behind operators of the runtime's own."""

import foreign_graphs
from edgestill.pipeline.compress.int8.float_types import with_float_types
from onnx import TensorProto, helper
from onnx_files import FLOAT, model


def test_types_that_onnx_does_not_infer_are_the_runtimes(tmp_path):
    graph = foreign_graphs.GRAPHS["operators_of_the_runtime"]().model
    typed = with_float_types(graph, tmp_path).graph
    kinds = {value.name: value.type.tensor_type for value in typed.value_info}
    assert {kinds[name].elem_type for name in "afmh"} == {FLOAT}
    assert [dim.dim_value for dim in kinds["h"].shape.dim] == [0, 16]
    assert [value.name for value in typed.output] == ["y"]
    assert len(typed.value_info) == len(kinds), "each once"


def test_tensors_of_other_types_stay_without_one(tmp_path):
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=1),
        helper.make_node("Scaler", ["i"], ["s"], domain="ai.onnx.ml", offset=[0.0], scale=[2.0]),
        helper.make_node("ArrayFeatureExtractor", ["i", "at"], ["y"], domain="ai.onnx.ml"),
    ]
    loaded = model(
        nodes, [("x", FLOAT, ["n", 4]), ("at", TensorProto.INT64, [1])],
        [("y", TensorProto.INT64, None), ("s", FLOAT, None)], domain="ai.onnx.ml",
    )  # fmt: skip
    typed = with_float_types(loaded, tmp_path).graph
    assert {v.name: v.type.tensor_type.elem_type for v in typed.value_info} == {
        "i": TensorProto.INT64
    }
    assert not list(tmp_path.iterdir()), "onnx infers all of it"
