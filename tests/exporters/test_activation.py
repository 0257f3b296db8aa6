"""What stands behind a finished file: a softmax or a sigmoid, and nothing else changes."""

import numpy as np
import onnx
import onnx_files
import onnxruntime
import pytest
from edgestill.exporters.activation import append
from edgestill.exporters.interface import INPUT, OUTPUT, PROBABILITIES, output_of
from onnx import TensorProto, helper

X = np.random.default_rng(0).normal(scale=4.0, size=(9, 3)).astype(np.float32)


@pytest.fixture
def file(tmp_path):
    """A file that gives its input as logits."""
    return onnx_files.save(
        tmp_path / "m.onnx",
        [helper.make_node("Identity", [INPUT], [OUTPUT])],
        [(INPUT, TensorProto.FLOAT, ["batch", 3])],
        [(OUTPUT, TensorProto.FLOAT, ["batch", 3])],
    )


def answers(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run([PROBABILITIES], {INPUT: X})[0]


def test_a_softmax_is_over_the_outputs_of_a_sample(file):
    append(file, "softmax")
    powers = np.exp(X.astype(np.float64))
    np.testing.assert_allclose(answers(file), powers / powers.sum(1, keepdims=True), atol=1e-6)


def test_a_sigmoid_is_of_each_output_by_itself(file):
    append(file, "sigmoid")
    np.testing.assert_allclose(answers(file), 1 / (1 + np.exp(-X)), atol=1e-6)


def test_the_output_alone_has_another_name(file):
    before = onnx.load(file)
    append(file, "softmax")
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Identity", "Softmax"]
    assert model.graph.input == before.graph.input
    (output,) = model.graph.output
    assert output.type == before.graph.output[0].type
    assert (output.name, output_of("softmax"), output_of(None)) == (*[PROBABILITIES] * 2, OUTPUT)
