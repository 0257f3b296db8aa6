"""Operators that act as in training are found wherever they stand, and only where they act so."""

import numpy as np
import pytest
from edgestill.devices.onboard.model.training_operators import (
    check,
    check_model,
    sentence,
    training_operators,
)
from edgestill.errors import ModelError
from onnx import TensorProto, helper
from onnx_files import model, save

FLOAT = TensorProto.FLOAT
X, Y = [("x", FLOAT, ["n", 4])], [("y", FLOAT, ["n", 4])]
TRUE, FALSE = np.array(True), np.array(False)
HALF, NEVER = np.float32(0.5), np.float32(0)


def node(op, inputs=("x",), outputs=("y",), **attributes):
    return helper.make_node(op, inputs, outputs, name=f"the {op}", **attributes)


def found(nodes, stored=(), **options):
    """The operators that act as in training, by type and reason."""
    made = model(nodes, X, Y, stored, **options)
    return [(one.op, one.why) for one in training_operators(made)]


def dropout(mode, ratio=HALF, **options):
    return found([node("Dropout", ("x", "r", "t"))], [("r", ratio), ("t", mode)], **options)


def test_a_dropout_counts_only_where_it_drops_something():
    assert dropout(TRUE) == [("Dropout", "training_mode is true")]
    assert dropout(FALSE) == []
    assert dropout(TRUE, NEVER) == []
    assert found([node("Dropout")]) == []
    assert found([node("Dropout", ratio=0.5)], opset=10) == []


def test_a_training_mode_that_is_made_of_constants_is_followed():
    mode = helper.make_node("Constant", [], ["c"], value_int=1)
    cast = helper.make_node("Cast", ["c"], ["t"], to=TensorProto.BOOL)
    dropped = node("Dropout", ("x", "", "t"))
    assert found([mode, cast, dropped]) == [("Dropout", "training_mode is true")]


def test_a_training_mode_that_is_an_input_is_no_constant():
    ends = [*X, ("t", TensorProto.BOOL, [])]
    made = model([node("Dropout", ("x", "", "t"))], ends, Y)
    assert [one.why for one in training_operators(made)] == [
        "training_mode is 't', which is not a constant"
    ]
    # An initializer of the same name is only its default.
    made = model([node("Dropout", ("x", "", "t"))], ends, Y, [("t", FALSE)])
    assert len(training_operators(made)) == 1


def norm(outputs=("y",), opset=17, **attributes):
    taken = [(name, np.ones(4, np.float32)) for name in ("s", "b", "m", "v")]
    nodes = [node("BatchNormalization", ("x", "s", "b", "m", "v"), outputs, **attributes)]
    return found(nodes, taken, opset=opset)


def test_a_batch_normalization_counts_by_the_rules_of_its_opset():
    training = norm(("y", "mean", "var"), training_mode=1)
    assert training == [("BatchNormalization", "training_mode is 1")]
    assert norm() == []
    assert norm(opset=9) == []
    assert len(norm(("y", "mean", "var", "sm", "sv"), opset=9)) == 1
    assert norm(opset=6) == [("BatchNormalization", "is_test is not set")]
    assert norm(opset=6, is_test=1) == []


@pytest.mark.parametrize(
    "draw",
    [
        node("RandomNormalLike"),
        node("RandomUniformLike", seed=3.0),
        node("Bernoulli"),
        node("RandomNormal", (), shape=[2, 4]),
        node("RandomUniform", (), shape=[2, 4]),
        node("Multinomial", dtype=TensorProto.INT32),
    ],
    ids=lambda one: one.op_type,
)
def test_every_operator_that_draws_is_found(draw):
    assert found([draw]) == [(draw.op_type, "it draws its values at random")]


def test_what_reaches_no_output_changes_no_answer():
    assert found([node("RandomNormalLike", outputs=("unread",)), node("Relu")]) == []


def branch(*nodes):
    return helper.make_graph(nodes, "b", [], [helper.make_tensor_value_info("o", FLOAT, None)])


def test_subgraphs_see_what_the_graph_around_them_stores():
    dropped = node("Dropout", ("x", "", "t"), ("o",))
    plain = node("Relu", outputs=("o",))
    chosen = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch(dropped), else_branch=branch(plain)
    )
    stored = [("c", TRUE)]
    assert found([chosen], [*stored, ("t", TRUE)]) == [("Dropout", "training_mode is true")]
    assert found([chosen], [*stored, ("t", FALSE)]) == []


def test_functions_are_read_as_they_are_called():
    body = [helper.make_node("Dropout", ["a", "", "m"], ["b"])]
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function("own", "Drop", ["a", "m"], ["b"], body, opsets)
    call = helper.make_node("Drop", ["x", "t"], ["y"], domain="own")
    options = {"domain": "own", "functions": [function]}
    assert found([call], [("t", TRUE)], **options) == [("Dropout", "training_mode is true")]
    assert found([call], [("t", FALSE)], **options) == []


def test_the_refusal_names_the_file_the_node_and_the_way_out(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Bernoulli")], X, Y)
    with pytest.raises(ModelError, match="Bernoulli 'the Bernoulli' acts as in training") as told:
        check(path)
    assert told.value.where == str(path)
    assert "eval mode" in told.value.fix
    with pytest.raises(ModelError) as told:
        check(path, "the student")
    assert told.value.where == "the student"
    check_model(model([node("Relu")], X, Y), "m")


def test_of_many_operators_three_are_named_and_the_rest_counted():
    names = [*"abcd", "y"]
    chain = [
        helper.make_node("Bernoulli", [before], [after])
        for before, after in zip(["x", *names], names, strict=False)
    ]
    text = sentence(training_operators(model(chain, X, Y)))
    assert text.count("acts as in training") == 3
    assert text.endswith("and 2 more")
