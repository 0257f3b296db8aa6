"""What a file answers: the same runs in the same order, however many threads share them out."""

import numpy as np
import onnx_files
import pytest
from edgestill.errors import ModelError
from edgestill.exporters.interface import INPUT, OUTPUT
from edgestill.pipeline.judge.answers import logits
from onnx import TensorProto, helper

X = np.random.default_rng(0).normal(size=(23, 3)).astype(np.float32)


@pytest.fixture
def centred(tmp_path):
    """A file that answers with the distance from the mean of the run, so that a run is seen."""
    return onnx_files.save(
        tmp_path / "m.onnx",
        [
            helper.make_node("ReduceMean", [INPUT], ["mean"], axes=[0]),
            helper.make_node("Sub", [INPUT, "mean"], [OUTPUT]),
        ],
        [(INPUT, TensorProto.FLOAT, ["n", 3])],
        [(OUTPUT, TensorProto.FLOAT, ["n", 3])],
    )


@pytest.mark.parametrize("workers", [1, 2, 3, 40])
@pytest.mark.parametrize("batch", [1, 4, 23, 64])
def test_runs_are_the_same_however_they_are_shared_out(batch, workers, centred):
    runs = [X[i : i + batch] for i in range(0, len(X), batch)]
    expected = np.concatenate([run - run.mean(0) for run in runs])
    found = logits(centred, X, batch=batch, workers=workers)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_answer_that_is_no_number_names_its_sample(workers, centred):
    x = X.copy()
    x[17, 1] = np.nan
    with pytest.raises(ModelError, match="NaN or infinity for sample 17"):
        logits(centred, x, batch=1, workers=workers)
