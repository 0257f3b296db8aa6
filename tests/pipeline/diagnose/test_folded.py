"""Layers left in float of a file whose quantizer folded a normalization, against the fp32 file."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from edgestill.devices.onboard.model.graph import Graph
from edgestill.devices.onboard.model.outline import of_model
from edgestill.pipeline.diagnose.folded import Source, folded
from edgestill.pipeline.diagnose.leave_in_float import leave_in_float
from onnx import TensorProto, helper
from onnx_files import model

FLOAT = TensorProto.FLOAT
rng = np.random.default_rng(5)


def weights(*shape):
    return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)


def normalized(kind="BatchNormalization"):
    """A convolution that is normalized, a Relu, and a product."""
    stored = [
        ("w", weights(8, 3, 3, 3)), ("s", np.abs(weights(8)) + 1), ("o", weights(8)),
        ("m", weights(8)), ("v", np.abs(weights(8)) + 0.5), ("w2", weights(8, 8, 3, 3)),
        ("gw", weights(10, 8)), ("gb", weights(10)),
        ("factor", (np.abs(weights(1, 8, 1, 1)) + 1)), ("offset", weights(8, 1, 1)),
    ]  # fmt: skip
    after = {
        "BatchNormalization": [helper.make_node("BatchNormalization", [*"asomv"], ["b"])],
        "Mul and Add": [
            helper.make_node("Mul", ["factor", "a"], ["f"]),
            helper.make_node("Add", ["f", "offset"], ["b"]),
        ],
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="c0", pads=[1] * 4),
        *after[kind],
        helper.make_node("Relu", ["b"], ["r"]),
        helper.make_node("Conv", ["r", "w2"], ["h"], name="c1", pads=[1] * 4),
        helper.make_node("GlobalAveragePool", ["h"], ["p"]),
        helper.make_node("Flatten", ["p"], ["g"]),
        helper.make_node("Gemm", ["g", "gw", "gb"], ["y"], name="head", transB=1),
    ]
    used = {name for node in nodes for name in node.input}
    stored = [one for one in stored if one[0] in used]
    return model(nodes, [("x", FLOAT, ["n", 3, 12, 12])], [("y", FLOAT, ["n", 10])], stored)


def answers(made, x):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        made if isinstance(made, bytes) else made.SerializeToString(), options,
        providers=["CPUExecutionProvider"],
    )  # fmt: skip
    return session.run(None, {"x": x})[0]


X = rng.normal(size=(16, 3, 12, 12)).astype(np.float32)


@pytest.mark.parametrize("kind", ["BatchNormalization", "Mul and Add"])
def test_a_folded_model_answers_as_before_with_fewer_operators(kind):
    made = normalized(kind)
    less = folded(made)
    onnx.checker.check_model(less)
    assert not {"BatchNormalization", "Mul"} & {node.op_type for node in less.graph.node}
    np.testing.assert_allclose(answers(less, X), answers(made, X), rtol=1e-4, atol=1e-5)
    matched = Source(less, of_model(less, 1, {})).node_of
    assert [matched[at].name for at in (0, 2)] == ["c0", "c1"]


def test_what_two_operators_read_is_not_folded():
    made = normalized()
    made.graph.output.append(helper.make_tensor_value_info("a", FLOAT, None))
    assert len(folded(made).graph.node) == len(made.graph.node)


def test_a_layer_is_left_in_float_with_the_normalization_that_was_folded_into_it(tmp_path):
    """The weights of the int8 file are those of the convolution times the normalization."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    fp32, less, int8 = (tmp_path / f"{name}.onnx" for name in ("fp32", "folded", "int8"))
    made = normalized()
    fp32.write_bytes(made.SerializeToString())
    less.write_bytes(folded(made).SerializeToString())

    class Samples(CalibrationDataReader):
        def __init__(self):
            self.left = iter([{"x": X[i : i + 1]} for i in range(16)])

        def get_next(self):
            return next(self.left, None)

    quantize_static(str(less), str(int8), Samples(), quant_format=QuantFormat.QDQ)
    mixed = tmp_path / "mixed.onnx"
    assert leave_in_float(int8, fp32, ["c0", "c1", "head"], mixed) == 3
    far = np.abs(answers(mixed.read_bytes(), X) - answers(made, X)).max()
    rounded = np.abs(answers(int8.read_bytes(), X) - answers(made, X)).max()
    assert far < rounded
    left, exact = (Graph(one.graph).stored for one in (onnx.load(mixed), folded(made)))
    for name, kept in (("a_folded_b_1", "a_folded_b_1"), ("a_folded_b_2", "a_folded_b_2_1")):
        values = [onnx.numpy_helper.to_array(one) for one in (exact[name], left[kept])]
        np.testing.assert_array_equal(*values)
