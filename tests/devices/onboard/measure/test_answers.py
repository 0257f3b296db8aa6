"""What one model answers to every batch of its inputs, as a file."""

import numpy as np
import pytest
from edgestill.devices.onboard.measure.answers import answer
from edgestill.devices.onboard.measure.job import AnswersJob
from edgestill.devices.onboard.settings import Feed
from edgestill.errors import DataError
from onnx import TensorProto, helper
from onnx_files import save


@pytest.fixture
def two_outputs(tmp_path):
    """`double` is 2 x, and `negative` is -x."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["double"]),
        helper.make_node("Neg", ["x"], ["negative"]),
    ]
    ends = [[(name, TensorProto.FLOAT, ["n", 1])] for name in ("x", "double", "negative")]
    return save(tmp_path / "m.onnx", nodes, ends[0], ends[1] + ends[2])


def _feed(folder, samples, batch):
    path = folder / "inputs.npz"
    np.savez(path, x=np.arange(samples, dtype=np.float32).reshape(samples, 1))
    return Feed(str(path), batch=batch)


def test_outputs_of_all_batches_follow_one_another_in_the_models_order(two_outputs, tmp_path):
    job = AnswersJob(str(two_outputs), str(tmp_path / "out.npz"), _feed(tmp_path, 5, batch=2))
    answer(job)
    with np.load(tmp_path / "out.npz") as archive:
        assert set(archive.files) == {"output_0", "output_1"}
        # The last batch is filled up from the front.
        assert archive["output_0"].ravel().tolist() == [0, 2, 4, 6, 8, 0]
        assert archive["output_1"].ravel().tolist() == [0, -1, -2, -3, -4, 0]


def test_the_graph_that_runs_is_written_only_where_a_folder_is_named(two_outputs, tmp_path):
    feed, outputs = _feed(tmp_path, 2, batch=2), str(tmp_path / "out.npz")
    answer(AnswersJob(str(two_outputs), outputs, feed))
    assert not list(tmp_path.glob("optimized*"))
    answer(AnswersJob(str(two_outputs), outputs, feed, optimized=str(tmp_path)))
    assert (tmp_path / "optimized.onnx").exists()


def test_inputs_of_another_type_are_refused_and_nothing_is_written(two_outputs, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.ones((2, 1)))
    job = AnswersJob(
        str(two_outputs), str(tmp_path / "out.npz"), Feed(str(tmp_path / "x.npz"), batch=2)
    )
    with pytest.raises(DataError, match="found float64"):
        answer(job)
    assert not (tmp_path / "out.npz").exists()
