"""Memory in each view: the proportional share, the runtime's settings, and the graph alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.onboard.measure import memory
from edgestill.devices.onboard.measure.job import MeasureJob, MemoryJob
from edgestill.devices.onboard.model import liveness
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.onboard.settings import Session
from edgestill.devices.place.place import Local
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import ModelError
from edgestill.pipeline.report.memory import lines
from flat_options import flat_job, flat_settings
from onnx import TensorProto, helper
from onnx_files import model, save

FLOAT = TensorProto.FLOAT


def _weights(width=512):
    return np.full((width, width), 0.01, np.float32)


def _dense(path, width=512):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [("x", FLOAT, ["n", width])], [("y", FLOAT, ["n", width])]
    return save(path, nodes, *ends, [("w", _weights(width))])


def _needs(nodes, inputs, outputs, stored=(), batch=1):
    made = model(nodes, inputs, outputs, stored)
    return liveness.of_models(made, made, batch)


def test_a_chain_holds_two_tensors_at_a_time():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["b"], name="middle"),
        helper.make_node("Tanh", ["b"], ["y"]),
    ]
    found = _needs(nodes, [("x", FLOAT, [1, 100])], [("y", FLOAT, [1, 100])])
    assert (found.activation_bytes, found.weight_bytes, found.missing) == (800, 0, None)


def test_a_skip_connection_is_held_until_it_is_added():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Sigmoid", ["a"], ["b"]),
        helper.make_node("Tanh", ["b"], ["c"], name="t"),
        helper.make_node("Add", ["a", "c"], ["y"]),
    ]
    found = _needs(nodes, [("x", FLOAT, [1, 100])], [("y", FLOAT, [1, 100])])
    assert found.activation_bytes == 1200  # a, b and c
    assert "Tanh" in found.at


def test_the_peak_is_where_the_tensors_are_widest_and_grows_with_the_batch():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["wide"], name="up"),
        helper.make_node("MatMul", ["wide", "v"], ["y"]),
    ]
    ends = [("x", FLOAT, ["n", 10])], [("y", FLOAT, ["n", 2])]
    stored = [("w", np.ones((10, 90), np.float32)), ("v", np.ones((90, 2), np.float32))]
    one, eight = (_needs(nodes, *ends, stored, batch=batch) for batch in (1, 8))
    assert (one.activation_bytes, one.weight_bytes) == (400, 4 * (900 + 180))
    assert (eight.activation_bytes, eight.weight_bytes) == (3200, one.weight_bytes)
    assert "up" in one.at


def test_a_view_holds_nothing_of_its_own_but_keeps_what_it_shows():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Reshape", ["a", "shape"], ["flat"]),
        helper.make_node("Sigmoid", ["flat"], ["b"]),
        helper.make_node("Mul", ["flat", "b"], ["y"]),
    ]
    stored = [("shape", np.array([100], np.int64))]
    found = _needs(nodes, [("x", FLOAT, [1, 100])], [("y", FLOAT, [100])], stored)
    assert found.activation_bytes == 1200  # a (as flat), b and y


def test_making_a_view_takes_no_second_copy():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["wide"]),
        helper.make_node("Reshape", ["wide", "shape"], ["flat"]),
        helper.make_node("ReduceSum", ["flat"], ["y"]),
    ]
    stored = [("w", np.ones((10, 90), np.float32)), ("shape", np.array([90], np.int64))]
    found = _needs(nodes, [("x", FLOAT, [1, 10])], [("y", FLOAT, [1])], stored)
    assert found.activation_bytes == 400  # x and what it is multiplied into


def test_an_output_is_held_to_the_end():
    nodes = [
        helper.make_node("Relu", ["x"], ["first"]),
        helper.make_node("Sigmoid", ["x"], ["b"]),
        helper.make_node("Tanh", ["b"], ["y"]),
    ]
    outputs = [("first", FLOAT, [1, 100]), ("y", FLOAT, [1, 100])]
    assert _needs(nodes, [("x", FLOAT, [1, 100])], outputs).activation_bytes == 1200


def test_what_a_branch_reads_from_outside_is_held_until_the_branch():
    def branch(name):
        node = helper.make_node("Relu", ["a"], [name])
        return helper.make_graph(
            [node], name, [], [helper.make_tensor_value_info(name, FLOAT, [1, 100])]
        )

    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Sigmoid", ["x"], ["b"]),
        helper.make_node("Tanh", ["b"], ["c"]),
        helper.make_node("If", ["yes"], ["d"], then_branch=branch("t"), else_branch=branch("e")),
    ]
    stored = [("yes", np.array(True))]
    outputs = [("c", FLOAT, [1, 100]), ("d", FLOAT, [1, 100])]
    found = _needs(nodes, [("x", FLOAT, [1, 100])], outputs, stored)
    assert found.activation_bytes == 1200  # x, a and b; a, b and c; a, c and d


def test_a_tensor_of_unknown_size_makes_the_peak_unknown_not_smaller():
    nodes = [
        helper.make_node("NonZero", ["x"], ["where"]),
        helper.make_node("Cast", ["where"], ["y"], to=FLOAT),
    ]
    found = _needs(nodes, [("x", FLOAT, [1, 100])], [("y", FLOAT, None)])
    assert found.activation_bytes is None
    assert "'where'" in found.missing


def test_the_share_is_read_in_bytes_and_its_absence_is_a_reason(tmp_path):
    (tmp_path / "smaps_rollup").write_text("0-1 ---p\nRss:  90 kB\nPss:\t 70 kB\nPss_Anon: 5 kB\n")
    assert memory.share(tmp_path) == 70 * 1024
    assert memory.grown(50 * 1024, 70 * 1024) == (20 * 1024, None)
    reason = memory.share(tmp_path / "none")
    assert "cannot be read" in reason
    assert memory.grown(reason, 5) == (None, reason)
    assert memory.grown(5, reason) == (None, reason)


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
    graph = answer["graph"]
    # One operator is left of three, so only x and y are ever there: 4 x 512 floats each.
    assert graph["activation_bytes"] == 2 * 4 * 512 * 4
    assert graph["weight_bytes"] == (512 * 512 + 512) * 4
    assert answer["peak_memory_bytes"] > graph["weight_bytes"]
    assert answer["pss_bytes"] > graph["weight_bytes"]
    assert run(MemoryJob(model=str(path)), timeout_s=60)["graph"] is None


def test_what_makes_a_peak_a_matter_of_luck_is_fixed_where_nothing_is_timed(tmp_path):
    """Large blocks that are freed else stay in the heap; how many depends on the path's length."""
    random = np.random.default_rng(0)
    peaks = []
    for length in (1, 30):
        folder = tmp_path / ("x" * length)
        folder.mkdir()
        weights = [(f"w{i}", random.standard_normal((512, 512), np.float32)) for i in range(6)]
        names = ["x", *(f"h{i}" for i in range(5)), "y"]
        nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(6)]
        ends = [("x", FLOAT, [1, 512])], [("y", FLOAT, [1, 512])]
        save(folder / "m.onnx", nodes, *ends, weights)
        answer = run(MemoryJob(model=str(folder / "m.onnx")), timeout_s=60)
        if answer["peak_memory_missing"]:
            pytest.skip(answer["peak_memory_missing"])
        assert answer["fixed"]["malloc"]
        peaks.append(answer["peak_memory_bytes"])
    room = 64 * 1024 if answer["fixed"]["addresses"] else 256 * 1024
    assert abs(peaks[1] - peaks[0]) <= room


