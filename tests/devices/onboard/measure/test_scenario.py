"""A process that runs one load: its figures, what it holds, that its job travels as JSON."""

from time import perf_counter_ns

import numpy as np
import pytest
from edgestill.devices.onboard.measure.job import (
    ProbeJob,
    ScenarioJob,
    from_json,
    to_json,
)
from edgestill.devices.onboard.measure.scenario import measure
from edgestill.devices.onboard.process.run_job import run
from edgestill.errors import UsageError
from flat_options import flat_job
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT


def _dense(path, width=8, rows="n", weight=0.01):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [("x", FLOAT, [rows, width])], [("y", FLOAT, [rows, width])]
    return save(path, nodes, *ends, [("w", np.full((width, width), weight, np.float32))])


@pytest.fixture
def dense(tmp_path):
    return _dense(tmp_path / "dense.onnx")


def test_a_scenario_job_goes_through_json_and_back():
    job = flat_job(
        ScenarioJob, "m", "server", "s", shapes={"x": (1, 2)}, rate_per_s=3.0, poisson=False
    )
    assert from_json(to_json(job)) == job


@pytest.mark.parametrize("scenario", ["multi-stream", "server", "sustained", "cold-start"])
def test_a_measuring_process_holds_nothing_of_training_or_of_the_pipeline(
    dense, tmp_path, scenario
):
    job = flat_job(ScenarioJob,
        str(dense), scenario, str(tmp_path / "s.npy"), seconds=0.02, warmup_seconds=0.05,
        windows=2, rate_per_s=200.0,
    )  # fmt: skip
    modules = set(run(job, timeout_s=60).process.modules)
    assert {"numpy", "onnxruntime"} <= modules
    assert not {"torch", "onnx", "scipy", "pydantic", "rich", "click"} & modules
    assert not [one for one in modules if one.startswith(("edgestill.pipeline", "torch."))]


def test_a_process_says_how_long_it_took_to_start():
    before = perf_counter_ns()
    answer = run(ProbeJob(), timeout_s=60)
    assert 1.0 < answer.process.process_start_ms < (perf_counter_ns() - before) / 1e6


def _measured(scenario, model, folder, **options):
    job = flat_job(
        ScenarioJob, str(model), scenario, str(folder / "s.npy"),
        seconds=0.02, min_queries=20, max_queries=64, warmup_seconds=0.02,
        **options,
    )  # fmt: skip
    found = measure(job)
    return found, np.load(folder / "s.npy", allow_pickle=False)


def test_a_server_answers_what_arrives_and_keeps_four_moments_a_query(dense, tmp_path):
    found, table = _measured("server", dense, tmp_path, rate_per_s=1000.0, poisson=False)
    assert found.queries == 20
    assert found.columns == ("due_ns", "started_ns", "ended_ns", "late_ns")
    assert table.shape == (20 - found.unanswered, 4)
    assert set(np.diff(table[:, 0]).tolist()) == {1_000_000}
    assert (table[:, 1] <= table[:, 2]).all()


def test_a_server_takes_no_more_queries_than_the_most(dense, tmp_path):
    found, _ = _measured("server", dense, tmp_path, rate_per_s=100_000.0)
    assert found.queries == 64


def test_every_stream_of_several_is_timed(dense, tmp_path):
    found, table = _measured("multi-stream", dense, tmp_path, streams=2)
    assert found.columns == ("stream", "start_ns", "latency_ns")
    assert found.queries == len(table)
    assert set(table[:, 0].tolist()) == {0, 1}


def test_a_sustained_load_has_figures_for_each_window(dense, tmp_path):
    found, table = _measured("sustained", dense, tmp_path, windows=3)
    assert found.columns == ("window", "latency_ns")
    assert len(found.windows) == 3
    assert found.queries == sum(window.queries for window in found.windows) == len(table)
    assert sorted(set(table[:, 0].tolist())) == [0, 1, 2]


def test_a_load_that_does_not_exist_is_refused(dense, tmp_path):
    with pytest.raises(UsageError, match="found the load 'dance', expected one of multi-stream"):
        _measured("dance", dense, tmp_path)
