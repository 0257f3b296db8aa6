"""A model of the user's in the worker: what its calibration data must be, and its replies."""

import io
import json

import numpy as np
import pytest
from edgestill.errors import DataError, ModelError
from edgestill.pipeline.compress import foreign_model
from edgestill.pipeline.compress.foreign_model import ForeignModel
from edgestill.pipeline.compress.plan import plan
from edgestill.pipeline.compress.worker import Worker
from edgestill.pipeline.isolation import server, wire
from edgestill.pipeline.recipe.compress import Compress
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT
LIMIT = 1 << 40


@pytest.fixture
def request_of(tmp_path):
    """A request for a product of 8 by 4, with arrays as given."""
    weight = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["logits"], name="product")]
    model = tmp_path / "m.onnx"
    save(model, nodes, [("x", FLOAT, ["n", 8])], [("logits", FLOAT, ["n", 4])], [("w", weight)])
    (tmp_path / "unpacked").mkdir()

    def request(**arrays):
        calibration = tmp_path / f"{''.join(arrays)}.npz"
        np.savez(calibration, **arrays)
        options = Compress(calibration_samples=16)
        return {
            "model": str(model), "calibration": str(calibration),
            "folder": str(tmp_path / "unpacked"), "asked": options.model_dump_json(),
            "plan": plan(options).model_dump_json(),
        }  # fmt: skip

    return request


def rows(count):
    return np.random.default_rng(1).normal(size=(count, 8)).astype(np.float32)


def test_calibration_data_are_cut_to_the_samples_of_the_options_with_their_labels(request_of):
    model = ForeignModel.open(request_of(x=rows(20), y=np.arange(20)))
    assert model.samples == 16
    assert model.labels.tolist() == list(range(16))
    assert ForeignModel.open(request_of(x=rows(5))).labels is None


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"z": rows(3)}, "found the arrays 'z', expected one for each input: 'x'"),
        ({"x": rows(3), "y": np.arange(2)}, "expected the same number of samples of each"),
    ],
)
def test_calibration_data_of_another_model_are_refused(arrays, says, request_of):
    with pytest.raises(DataError) as refusal:
        ForeignModel.open(request_of(**arrays))
    assert says in str(refusal.value)


def test_a_model_that_answers_in_several_ways_is_refused_whatever_its_operators_are_called(
    request_of, tmp_path, monkeypatch
):
    request = request_of(x=rows(8))
    drawn = helper.make_node("RandomNormalLike", ["x"], ["logits"])
    save(tmp_path / "m.onnx", [drawn], [("x", FLOAT, ["n", 8])], [("logits", FLOAT, ["n", 8])])
    monkeypatch.setattr(foreign_model.training_operators, "check", lambda path: None)
    with pytest.raises(ModelError, match="found a model that answers one input in several ways"):
        ForeignModel.open(request)


def test_the_worker_replies_to_each_request_and_to_a_refused_one_with_its_error(
    request_of, tmp_path
):
    requests, replies = io.BytesIO(), io.BytesIO()
    wire.send(requests, request_of(z=rows(3)))
    wire.send(requests, request_of(x=rows(8)))
    wire.send(requests, {"method": "int8-dynamic", "target": str(tmp_path / "q.onnx")})
    requests.seek(0)
    server.serve(requests, replies, Worker().reply, lambda: ModelError(f"{LIMIT} bytes"))
    replies.seek(0)
    refused, opened, compressed = (wire.receive(replies) for _ in range(3))
    assert "z" in json.dumps(refused["error"])
    assert (opened["samples"], opened["labels"], opened["warnings"]) == (8, False, [])
    assert compressed["changed_nodes"] > 0
    (loss,) = compressed["outputs"]
    assert (loss["name"], loss["measure"], loss["rows"]) == ("logits", "classes", 8)
    assert (tmp_path / "q.onnx").exists()