def test_the_peak_is_the_range_of_processes_that_time_nothing(tmp_path):
    quick = flat_settings(processes=1, seconds=0.01, max_queries=64, warmup_seconds=0.02)
    subjects = [Subject(name, _dense(tmp_path / f"{name}.onnx")) for name in "ab"]
    result = measure(Request(subjects, quick, tmp_path / "out"))
    kept = json.loads((tmp_path / "out" / "memory.json").read_text())
    for figures, own in zip(result.models, kept, strict=True):
        peaks = [one["peak_memory_bytes"] for one in own["peaks"]]
        found = figures.peak_memory_bytes
        assert (found.low, found.high, found.n) == (min(peaks), max(peaks), 3)
        assert "malloc's thresholds fixed" in found.method
    (ratio,) = result.ratios
    assert ratio.peak_memory.low <= ratio.peak_memory.value <= ratio.peak_memory.high


def test_memory_that_was_not_looked_at_is_unknown(tmp_path):
    quick = flat_settings(processes=1, seconds=0.01, max_queries=64, warmup_seconds=0.02)
    subjects = [Subject(name, _dense(tmp_path / f"{name}.onnx")) for name in "ab"]
    result = measure(Request(subjects, replace(quick, memory_processes=0), tmp_path / "out"))
    assert result.models[0].peak_memory_bytes.missing == "memory was not measured"
    assert result.ratios[0].peak_memory.missing == "memory was not measured"


