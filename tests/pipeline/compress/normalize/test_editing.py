"""Names, copies and what is folded: the parts of the normal form."""

import foreign_graphs
import numpy as np
import onnx
import pytest
from edgestill.devices.onboard.model.names import tensor_names
from edgestill.errors import ModelError
from edgestill.pipeline.compress.normalize.already import quantized_operators, refuse_quantized
from edgestill.pipeline.compress.normalize.constants import fold
from edgestill.pipeline.compress.normalize.editing import Editor, read_inside
from edgestill.pipeline.compress.normalize.names import MARK, apart, together, unmarked
from edgestill.pipeline.compress.normalize.opsets import converted, opset_of
from edgestill.pipeline.compress.normalize.sharing import separate
from edgestill.pipeline.compress.normalize.tidying import inlined, tidy
from foreign_graphs.building import foreign, node
from onnx import helper


def graph_of(name):
    return foreign_graphs.GRAPHS[name]().model


def test_a_fresh_name_is_one_that_neither_a_tensor_nor_an_operator_has():
    editor = Editor(graph_of("names_that_a_quantizer_makes"))
    assert editor.fresh("new") == "new"
    assert editor.fresh("new") == "new_1"
    assert editor.fresh("w_scale") == "w_scale_1"
    assert editor.fresh("x_QuantizeLinear") == "x_QuantizeLinear_1"


@pytest.mark.parametrize("name", ["names_that_a_quantizer_makes", "layer_in_a_loop", "odd_names"])
def test_names_come_back_whatever_a_tool_adds(name):
    model = graph_of(name)
    before = model.SerializeToString()
    names = apart(model)
    assert all(tensor.endswith(MARK) for tensor in tensor_names(model.graph))
    together(model, names)
    assert model.SerializeToString() == before


def test_what_a_tool_adds_keeps_clear_of_the_models_names():
    model = graph_of("names_that_a_quantizer_makes")
    names = apart(model)
    x = model.graph.input[0].name
    model.graph.node.insert(0, helper.make_node("Identity", [x], [f"{x}_scale"], "n"))
    model.graph.node.insert(0, helper.make_node("Identity", [x], [f"{x}_new"], "m"))
    together(model, names)
    assert [list(one.output) for one in model.graph.node[:2]] == [["x_new"], [f"x{MARK}_scale"]]
    assert unmarked(f"x{MARK}_scale: no") == "x_scale: no"


def test_ways_of_use_that_cannot_share_get_copies():
    stored = {"w": np.ones((4, 4), np.float32), "b": np.ones(4, np.float32)}
    nodes = [
        node("Gather", ["w", "i"], ["e"]),
        node("Gemm", ["e", "w", "b"], ["g"]),
        node("Gemm", ["g", "w", "b"], ["h"], transB=1),
        node("MatMul", ["h", "w"], ["y"]),
    ]
    model = foreign(
        nodes, {"i": (onnx.TensorProto.INT64, ["N"])}, {"y": None}, stored, feeds={}
    ).model
    assert separate(Editor(model)) == 3
    rows, columns, turned = (model.graph.node[i].input[j] for i, j in ((0, 0), (1, 1), (2, 1)))
    assert len({rows, columns, turned}) == 3
    assert model.graph.node[3].input[1] == columns, "both have their outputs along the last axis"
    assert model.graph.node[1].input[2] != model.graph.node[2].input[2]
    assert separate(Editor(model)) == 0


def test_what_a_loop_reads_is_known_and_stays():
    model = graph_of("layer_in_a_loop")
    assert {"w", "taken", "product"} <= read_inside(model.graph)
    tidy(Editor(model))
    assert "w" in {tensor.name for tensor in model.graph.initializer}


def test_functions_are_inlined_and_their_domain_is_gone():
    model = inlined(graph_of("local_function"))
    assert [opset.domain for opset in model.opset_import] == [""]
    assert "Block" not in {one.op_type for one in model.graph.node}


def test_constants_are_folded_by_the_runtime(tmp_path):
    editor = Editor(graph_of("weights_behind_operators"))
    assert fold(editor, tmp_path) == 4
    assert [one.op_type for one in editor.graph.node] == [
        "MatMul",
        "MatMul",
        "MatMul",
        "Relu",
        "MatMul",
    ]
    assert editor.stored["w4"].dims == [32, 32]
    assert list(tmp_path.iterdir()) == []


def test_what_the_runtime_cannot_fold_stays(tmp_path):
    model = graph_of("custom_operator")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["one"], value_float=1.0))
    model.graph.node.append(helper.make_node("Add", ["one", "y"], ["z"]))
    editor = Editor(model)
    assert fold(editor, tmp_path) == 1
    assert "one" in editor.stored


def test_old_opsets_are_converted_and_hopeless_ones_refused():
    assert opset_of(converted(graph_of("opset_9"))) == 13
    model = graph_of("opset_24")
    assert converted(model) is model
    model = graph_of("custom_operator")
    model.opset_import[0].version = 0
    with pytest.raises(ModelError, match="opset 0, which cannot be converted"):
        converted(model)


def test_quantized_models_are_named_by_their_form(tmp_path):
    forms = {
        "already_in_pairs": "pairs of QuantizeLinear and DequantizeLinear",
        "already_dynamic": "dynamic int8",
        "already_integer_layers": "integer operators",
    }
    for name, form in forms.items():
        model = graph_of(name)
        with pytest.raises(ModelError, match=f"quantized already, to {form}.*expected a model in"):
            refuse_quantized(model, tmp_path / "m.onnx")
    assert not quantized_operators(graph_of("u_net"))
    contrib = onnx.helper.make_node("MatMulNBits", ["x", "w"], ["y"], domain="com.microsoft")
    assert quantized_operators(onnx.ModelProto(graph=onnx.GraphProto(node=[contrib])))
