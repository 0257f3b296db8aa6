"""What the process that reads a model to export it says of the model."""

import numpy as np
import pytest
from edgestill.pipeline.compress.export_worker import reply
from onnx import TensorProto, helper
from onnx_files import dense, save

ENDS = [("x", TensorProto.FLOAT, ["n", 8])], [("y", TensorProto.FLOAT, ["n", 8])]


def reduced(model):
    return reply({"do": "precision", "model": str(model)}, [])[0]["reduced"]


def test_float32_is_not_reduced(tmp_path):
    assert not reduced(dense(tmp_path / "m.onnx", layers=1, width=8))


def test_int8_and_half_precision_are(tmp_path):
    stored = [("s", np.float32(0.1)), ("z", np.uint8(128))]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    assert reduced(save(tmp_path / "q.onnx", nodes, *ENDS, stored))
    half = [
        helper.make_node("Cast", ["w"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "f"], ["y"]),
    ]
    assert reduced(save(tmp_path / "h.onnx", half, *ENDS, [("w", np.ones(8, np.float16))]))


@pytest.mark.parametrize("cpu", ["arm", "amd64"])
def test_a_package_is_written_beside_the_model(tmp_path, cpu):
    model = dense(tmp_path / "m.onnx", layers=1, width=8)
    request = {"do": "package", "model": str(model), "format": "ort", "cpu": cpu}
    package = reply(request, [])[0]["package"]
    assert package["model"]["name"] == "m.ort"
    assert (tmp_path / "m.ort").stat().st_size == package["model"]["bytes"]
