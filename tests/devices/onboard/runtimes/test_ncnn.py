"""`edgestill.devices.onboard.runtimes.ncnn`, in its own interpreter, by the usual jobs."""

import numpy as np
import pytest
import toolchain_tools
from edgestill.devices.bench.inspection import inspect
from edgestill.devices.onboard.measure.job import AnswersJob, MeasureJob
from edgestill.devices.onboard.model.modelfile import Input
from edgestill.devices.onboard.settings import Feed, Timing
from edgestill.devices.place.place import Local
from edgestill.errors import ModelError

PARAM = """7767517
3 3
Input x 0 1 x 0=2 1=3
ReLU r 1 1 x r
BinaryOp double 1 1 r y 0=2 1=1 2=2.0
"""


@pytest.fixture
def param(tmp_path):
    """y = 2 relu(x) over matrices [3, 2]; it has no weights."""
    toolchain_tools.python_of("ncnn")
    path = tmp_path / "m.param"
    path.write_text(PARAM)
    path.with_suffix(".bin").write_bytes(b"")
    return path


def test_it_answers_one_sample_a_query(param, tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 3, 2)).astype(np.float32)
    np.savez(tmp_path / "inputs.npz", x=x)
    feed = Feed(str(tmp_path / "inputs.npz"), batch=1)
    job = AnswersJob(str(param), str(tmp_path / "outputs.npz"), feed, every=True)
    assert Local().run(job, timeout_s=120).runtime.startswith("ncnn 1.0.2026")
    with np.load(tmp_path / "outputs.npz") as stored:
        np.testing.assert_array_equal(stored["output_0"], 2 * np.maximum(x, 0))


def test_it_is_inspected_with_its_weights_beside_it(param):
    seen = inspect(param)
    assert seen.format == "param"
    assert seen.inputs == (Input("x", "tensor(float)", (1, 3, 2)),)
    assert seen.external_files == (param.with_suffix(".bin"),)


def test_it_is_timed_like_any_other(param, tmp_path):
    samples = tmp_path / "samples.npy"
    job = MeasureJob(str(param), str(samples), timing=Timing(0.02, 64, 200, 0.02))
    assert Local().run(job, timeout_s=120).providers == ("CPU",)
    assert len(np.load(samples)) >= 64


def test_a_query_of_another_shape_is_refused(param, tmp_path):
    np.savez(tmp_path / "inputs.npz", x=np.zeros((2, 3, 2), np.float32))
    feed = Feed(str(tmp_path / "inputs.npz"), batch=2)
    job = AnswersJob(str(param), str(tmp_path / "outputs.npz"), feed)
    with pytest.raises(Exception, match="2"):
        Local().run(job, timeout_s=120)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no model", "a model that does not load"),
        (PARAM.replace("ReLU", "Nothing"), "an operator that it has not"),
    ],
)
def test_a_broken_file_is_refused(param, text, why):
    param.write_text(text)
    with pytest.raises(ModelError, match=why):
        inspect(param)


def test_weights_that_are_missing_are_named(param):
    param.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"m\.bin"):
        inspect(param)
