"""One query after the other: memory apart from latency, ratios of pairs, what a reader is told."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from edgestill.devices.bench.engine import ProcessResult
from edgestill.devices.bench.inspection import Inspection
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.energy.declared import HOROWITZ
from edgestill.devices.energy.query_energy import QueryEnergy
from edgestill.devices.onboard.settings import Feed
from edgestill.devices.scenarios import memory
from edgestill.devices.scenarios.conclude import Measured, compare, conclude
from edgestill.devices.scenarios.memory import MemoryAnswers
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import UsageError
from fake_answers import measure_answer, memory_answer
from fake_place import FakePlace
from onnx import TensorProto, helper
from onnx_files import save

MIB = 2**20


def peaks(*mebibytes, others=None):
    answers = [memory_answer(peak_memory_bytes=value * MIB) for value in mebibytes]
    return MemoryAnswers(answers, others)


def processes(latency_ns, energy_uj=None, peak=MIB):
    answer = measure_answer(
        energy_uj=energy_uj, peak_memory_bytes=peak, pss_bytes=None, pss_missing="no such file"
    )
    return [
        ProcessResult(answer, np.full(64, latency_ns + n, np.int64), QueryEnergy.of(answer))
        for n in range(6)
    ]


def measured(name, latency_ns, looked, **options):
    inspection = Inspection(
        Path(f"{name}.onnx"), "onnx", (), (), None, "not counted", (), 1000, "fake 1.0"
    )
    return Measured(name, inspection, processes(latency_ns, **options), "s-*.npy", looked, HOROWITZ)


def test_a_peak_is_a_range_and_a_ratio_spans_both():
    found = memory.peak(peaks(2, 3, 4))
    assert (found.low, found.value, found.high) == (2 * MIB, 3 * MIB, 4 * MIB)
    assert "addresses and malloc's thresholds fixed" in found.method
    ratio = memory.ratio(found, memory.peak(peaks(1, 1, 2)))
    assert (ratio.low, ratio.value, ratio.high) == (1.0, 3.0, 4.0)
    assert memory.peak(MemoryAnswers()).missing == "memory was not measured"
    assert memory.ratio(found, memory.peak(MemoryAnswers())).missing == "memory was not measured"


def test_memory_in_other_views_is_there_where_it_was_requested():
    off = dataclasses.replace(peaks(5).peaks[0], graph=None)
    found = memory.footprint(peaks(2, others=(off, off)), processes(1000), 0.95)
    assert found.peak_without_arena_bytes.value == 5 * MIB
    assert found.pss_bytes.missing == "no such file"
    assert found.weight_bytes.missing == "the graph is analysed on this machine only"
    assert memory.footprint(peaks(2), processes(1000), 0.95) is None


def test_what_malloc_kept_beyond_the_peak_is_said_where_it_is_much():
    (sentence,) = memory.above_peak("m", peaks(2), processes(1000, peak=9 * MIB))
    assert "up to 7.0 MiB more than its peak" in sentence
    assert list(memory.above_peak("m", peaks(2), processes(1000, peak=2 * MIB))) == []


def test_figures_and_ratios_are_of_what_was_measured():
    quick, slow = measured("a", 1000, peaks(2, 2, 2)), measured("b", 2000, peaks(4, 4, 4))
    figures = conclude(quick, 0.95, Settings())
    assert figures.p50_ms.value == 1002e-6
    assert figures.queries == 6 * 64
    assert figures.energy_uj.missing == "not counted"
    ratio = compare(slow, quick, 0.95)
    assert ratio.p50.value == pytest.approx(2.0, rel=0.01)
    assert (ratio.peak_memory.value, ratio.size.value) == (2.0, 1.0)
    both = [dataclasses.replace(one, processes=processes(1, uj)) for one, uj in
            ((slow, 30.0), (quick, 10.0))]  # fmt: skip
    assert compare(*both, 0.95).energy.value == pytest.approx(3.0)


def test_a_reference_that_is_no_subject_is_refused_and_each_other_is_compared(tmp_path):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    ends = [("x", TensorProto.FLOAT, [1])], [("y", TensorProto.FLOAT, [1])]
    subjects = [Subject(name, save(tmp_path / f"{name}.onnx", nodes, *ends)) for name in "abc"]
    place = FakePlace({f"{name}.onnx": lambda n: 1000 + n for name in "abc"})
    request = Request(subjects, Settings(processes=2), tmp_path / "o", place=place)
    with pytest.raises(UsageError, match="references: found 'x', expected one of a, b, c"):
        measure(request, references=["x"])
    assert not (tmp_path / "o").exists()
    pairs = {(ratio.of, ratio.over) for ratio in measure(request, references=["b"]).ratios}
    assert pairs == {("a", "b"), ("c", "b")}


@pytest.mark.parametrize(
    ("lengths", "sentence"),
    [
        (
            {"a": "t", "b": 5, "c": 5},
            "b, c: texts are padded to the 5 tokens that the file fixes; texts of a are as long as "
            "the longest of a query",
        ),
        ({"a": 5}, "a: texts are padded to the 5 tokens that the file fixes"),
        ({"a": "t", "b": "t"}, None),
    ],
)
def test_which_files_take_texts_at_a_fixed_length_is_said(tmp_path, lengths, sentence):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    subjects = []
    for name, length in lengths.items():
        ends = [[(one, TensorProto.INT64, ["n", length])] for one in "xy"]
        subjects.append(Subject(name, save(tmp_path / f"{name}.onnx", nodes, *ends)))
    np.savez(tmp_path / "texts.npz", x=np.array([[7, 8, 0, 0, 0], [7, 8, 9, 0, 0]]))
    feed = Feed(str(tmp_path / "texts.npz"), pad=0)
    place = FakePlace({f"{name}.onnx": lambda n: 1000 + n for name in lengths})
    request = Request(subjects, Settings(processes=2, feed=feed), tmp_path / "o", place=place)
    found = measure(request)
    assert [one for one in found.warnings if "tokens" in one] == [sentence] * bool(sentence)
    shapes = {one.name: one.counted_for["x"] for one in found.models}
    assert shapes == {n: (1, 2 if length == "t" else 5) for n, length in lengths.items()}
