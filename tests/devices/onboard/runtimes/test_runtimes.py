"""The table of runtimes: a toy runtime needs a module and a row, and everything measures it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from edgestill.devices.bench.inspection import inspect
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.onboard.measure.job import (
    AnswersJob,
    CountJob,
    MemoryJob,
    OperatorsJob,
    ProbeJob,
    ScenarioJob,
)
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.onboard.runtimes import RUNTIMES, load, obeys, row_of, runtime_of
from edgestill.devices.onboard.settings import DEFAULT_SESSION, Feed, Session, Timing
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import MeasureError, UsageError

TIMING = Timing(0.01, min_queries=20, max_queries=64, warmup_seconds=0.02)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A model of the toy runtime, which is in the table here and in every child."""
    monkeypatch.setattr("sys.path", [str(Path(__file__).parent), *os.sys.path])
    import toy_runtime

    monkeypatch.setitem(RUNTIMES, "toy", None)
    toy_runtime.register()
    # Python imports sitecustomize from PYTHONPATH before the worker's module.
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n"
        "import toy_runtime; toy_runtime.register()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"weights": np.full((8, 4), 0.5).tolist()}))
    return path


def test_a_runtime_of_ones_own_answers_here(toy):
    assert np.array_equal(
        load(toy).answer({"x": np.ones((2, 8), np.float32)})[0], np.full((2, 4), 4.0)
    )
    assert load(toy).inputs[0].shape == ("n", 8)


def test_a_model_of_a_runtime_of_ones_own_is_inspected(toy):
    found = inspect(toy)
    assert (found.format, found.runtime, found.file_bytes) == (
        "json",
        "toy 0.1",
        toy.stat().st_size,
    )
    assert found.inputs[0].name == "x"
    assert found.cost_missing == "operations of a .json file are not counted"


def test_a_model_of_a_runtime_of_ones_own_is_measured_beside_others(toy, tmp_path):
    settings = Settings(processes=1, timing=TIMING, footprint=True)
    result = measure(Request([Subject("m", toy)], settings, tmp_path / "out"))
    assert result.runtime == "toy 0.1"
    assert result.models[0].p50_ms.value > 0
    assert result.models[0].macs is None


@pytest.mark.parametrize("scenario", ["multi-stream", "server", "sustained", "cold-start"])
def test_every_load_works_with_a_runtime_of_ones_own(toy, tmp_path, scenario):
    job = ScenarioJob(str(toy), scenario, str(tmp_path / "s.npy"), timing=TIMING, rate_per_s=1000.0)
    assert run(job, timeout_s=60).runtime == "toy 0.1"


def test_a_runtime_of_ones_own_answers_in_a_child(toy, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.ones((3, 8), np.float32))
    job = AnswersJob(str(toy), str(tmp_path / "y.npz"), Feed(str(tmp_path / "x.npz"), batch=3))
    assert run(job, timeout_s=60).runtime == "toy 0.1"
    with np.load(tmp_path / "y.npz") as archive:
        assert np.array_equal(archive["output_0"], np.full((3, 4), 4.0))


def test_what_a_runtime_cannot_do_is_refused_by_name(toy):
    with pytest.raises(UsageError, match="toy, which does not write down the graph that runs"):
        run(OperatorsJob(str(toy)), timeout_s=60)
    for options in ({"precise": True}, {"arena": False}, {"spinning": True}):
        with pytest.raises(UsageError, match="numpy has no such option"):
            runtime_of(toy, Session(**options))
    with pytest.raises(UsageError, match="arena = False"):
        run(MemoryJob(str(toy), Session(arena=False)), timeout_s=60)
    with pytest.raises(MeasureError, match="outside valgrind"):
        run(CountJob(str(toy), "callgrind"), timeout_s=60)


def test_the_session_or_the_suffix_names_the_runtime(toy):
    assert row_of(toy) is RUNTIMES["toy"]
    assert row_of(Path("m.onnx")) is RUNTIMES["onnxruntime"]
    assert row_of(Path("m")) is RUNTIMES["onnxruntime"]
    assert row_of(Path("m.onnx"), Session(runtime="toy")) is RUNTIMES["toy"]
    assert run(ProbeJob(Session(runtime="toy")), timeout_s=60).runtime == "toy 0.1"
    with pytest.raises(UsageError, match=r"runtime 'none', expected one of onnxruntime, .*toy"):
        row_of(toy, Session(runtime="none"))
    assert obeys(Path("m.onnx"), DEFAULT_SESSION, "arena", "pattern")
    assert not obeys(toy, DEFAULT_SESSION, "arena")