def test_what_malloc_held_beyond_the_peak_is_warned_of(tmp_path):
    class Holding(Local):
        """A machine whose malloc keeps 5 MiB in the processes that are timed."""

        def run(self, job, **how):
            answer = super().run(job, **how)
            if isinstance(job, MeasureJob):
                answer["peak_memory_bytes"] += 5 * 2**20
            return answer

    quick = flat_settings(processes=1, seconds=0.01, max_queries=64, warmup_seconds=0.02)
    subject = Subject("m", _dense(tmp_path / "m.onnx"))
    for place, warned in ((Holding(), 1), (Local(), 0)):
        result = measure(Request([subject], quick, tmp_path / "out", place=place))
        said = [one for one in result.warnings if "MALLOC_MMAP_THRESHOLD_" in one]
        assert len(said) == warned


def test_a_looking_process_refuses_what_no_runtime_loads(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x09junk")
    with pytest.raises(ModelError):
        run(MemoryJob(model=str(path)), timeout_s=60)


def test_the_arena_and_the_pattern_reach_the_runtime():
    from edgestill.devices.onboard.runtimes import onnxruntime as runtime

    class Stop(Exception):
        """Seen enough."""

    seen = []

    def session(path, options, providers):
        seen.append((options.enable_cpu_mem_arena, options.enable_mem_pattern))
        raise Stop

    real, runtime.ort.InferenceSession = runtime.ort.InferenceSession, session
    try:
        for arena, pattern in ((True, True), (False, True), (False, False)):
            with pytest.raises(ModelError):
                runtime.open_session(_path_that_exists(), Session(arena=arena, pattern=pattern))
    finally:
        runtime.ort.InferenceSession = real
    assert seen == [(True, True), (False, True), (False, False)]


def _path_that_exists():
    from pathlib import Path

    return Path(__file__)


def test_each_view_of_memory_stands_apart_with_its_method(tmp_path):
    quick = flat_settings(
        processes=1, seconds=0.01, max_queries=64, warmup_seconds=0.02, footprint=True
    )
    result = measure(Request([Subject("m", _dense(tmp_path / "m.onnx"))], quick, tmp_path / "out"))
    found = result.models[0].footprint
    assert found.weight_bytes.value == 512 * 512 * 4
    assert found.activation_bytes.value == 2 * 512 * 4
    assert "without workspace" in found.activation_bytes.method
    assert "enable_cpu_mem_arena off" in found.peak_without_arena_bytes.method
    assert "enable_mem_pattern off" in found.peak_without_plan_bytes.method
    assert found.peak_without_arena_bytes.low is None
    assert found.pss_bytes.value > found.weight_bytes.value
    shown = lines(result.models)
    assert found.peak_as_timed_bytes.n == 1
    assert len(shown) == 6
    assert all(len(estimates) == 1 for _, estimates in shown)


def test_memory_that_nobody_asked_for_takes_no_line(tmp_path):
    quick = flat_settings(processes=1, seconds=0.01, max_queries=64, warmup_seconds=0.02)
    result = measure(Request([Subject("m", _dense(tmp_path / "m.onnx"))], quick, tmp_path / "out"))
    assert result.models[0].footprint is None
    assert lines(result.models) == ()


def test_the_page_shows_each_view_and_a_reason_where_one_is_missing():
    from edgestill.pipeline.report import results
    from report_example import report

    table = results.sections(report())[1].tables[0]
    told = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert told["Tensors alive together, by the graph"][0] == "64.0 KiB"
    assert told["Peak memory without arena and memory pattern"][0].startswith("unknown: the high")
    assert "Memory after the queries, as its share (PSS)" in told
    assert any(
        "These figures overlap and do not add up" in each
        for each in results.sections(report())[1].paragraphs
    )
