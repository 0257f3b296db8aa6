"""A foreign model's schema, cost and files, without a query."""

import numpy as np
import onnx
import pytest
from edgestill.devices.onboard.measure.inspection import inspect
from edgestill.devices.onboard.measure.job import InspectJob
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import ModelError
from onnx import TensorProto, helper
from onnx_files import dense, model, save


def test_schema_cost_and_size_are_those_of_the_file(tmp_path):
    path = dense(tmp_path / "m.onnx", layers=2, width=8)
    found = inspect(InspectJob(str(path), feed=Feed(batch=3)))
    assert found.inputs == (Input("x", "tensor(float)", ("n", 8)),)
    assert [port.name for port in found.outputs] == ["h2"]
    assert found.cost.macs_by_type == {"float32": 3 * 2 * 8 * 8}
    assert found.cost.parameters == 2 * 8 * 8
    assert found.cost_missing is None
    assert found.external_files == ()
    assert found.file_bytes == path.stat().st_size


def test_the_libraries_of_the_runtime_that_loaded_it_are_told(tmp_path):
    found = inspect(InspectJob(str(dense(tmp_path / "m.onnx", layers=1, width=4))))
    assert any("onnxruntime" in name for name in found.libraries)
    assert found.library_bytes > 5 * 2**20


def test_weights_in_a_file_beside_the_model_belong_to_it(tmp_path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [[(name, TensorProto.FLOAT, ["n", 32])] for name in "xy"]
    made = model([node], *ends, [("w", np.ones((32, 32), np.float32))])
    path, beside = tmp_path / "m.onnx", tmp_path / "weights.bin"
    onnx.save_model(made, path, save_as_external_data=True, location=beside.name, size_threshold=0)
    found = inspect(InspectJob(str(path)))
    assert found.external_files == (str(beside),)
    assert beside.stat().st_size >= 4 * 32 * 32
    assert found.file_bytes == path.stat().st_size + beside.stat().st_size


def test_the_shape_of_a_query_decides_its_cost(tmp_path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [[(name, TensorProto.FLOAT, ["n", "s", 4])] for name in "xy"]
    made = model(nodes, *ends, [("w", np.ones((4, 4), np.float32))])
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    found = inspect(InspectJob(str(path), feed=Feed(batch=2, shapes={"x": (2, 5, 4)})))
    assert found.cost.macs_by_type == {"float32": 2 * 5 * 4 * 4}


def test_operators_that_act_as_in_training_are_named(tmp_path):
    ends = [[(name, TensorProto.FLOAT, ["n", 4])] for name in "xy"]
    path = save(tmp_path / "m.onnx", [helper.make_node("Bernoulli", ["x"], ["y"])], *ends)
    assert inspect(InspectJob(str(path))).training == (
        "Bernoulli 'y' acts as in training: it draws its values at random"
    )
    assert inspect(InspectJob(str(dense(path, layers=1, width=4)))).training is None


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"\x08\x09junk")
    with pytest.raises(ModelError):
        inspect(InspectJob(str(tmp_path / "m.onnx")))
    with pytest.raises(ModelError, match="no such file"):
        inspect(InspectJob(str(tmp_path / "absent.onnx")))
