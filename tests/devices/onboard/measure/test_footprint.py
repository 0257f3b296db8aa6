"""A process that looks at memory: its figures, and the graph as the runtime rewrote it."""

from statistics import median

import numpy as np
import pytest
from edgestill.devices.onboard.measure import footprint, memory
from edgestill.devices.onboard.measure.job import MemoryJob
from edgestill.devices.onboard.process.run_job import run
from edgestill.errors import ModelError
from flat_options import flat_job
from onnx import TensorProto, helper
from onnx_files import dense, save

FLOAT = TensorProto.FLOAT


def _weights(width=512):
    return np.full((width, width), 0.01, np.float32)


def test_a_looking_process_times_nothing_and_reads_the_graph_as_the_runtime_rewrote_it(tmp_path):
    path = tmp_path / "m.onnx"
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    ends = [("x", FLOAT, ["n", 512])], [("y", FLOAT, ["n", 512])]
    save(path, nodes, *ends, [("w", _weights()), ("b", np.zeros(512, np.float32))])
    job = flat_job(MemoryJob, model=str(path), batch=4, arena=False, analyze=True)
    answer = run(job, timeout_s=60)
    graph = answer.graph
    # One operator is left of three, so only x and y are ever there: 4 x 512 floats each.
    assert graph.activation_bytes == 2 * 4 * 512 * 4
    assert graph.weight_bytes == (512 * 512 + 512) * 4
    assert answer.peak_memory_bytes > graph.weight_bytes
    assert answer.pss_bytes > graph.weight_bytes
    assert run(MemoryJob(model=str(path)), timeout_s=60).graph is None


@pytest.mark.slow
def test_what_makes_a_peak_vary_is_fixed_where_nothing_is_timed(tmp_path):
    """Large blocks that are freed else stay in the heap; how many depends on the path's length.

    As a benchmark does, each peak is the median of three processes. How many pages of a library the
    kernel maps at once depends on what it has in its cache: where it reclaims memory meanwhile,
    peaks were up to 176 KiB apart. A block that stays in the heap is 1 MiB here.
    """
    random = np.random.default_rng(0)
    weights = [(f"w{i}", random.standard_normal((512, 512), np.float32)) for i in range(6)]
    names = ["x", *(f"h{i}" for i in range(5)), "y"]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(6)]
    ends = [("x", FLOAT, [1, 512])], [("y", FLOAT, [1, 512])]
    paths = [tmp_path / ("x" * length) / "m.onnx" for length in (1, 30)]
    peaks = {path: [] for path in paths}
    for path in paths:
        path.parent.mkdir()
        save(path, nodes, *ends, weights)
    for path in 3 * paths:
        answer = run(MemoryJob(model=str(path)), timeout_s=60)
        if answer.peak_memory_missing:
            pytest.skip(answer.peak_memory_missing)
        assert answer.fixed.malloc
        peaks[path].append(answer.peak_memory_bytes)
    short, long = (median(peaks[path]) for path in paths)
    assert abs(short - long) <= 256 * 1024


def test_a_looking_process_refuses_what_no_runtime_loads(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x09junk")
    with pytest.raises(ModelError):
        run(MemoryJob(model=str(path)), timeout_s=60)


def test_peak_share_and_graph_are_read_around_the_queries(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "fix_thresholds", lambda: False)  # they would stay in this process
    monkeypatch.setattr(memory, "begin", lambda: "no mark")
    shares = iter([1000, 5000])
    monkeypatch.setattr(memory, "share", lambda: next(shares))
    path = dense(tmp_path / "m.onnx", layers=2, width=16)
    found = footprint.measure(flat_job(MemoryJob, str(path), batch=3, queries=2, analyze=True))
    assert (found.peak_memory_bytes, found.peak_memory_missing) == (None, "no mark")
    assert (found.pss_bytes, found.pss_missing) == (4000, None)
    assert found.fixed.malloc is False
    assert found.graph.weight_bytes == 2 * 16 * 16 * 4
    assert found.graph.activation_bytes == 2 * 3 * 16 * 4  # a product and what it is made of


def test_a_file_of_the_runtimes_own_format_has_no_graph_to_read(tmp_path):
    path = tmp_path / "m.ort"
    path.write_bytes(b"\0\0\0\0ORTM" + bytes(32))
    found = footprint._graph(path, MemoryJob(str(path)), {})
    assert (found.weight_bytes, found.activation_bytes, found.at) == (None, None, None)
    assert "holds no graph that onnx can read" in found.missing
