"""What a file answers in another runtime: every sample, in order, again and in another process."""

from pathlib import Path

import numpy as np
import pytest
import toolchain_tools
from edgestill.devices.onboard.settings import Session
from edgestill.errors import ModelError
from edgestill.pipeline.judge import other_runtimes
from edgestill.pipeline.judge.answers import logits
from edgestill.pipeline.judge.other_runtimes import outputs, runs_elsewhere
from edgestill.pipeline.judge.steadiness import steadiness
from onnx import TensorProto, helper
from onnx_files import save

TO_IR = """
import sys, openvino
openvino.save_model(openvino.Core().read_model(sys.argv[1]), sys.argv[2], compress_to_fp16=False)
"""
W = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def ir(tmp_path):
    file = save(
        tmp_path / "m.onnx",
        [helper.make_node("MatMul", ["input", "w"], ["logits"])],
        [("input", TensorProto.FLOAT, ["n", 4])],
        [("logits", TensorProto.FLOAT, ["n", 3])],
        [("w", W)],
    )
    toolchain_tools.run_in("openvino", TO_IR, file, tmp_path / "m.xml")
    return tmp_path / "m.xml"


def test_the_suffix_tells_which_files_run_elsewhere(tmp_path):
    assert runs_elsewhere(tmp_path / "a.tflite")
    assert runs_elsewhere(tmp_path / "a.xml")
    assert not runs_elsewhere(tmp_path / "a.onnx")
    assert not runs_elsewhere(tmp_path / "a.ort")


def test_all_samples_are_answered_in_order_however_many(ir):
    """More queries than a measurement takes, and a last one that is not full."""
    x = np.random.default_rng(0).normal(size=(203, 4)).astype(np.float32)
    np.testing.assert_allclose(outputs(ir, x, batch=2), x @ W, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(logits(ir, x[:3], batch=2), x[:3] @ W, rtol=1e-4, atol=1e-4)


def test_not_a_number_is_refused_with_the_sample(ir):
    x = np.zeros((3, 4), np.float32)
    x[1] = np.inf
    with pytest.raises(ModelError, match="NaN or infinity for sample 1"):
        logits(ir, x, batch=1)


def test_it_is_asked_again_and_in_another_process(ir):
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    found = steadiness(ir, {"input": x}, None, alone=True, batch=2)
    assert (found.samples, found.again, found.session, found.alone) == (6, 0.0, 0.0, None)


class Answering:
    """In place of a process: answers with twice its samples, one more each time it is run."""

    def __init__(self):
        self.jobs, self.fed, self.limits = [], [], []

    def run(self, job, *, timeout_s):
        self.jobs.append(job)
        self.limits.append(timeout_s)
        with np.load(job.feed.inputs) as stored:
            assert list(stored) == ["input"]
            self.fed.append(stored["input"])
        np.savez(job.outputs, output_0=2 * self.fed[-1] + len(self.jobs), output_1=np.zeros(1))


@pytest.fixture
def process(monkeypatch):
    answering = Answering()
    monkeypatch.setattr(other_runtimes, "Local", lambda: answering)
    return answering


X = np.arange(14, dtype=np.float32).reshape(7, 2) + 1


def test_a_process_is_given_every_sample_the_batch_and_a_second_for_each_sample(process):
    np.testing.assert_array_equal(outputs(Path("m.xml"), X, batch=3), 2 * X + 1)
    (job,) = process.jobs
    assert (job.model, job.feed.batch, job.session, job.every) == ("m.xml", 3, Session(), True)
    np.testing.assert_array_equal(process.fed[0], X)
    assert process.limits == [307.0]
    assert not Path(job.outputs).parent.exists()


@pytest.mark.parametrize(("batch", "samples"), [(3, 6), (7, 7), (8, 7), (1, 7)])
def test_whole_queries_are_asked_twice_and_once_more_in_another_process(process, batch, samples):
    found = steadiness(Path("m.xml"), {"input": X}, None, alone=True, batch=batch)
    x = X[:samples]
    np.testing.assert_array_equal(process.fed[0], np.concatenate([x, x]))
    np.testing.assert_array_equal(process.fed[1], x)
    assert [job.feed.batch for job in process.jobs] == [batch, batch]
    assert (found.samples, found.again, found.alone) == (samples, 0.0, None)
    # The second process answers 1 more, of at most 2 x + 1.
    assert found.session == pytest.approx(1.0 / float(2 * x.max() + 1))


def test_a_second_answer_that_differs_is_found(monkeypatch):
    def outputs(path, x, *, batch):
        return np.concatenate([x[:7], x[7:] * 0.5])

    monkeypatch.setattr(other_runtimes, "outputs", outputs)
    found = other_runtimes.steadiness(Path("m.xml"), X, batch=1)
    assert (found.again, found.session) == (0.5, 0.0)
