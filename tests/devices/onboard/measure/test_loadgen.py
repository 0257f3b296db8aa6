"""MLPerf's loadgen, where it is installed, and what names it where it is not."""

import sys
from time import perf_counter_ns

import numpy as np
import pytest
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.onboard.measure import loadgen
from edgestill.devices.scenarios.run import measure
from edgestill.errors import MeasureError
from flat_options import flat_settings
from onnx import TensorProto, helper
from onnx_files import save
from sessions import FEEDS, MS, Sleeper

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


def test_without_loadgen_the_interpreter_that_lacks_it_is_named(monkeypatch, dense, tmp_path):
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    with pytest.raises(MeasureError, match=f"{sys.executable} -m pip install mlcommons"):
        loadgen.single_stream(
            Sleeper(1), FEEDS, seconds=0.1, min_queries=64, logs=tmp_path / "logs"
        )
    with pytest.raises(MeasureError, match="no mlcommons-loadgen beside the runtime"):
        measure(Request([Subject("m", dense)], _settings(), tmp_path / "o"), "loadgen")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("ms", [0.02, 3.0])
@pytest.mark.slow
def test_loadgen_agrees_about_a_known_latency_and_its_logs_are_kept(tmp_path, ms):
    pytest.importorskip("mlperf_loadgen")

    class Busy:
        def query(self, feed, /):
            until = perf_counter_ns() + int(ms * MS)
            while perf_counter_ns() < until:
                pass

    found = loadgen.single_stream(
        Busy(), FEEDS, seconds=0.2, min_queries=64, logs=tmp_path / "logs"
    )
    assert found.valid
    assert found.p50_ns >= ms * MS
    assert found.p50_ns < 5 * ms * MS
    assert found.p90_ns <= found.early_stopping_p90_ns
    assert ms * MS <= found.inside_p50_ns < found.p50_ns
    assert found.inside_p90_ns < found.p90_ns + 1000
    assert "VALID" in (tmp_path / "logs" / "mlperf_log_summary.txt").read_text()
    assert (tmp_path / "logs" / "mlperf_log_detail.txt").stat().st_size
