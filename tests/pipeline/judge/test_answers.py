"""What a file answers: the same runs in the same order, however many threads share them out."""

import numpy as np
import onnx_files
import pytest
from edgestill.devices.onboard.settings import Session
from edgestill.errors import ModelError
from edgestill.exporters.interface import INPUT, OUTPUT
from edgestill.pipeline.judge import answers
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
    with pytest.raises(ModelError) as refusal:
        logits(centred, x, batch=1, workers=workers)
    told = refusal.value
    assert told.found == "NaN or infinity for sample 17"
    assert (told.expected, told.where) == ("finite logits", "m.onnx")


def test_answers_of_any_precision_are_float32_and_those_of_the_output_by_its_name(tmp_path):
    path = onnx_files.save(
        tmp_path / "m.onnx",
        [
            helper.make_node("Neg", [INPUT], ["other"]),
            helper.make_node("Cast", [INPUT], [OUTPUT], to=TensorProto.DOUBLE),
        ],
        [(INPUT, TensorProto.FLOAT, ["n", 3])],
        [("other", TensorProto.FLOAT, ["n", 3]), (OUTPUT, TensorProto.DOUBLE, ["n", 3])],
    )
    found = logits(path, X, batch=4)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, X)


@pytest.mark.parametrize("given", [{}, {"optimization": "none"}, {"precise": True}])
def test_a_file_is_held_as_asked(centred, monkeypatch, given):
    sessions, load = [], answers.load
    monkeypatch.setattr(
        answers, "load", lambda path, session: sessions.append(session) or load(path)
    )
    logits(centred, X, batch=23, **given)
    assert sessions == [Session(**given)]


TEXTS = np.array([[5, 5, 9, 9], [5, 9, 9, 9], [5, 5, 5, 5]], np.int64)
"""Padded with 9."""


@pytest.mark.parametrize(
    ("length", "pad", "lengths"),
    [("t", 9, [2, 1, 4]), ("t", None, [4, 4, 4]), (4, 9, [4, 4, 4]), ("t", 5, [2, 3, 1])],
)
def test_a_text_runs_as_long_as_it_is_where_the_file_takes_any_length(
    tmp_path, length, pad, lengths
):
    nodes = [
        helper.make_node("Mul", [INPUT, "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "one"], ["ones"]),
        helper.make_node("ReduceSum", ["ones", "axes"], ["sums"]),
        helper.make_node("Cast", ["sums"], [OUTPUT], to=TensorProto.FLOAT),
    ]
    path = onnx_files.save(
        tmp_path / "m.onnx",
        nodes,
        [(INPUT, TensorProto.INT64, ["n", length])],
        [(OUTPUT, TensorProto.FLOAT, ["n", 1])],
        [(name, np.array(value)) for name, value in (("zero", 0), ("one", 1), ("axes", [1]))],
    )
    texts = TEXTS if pad != 5 else TEXTS[:, ::-1]
    found = logits(path, np.ascontiguousarray(texts), batch=1, pad=pad)[:, 0]
    assert found.tolist() == lengths
