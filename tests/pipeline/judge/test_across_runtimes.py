"""What files answer in fresh processes, and how far answers of two are apart."""

import numpy as np
import pytest
from edgestill.devices.bench.inspection import inspect
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.settings import Feed
from edgestill.pipeline.judge.across_runtimes import (
    answers_of,
    compared,
    steadiness,
    takes_the_same,
)
from onnx import TensorProto, helper
from onnx_files import dense, save


@pytest.fixture
def model(tmp_path):
    return inspect(dense(tmp_path / "m.onnx", layers=2, width=8))


def test_each_made_up_query_is_another_and_two_processes_get_the_same(model):
    first, again = (answers_of(model, Feed(batch=3), queries=4) for _ in range(2))
    blocks = first.answers["h2"]
    assert [one.shape for one in blocks] == [(3, 8)] * 4
    assert first.samples == (3,) * 4
    assert not np.array_equal(blocks[0], blocks[1])
    assert steadiness(first, again).faults == ()
    assert compared(first, again).losses[0].max_abs_difference == 0.0
    again.answers["h2"][2][0] += 1.0
    assert "in another session" in steadiness(first, again).faults[0]


def test_answers_without_a_common_first_axis_stand_by_themselves(tmp_path):
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], keepdims=0),
        helper.make_node("SplitToSequence", ["x"], ["s"], axis=0),
    ]
    ends = [
        helper.make_tensor_value_info("m", TensorProto.FLOAT, []),
        helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])], ends
    )
    path = tmp_path / "s.onnx"
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(made.SerializeToString())
    found = answers_of(inspect(path), Feed(), queries=2)
    assert [one.shape for one in found.answers["m"]] == [(), ()]
    assert found.answers["s"] == [None, None]
    mean, sequence = compared(found, found).losses
    assert mean.max_abs_difference == 0.0
    assert sequence.missing == "a sequence or a map"


def test_integers_of_another_width_are_the_same_input(model):
    def taking(kind):
        return type("Port", (), {"inputs": (Input("ids", f"tensor({kind})", (1, 4)),)})()

    assert takes_the_same(taking("int64"), taking("int32"))
    assert not takes_the_same(taking("int64"), taking("float"))


def test_a_scalar_input_is_asked_too(tmp_path):
    ends = [("x", TensorProto.FLOAT, ["n", 4]), ("k", TensorProto.FLOAT, [])]
    path = save(
        tmp_path / "k.onnx",
        [helper.make_node("Mul", ["x", "k"], ["y"])],
        ends,
        [("y", TensorProto.FLOAT, ["n", 4])],
    )
    assert len(answers_of(inspect(path), Feed(), queries=3).answers["y"]) == 3
