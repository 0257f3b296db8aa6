"""The interpreter that a job's worker starts in."""

import sys

from edgestill import toolchains
from edgestill.devices.onboard.measure.job import InspectJob, ProbeJob
from edgestill.devices.place.worker import WORKER, worker_of


def test_what_onnxruntime_runs_starts_in_this_python():
    for job in (ProbeJob(), InspectJob("m.onnx"), InspectJob("m.ort")):
        assert worker_of(job) == (sys.executable, "-P", "-m", WORKER)


def test_what_a_toolchain_runs_starts_in_its_python(tmp_path, monkeypatch):
    monkeypatch.setattr(toolchains, "python_with", lambda module: tmp_path / module)
    words = worker_of(InspectJob("m.tflite"))
    assert words[0] == str(tmp_path / "ai_edge_litert")
    assert words[-1] == WORKER
