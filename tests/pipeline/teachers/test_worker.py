"""What the process of a teacher replies to each request, without the process."""

import numpy as np
import pytest
from edgestill.errors import ModelError
from edgestill.pipeline.teachers.worker import Teacher
from onnx import TensorProto, external_data_helper, helper, load, save_model
from onnx_files import save

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3)
ROWS = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


@pytest.fixture
def model(tmp_path):
    """x [n, 4] times a matrix, plus a number for the whole batch."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["p", "offset"], ["z"]),
    ]
    inputs = [("x", TensorProto.FLOAT, ["n", 4]), ("offset", TensorProto.FLOAT, [1])]
    outputs = [("p", TensorProto.FLOAT, ["n", 3]), ("z", TensorProto.FLOAT, ["n", 3])]
    return save(tmp_path / "m.onnx", nodes, inputs, outputs, [("w", WEIGHTS)])


def opened(model):
    teacher = Teacher()
    return teacher, teacher.reply({"do": "open", "model": str(model), "threads": 1}, [])


def test_a_model_is_opened_with_the_schema_of_its_inputs_and_outputs(model):
    _, (schema, arrays) = opened(model)
    assert arrays == []
    assert [(port["name"], port["dtype"]) for port in schema["inputs"]] == [
        ("x", "<f4"),
        ("offset", "<f4"),
    ]
    assert schema["inputs"][0]["shape"][1] == 4
    assert [port["name"] for port in schema["outputs"]] == ["p", "z"]


def test_a_teacher_that_draws_is_refused_by_its_operator(tmp_path):
    ends = [("x", TensorProto.FLOAT, ["n", 4])], [("z", TensorProto.FLOAT, ["n", 4])]
    path = save(tmp_path / "m.onnx", [helper.make_node("Bernoulli", ["x"], ["z"])], *ends)
    with pytest.raises(ModelError, match="Bernoulli 'z' acts as in training"):
        opened(path)


@pytest.mark.parametrize(("batch", "first"), [(None, 5), (2, 2), (5, 5)])
def test_samples_are_answered_whole_whatever_the_batch(model, batch, first):
    teacher, _ = opened(model)
    request = {
        "do": "run", "names": ["x", "offset"], "samples": 5, "batch": batch,
        "constant": ["offset"], "want": 1,
    }  # fmt: skip
    head, (answers,) = teacher.reply(request, [ROWS, np.array([100], np.float32)])
    assert head == {"shapes": [[first, 3], [first, 3]]}
    np.testing.assert_allclose(answers, ROWS @ WEIGHTS + 100, rtol=1e-5)


def test_no_answers_are_sent_where_only_shapes_are_wanted(model):
    teacher, _ = opened(model)
    request = {
        "do": "run", "names": ["x", "offset"], "samples": 5, "batch": None,
        "constant": ["offset"], "want": None,
    }  # fmt: skip
    head, arrays = teacher.reply(request, [ROWS, np.zeros(1, np.float32)])
    assert (head["shapes"], arrays) == ([[5, 3], [5, 3]], [])


def test_the_files_beside_a_model_are_named(model, tmp_path):
    assert Teacher().reply({"do": "files", "model": str(model)}, []) == ({"external": []}, [])
    proto = load(str(model))
    external_data_helper.convert_model_to_external_data(
        proto, location="beside.data", size_threshold=0
    )
    save_model(proto, str(tmp_path / "two.onnx"))
    reply, _ = Teacher().reply({"do": "files", "model": str(tmp_path / "two.onnx")}, [])
    assert reply == {"external": [str(tmp_path / "beside.data")]}


def test_the_refusal_for_want_of_memory_names_the_model_and_the_limit(model):
    teacher, _ = opened(model)
    error = teacher.out_of_memory(1 << 20)
    assert "more than 1048576 bytes of memory" in str(error)
    assert error.where == str(model)
