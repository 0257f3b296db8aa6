"""TensorFlow Lite Micro: answers, arenas, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import toolchain_tools
from edgestill.devices.onboard.measure.job import AnswersJob, ArenaJob
from edgestill.devices.onboard.runtimes import RUNTIMES, row_of
from edgestill.devices.onboard.settings import Feed, Session
from edgestill.devices.place.place import Local
from edgestill.errors import UsageError
from shared_data import SHARED

TINY = SHARED / "mlperf_tiny"
needs_tiny = pytest.mark.skipif(not TINY.exists(), reason="needs shared/data/mlperf_tiny")


def test_a_tflite_file_runs_in_litert_unless_its_name_or_the_session_says_otherwise():
    micro = RUNTIMES["tflite-micro"]
    assert micro.module == "edgestill.devices.onboard.runtimes.tflite_micro"
    assert row_of(Path("a.tflite")) is RUNTIMES["litert"]
    assert row_of(Path("a.micro.tflite")) is micro
    assert row_of(Path("A.MICRO.TFLITE")) is micro
    assert row_of(Path("a.tflite"), Session(runtime="tflite-micro")) is micro
    assert row_of(Path("a.micro.tflite"), Session(runtime="litert")) is RUNTIMES["litert"]
    assert row_of(Path("a.txt")) is RUNTIMES["onnxruntime"]
    assert [name for name, row in RUNTIMES.items() if not row.timed] == ["tflite-micro"]


@needs_tiny
def test_it_answers_nearly_as_litert_does(tmp_path):
    toolchain_tools.python_of("tflite-micro")
    toolchain_tools.python_of("litert")
    x = np.random.default_rng(0).integers(-128, 128, (3, 32, 32, 3), dtype=np.int8)
    found = {}
    np.savez(tmp_path / "x.npz", input_1_int8=x)
    for runtime in ("tflite-micro", "litert"):
        job = AnswersJob(
            str(TINY / "pretrainedResnet_quant.tflite"),
            str(tmp_path / "y.npz"),
            Feed(str(tmp_path / "x.npz")),
            Session(runtime=runtime),
            every=True,
        )
        Local().run(job, timeout_s=120)
        with np.load(tmp_path / "y.npz") as stored:
            found[runtime] = stored["output_0"]
    assert found["litert"].shape == (3, 10)
    steps = found["litert"].astype(int) - found["tflite-micro"]
    assert np.abs(steps).max() <= 16  # of 256, behind a softmax over noise: roundings differ
    assert (found["litert"].argmax(1) == found["tflite-micro"].argmax(1)).all()


def test_more_threads_and_runtimes_without_an_arena_are_refused(tmp_path):
    toolchain_tools.python_of("tflite-micro")
    (tmp_path / "m.tflite").write_bytes(b"no model")
    two = ArenaJob(str(tmp_path / "m.tflite"), Session(threads=2, runtime="tflite-micro"))
    with pytest.raises(UsageError, match="2 threads"):
        Local().run(two, timeout_s=60)
