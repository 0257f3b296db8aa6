"""Scenarios of real models in fresh processes."""

import json

import numpy as np
import pytest
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.onboard.machine.host import describe
from edgestill.devices.scenarios.run import measure
from edgestill.errors import ModelError, UsageError
from flat_options import flat_settings
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


def _settings(**options):
    return flat_settings(**{"processes": 2, "seconds": 0.05, "warmup_seconds": 0.1, **options})


@pytest.mark.slow
def test_all_scenarios_measure_a_real_model(dense, tmp_path):
    subjects, settings = [Subject("m", dense)], _settings(processes=1)
    streams = measure(Request(subjects, settings, tmp_path / "1"), "multi-stream", {"streams": 2})
    (one,) = streams.models
    assert one.latency.p50_ms.value > 0
    assert one.queries >= 64
    assert 0 < one.samples_per_s.value < 2 * 1e3 / one.latency.p50_ms.value * 1.5
    assert streams.warnings is not None

    (one,) = measure(
        Request(subjects, _settings(seconds=0.3), tmp_path / "2"),
        "server",
        {"rate": 100.0, "deadline_ms": 1000.0},
    ).models
    assert one.sustained == "yes"
    assert (one.queries, one.missed, one.unanswered) == (60, 0, 0)
    assert one.latency.p50_ms.value > 0
    assert "at least 64" in one.latency.p90_ms.missing
    due = [np.load(p)[:, 0] for p in sorted((tmp_path / "2" / "samples").glob("*.npy"))]
    assert not np.array_equal(*due)  # other arrivals in each process

    (one,) = measure(Request(subjects, settings, tmp_path / "3"), "cold-start").models
    parts = (one.process_ms, one.import_ms, one.load_ms, one.first_inference_ms)
    assert all(part.value > 0 for part in parts)
    assert one.import_ms.value > one.first_inference_ms.value
    assert one.total_ms.value == pytest.approx(sum(p.value for p in parts), rel=0.2)

    # Fewer windows may give no interval, where neighbours resemble each other.
    (one,) = measure(Request(subjects, settings, tmp_path / "4"), "sustained").models
    assert len(one.windows) == 60
    assert one.drift.low is not None


@pytest.mark.slow
def test_batches_and_threads_are_those_asked_for(dense, tmp_path):
    subjects, settings = [Subject("m", dense)], _settings()
    (one,) = measure(
        Request(subjects, settings, tmp_path / "1"), "offline", {"batches": [1, 64]}
    ).models
    assert [each.batch for each in one.batches] == [1, 64]
    assert one.batches[0].gain.value == 1.0
    assert one.batches[1].gain.value > 4  # 64 rows of 8 are hardly slower than one
    assert one.best == 64
    records = json.loads((tmp_path / "1" / "processes.json").read_text())
    assert sorted(each["variant"] for each in records) == ["batch-1"] * 2 + ["batch-64"] * 2

    found = measure(
        Request(subjects, _settings(processes=1), tmp_path / "2"), "threads", {"counts": [1, 2]}
    )
    (one,) = found.models
    assert [each.threads for each in one.counts] == [1, 2]
    assert one.counts[0].speedup.value == 1.0
    records = json.loads((tmp_path / "2" / "processes.json").read_text())
    used = {each["variant"]: each["process_threads"] for each in records}
    assert used == {"threads-1": 1, "threads-2": 2}
    assert any("2 threads were run" in w for w in found.warnings) == (
        describe().available_cores < 2
    )


def test_a_shape_given_in_full_follows_the_batch(tmp_path):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    model = save(tmp_path / "m.onnx", nodes, [("x", FLOAT, ["n", "t"])], [("y", FLOAT, ["n", "t"])])
    settings = _settings(shapes={"x": (1, 7)}, processes=1, min_queries=1)
    (one,) = measure(
        Request([Subject("m", model)], settings, tmp_path / "o"), "offline", {"batches": [1, 3]}
    ).models
    assert [each.batch for each in one.batches] == [1, 3]


def test_batches_that_a_model_has_no_room_for_are_refused_before_any_run(tmp_path):
    fixed = _dense(tmp_path / "fixed.onnx", rows=4)
    request = Request([Subject("m", fixed)], _settings(batch=4), tmp_path / "o")
    with pytest.raises(UsageError, match="a batch of 1, expected 4, the fixed first axis"):
        measure(request, "offline", {"batches": [4, 1]})
    with pytest.raises(UsageError, match="each size once"):
        measure(request, "offline", {"batches": [4, 4]})


def test_outputs_that_are_not_finite_fail_a_scenario_too(tmp_path):
    model = _dense(tmp_path / "nan.onnx", weight=np.nan)
    with pytest.raises(ModelError, match="not finite"):
        measure(Request([Subject("m", model)], _settings(), tmp_path / "o"), "multi-stream")


@pytest.mark.slow
def test_our_loop_and_loadgen_take_turns(dense, tmp_path):
    pytest.importorskip("mlperf_loadgen")
    found = measure(Request([Subject("m", dense)], _settings(), tmp_path), "loadgen")
    (one,) = found.models
    assert one.runs == 2
    assert one.ratio.value < one.ratio_inside.value
    assert one.crossing_ms.value > 0
    assert len(list(tmp_path.glob("samples/*-loadgen-*/mlperf_log_summary.txt"))) == 2
