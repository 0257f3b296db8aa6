"""A process that runs one load: what it holds, and that its job travels as JSON."""

from time import perf_counter_ns

import numpy as np
import pytest
from edgestill.devices.onboard.measure.job import (
    ProbeJob,
    ScenarioJob,
    from_json,
    to_json,
)
from edgestill.devices.onboard.process.run_job import run
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
    modules = set(run(job, timeout_s=60)["modules"])
    assert {"numpy", "onnxruntime"} <= modules
    assert not {"torch", "onnx", "scipy", "pydantic", "rich", "click"} & modules
    assert not [one for one in modules if one.startswith(("edgestill.pipeline", "torch."))]


def test_a_process_says_how_long_it_took_to_start():
    before = perf_counter_ns()
    answer = run(ProbeJob(), timeout_s=60)
    assert 1.0 < answer["process_start_ms"] < (perf_counter_ns() - before) / 1e6
