"""What each step to the first answer costs, by a clock that the test sets."""

from types import SimpleNamespace

import pytest
from edgestill.devices.onboard.measure import cold_start
from edgestill.devices.onboard.measure.job import ScenarioJob
from edgestill.errors import ModelError
from onnx_files import dense


def test_import_loading_and_the_first_query_are_timed_apart(tmp_path, monkeypatch):
    moments = iter([0, 5_000_000, 7_000_000, 10_000_000, 14_500_000])
    monkeypatch.setattr(cold_start, "time", SimpleNamespace(perf_counter_ns=moments.__next__))
    path = dense(tmp_path / "m.onnx", layers=1, width=8)
    found = cold_start.start(ScenarioJob(str(path), "cold-start", ""))
    # From 7 to 10 ms the query's input was made, which is no part of a cold start.
    assert (found.import_ms, found.load_ms, found.first_inference_ms) == (5.0, 2.0, 4.5)
    assert found.runtime.startswith("onnxruntime ")


def test_a_model_that_does_not_load_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x09junk")
    with pytest.raises(ModelError, match="does not load"):
        cold_start.start(ScenarioJob(str(path), "cold-start", ""))
