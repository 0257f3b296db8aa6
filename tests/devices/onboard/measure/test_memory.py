"""Memory in each view: the high-water mark, the proportional share, the runtime's settings."""

import json
from dataclasses import replace

import numpy as np
import pytest
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.onboard.measure import memory
from edgestill.devices.onboard.measure.job import MeasureJob
from edgestill.devices.onboard.settings import Session
from edgestill.devices.place.place import Local
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import ModelError
from edgestill.pipeline.report.memory import lines
from flat_options import flat_settings
from onnx import TensorProto, helper
from onnx_files import save

FLOAT = TensorProto.FLOAT


def _weights(width=512):
    return np.full((width, width), 0.01, np.float32)


def _dense(path, width=512):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [("x", FLOAT, ["n", width])], [("y", FLOAT, ["n", width])]
    return save(path, nodes, *ends, [("w", _weights(width))])


def test_the_share_is_read_in_bytes_and_its_absence_is_a_reason(tmp_path):
    (tmp_path / "smaps_rollup").write_text("0-1 ---p\nRss:  90 kB\nPss:\t 70 kB\nPss_Anon: 5 kB\n")
    assert memory.share(tmp_path) == 70 * 1024
    assert memory.grown(50 * 1024, 70 * 1024) == (20 * 1024, None)
    reason = memory.share(tmp_path / "none")
    assert "cannot be read" in reason
    assert memory.grown(reason, 5) == (None, reason)
    assert memory.grown(5, reason) == (None, reason)


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_malloc_held_beyond_the_peak_is_warned_of(tmp_path):
    class Holding(Local):
        """A machine whose malloc keeps 5 MiB in the processes that are timed."""

        def run(self, job, **how):
            answer = super().run(job, **how)
            if isinstance(job, MeasureJob):
                more = answer.peak_memory_bytes + 5 * 2**20
                return replace(answer, peak_memory_bytes=more)
            return answer

    quick = flat_settings(processes=1, seconds=0.01, max_queries=64, warmup_seconds=0.02)
    subject = Subject("m", _dense(tmp_path / "m.onnx"))
    for place, warned in ((Holding(), 1), (Local(), 0)):
        result = measure(Request([subject], quick, tmp_path / "out", place=place))
        said = [one for one in result.warnings if "MALLOC_MMAP_THRESHOLD_" in one]
        assert len(said) == warned


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

    (more,) = results.sections(report())[1].more
    table = more.tables[0]
    told = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert told["Tensors alive together, by the graph"][0] == "64.0 KiB"
    assert told["Peak memory without arena and memory pattern"][0].startswith("unknown: the high")
    assert "Memory after the queries, as its share (PSS)" in told
    assert any("These figures overlap and do not add up" in each for each in more.paragraphs)


def _write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_memory_without_a_high_water_mark_is_a_reason(tmp_path):
    reason = memory.begin(tmp_path)
    assert reason.startswith("the high-water mark cannot be set back") or "status" in reason
    found = memory.peak_over(reason, tmp_path)
    assert found.over_baseline_bytes is None
    assert found.missing == reason


def test_memory_is_read_in_bytes_over_the_baseline(tmp_path):
    _write(tmp_path, {"clear_refs": "", "status": "VmHWM:\t 100 kB\nVmRSS:\t 60 kB\n"})
    baseline = memory.begin(tmp_path)
    assert (tmp_path / "clear_refs").read_text() == "5"
    _write(tmp_path, {"status": "VmHWM:\t 150 kB\nVmRSS:\t 70 kB\nRssAnon:\t 7 kB\n"})
    found = memory.peak_over(baseline, tmp_path)
    assert (found.over_baseline_bytes, found.total_bytes) == (90 * 1024, 150 * 1024)
