"""What stays in float: formulas in primitives, masks, operators without an int8 kernel."""

import foreign_graphs
import numpy as np
import pytest
from edgestill.pipeline.compress.int8.float_layers import float_layers
from edgestill.pipeline.compress.int8.formulas import formulas
from edgestill.pipeline.compress.int8.kept_float import in_float, touching
from edgestill.pipeline.compress.int8.refused import refused_nodes
from edgestill.pipeline.compress.normalize.editing import Editor
from edgestill.pipeline.compress.normalize.tidying import tidy
from foreign_graphs.building import drawn, foreign, node, weights
from onnx import TensorProto, helper, numpy_helper
from onnx_files import FLOAT, model


def named(name):
    model = foreign_graphs.GRAPHS[name]().model
    tidy(Editor(model))
    return model


def kinds_of(model, names):
    by_name = {one.name: one.op_type for one in model.graph.node}
    return [by_name[name] for name in names]


def test_a_layer_norm_is_two_formulas_with_its_scale_and_shift():
    model = named("layer_norm_spelled_out")
    assert [kinds_of(model, names) for names in formulas(model.graph)] == [
        ["ReduceMean", "Sub"],
        ["Pow", "ReduceMean", "Add", "Sqrt", "Div", "Mul", "Add"],
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("root_mean_square_norm", ["Pow", "ReduceMean", "Add", "Sqrt", "Reciprocal", "Mul", "Mul"]),
        ("squeeze_and_excite", ["Sigmoid", "Mul"]),
        ("silu_chain", ["Sigmoid", "Mul"]),
        ("causal_decoder", ["Pow", "Mul", "Add", "Mul", "Tanh", "Add", "Mul", "Mul"]),
        ("encoder_with_a_mask", ["Div", "Erf", "Add", "Mul", "Mul"]),
        ("paddle_convolutions", ["HardSigmoid", "Mul"]),
    ],
)
def test_norms_and_activations_of_every_exporter_are_found(name, expected):
    model = named(name)
    assert expected in [kinds_of(model, names) for names in formulas(model.graph)]


@pytest.mark.parametrize("name", ["u_net", "shared_convolution", "sound", "gemm_with_every_bias"])
def test_residuals_skips_and_layers_are_no_formula(name):
    assert formulas(named(name).graph) == []


def test_the_gate_of_a_squeeze_has_layers_inside_and_stays_in_int8():
    model = named("squeeze_and_excite")
    gate = next(one.name for one in model.graph.node if one.output[0] == "gate")
    assert gate not in in_float(model)


def test_a_chain_of_formulas_takes_time_in_proportion():
    """Diamonds one behind another have 2^n ways through; no way is walked twice."""
    model = foreign_graphs.sequences.silu_chain(blocks=400).model
    tidy(Editor(model))
    assert len(formulas(model.graph)) == 400


def test_the_scores_and_the_mask_of_attention_stay_in_float():
    model = named("encoder_with_a_mask")
    kept = set(in_float(model))
    by_output = {one.output[0]: one.name for one in model.graph.node}
    assert {by_output[name] for name in ("scores", "masked", "shares", "bias")} <= kept
    assert by_output["products"] not in kept
    assert by_output["mixed"] not in kept


def test_operators_with_an_infinite_number_stay_in_float():
    stored = {"w": weights(drawn(), 4, 4), "m": np.array([0, 0, 0, -np.inf], np.float32)}
    model = foreign(
        [node("MatMul", ["x", "w"], ["a"], name="p"), node("Add", ["a", "m"], ["b"], name="mask"),
         node("Relu", ["b"], ["y"], name="r")],
        {"x": ["N", 4]}, {"y": None}, stored, feeds={},
    ).model  # fmt: skip
    assert in_float(model) == ["mask"]
    assert touching(model.graph, {"b"}) == ["mask", "r"]


@pytest.mark.parametrize(
    ("bad", "alone"),
    [((), True), ((3,), True), ((0, 9), True), ((2, 6), False), ((5, 7, 8), False)],
)
def test_the_operators_at_fault_are_found_alone_or_together(bad, alone):
    tried = []

    def attempt(names):
        tried.append(list(names))
        wrong = [name for name in names if name in bad]
        failed = bool(wrong) if alone else len(wrong) > 1
        return f"at {wrong[-1]}" if failed else None

    found = refused_nodes([*range(10)], attempt)
    assert set(found) == set(bad if alone else sorted(bad)[1:])
    assert all("at" in why for why in found.values())
    assert tried[-1] == [name for name in range(10) if name not in found]
    assert all(tried), "no attempt at nothing, which would mean everything"
    assert len(tried) <= 1 + 5 * len(found)


def test_float_weights_are_counted_by_kind_and_place():
    assert float_layers(named("layer_in_a_loop")) == ("weights in float: 2 MatMul (2,368 values)",)
    branch = helper.make_graph(
        [helper.make_node("Mul", ["x", "large"], ["o"])], "b", [],
        [helper.make_tensor_value_info("o", FLOAT, None)],
        [numpy_helper.from_array(np.ones((16, 16), np.float32), "large")],
    )  # fmt: skip
    chosen = helper.make_node("If", ["which"], ["y"], then_branch=branch, else_branch=branch)
    ends = [("x", FLOAT, [16]), ("which", TensorProto.BOOL, [])], [("y", FLOAT, None)]
    assert float_layers(model([chosen], *ends)) == (
        "weights in float: 2 Mul inside a branch or loop (256 values)",
    )
    assert float_layers(named("linear_classifier")) == ()
