"""The figures of each load, worked out by hand from processes that a test made up."""

import numpy as np
import pytest
from edgestill.devices.bench.engine import ProcessResult
from edgestill.devices.bench.request import Request, prepare
from edgestill.devices.bench.settings import Settings, Subject
from edgestill.devices.onboard.measure.answer import ProcessFacts
from edgestill.devices.onboard.settings import Feed
from edgestill.devices.scenarios import cold_start, loadgen, multi_stream, offline, threads
from edgestill.devices.scenarios.result import Percentiles, energy_rows, median_latency_ms
from edgestill.devices.scenarios.table import SCENARIOS
from edgestill.errors import UsageError
from fake_answers import cold_start_answer, load_answer, loadgen_answer, measure_answer
from fake_place import FakePlace
from onnx import TensorProto, helper
from onnx_files import save

MS = 1_000_000


@pytest.fixture
def prepared(tmp_path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [("x", TensorProto.FLOAT, ["n", 8])], [("y", TensorProto.FLOAT, ["n", 8])]
    model = save(tmp_path / "m.onnx", nodes, *ends, [("w", np.ones((8, 8), np.float32))])
    settings = Settings(feed=Feed(batch=2))
    return prepare(Request([Subject("m", model)], settings, tmp_path / "o", place=FakePlace({})))


def process(table, answer=None):
    return ProcessResult(answer or measure_answer(), np.asarray(table, np.int64))


def test_streams_answer_as_many_samples_a_second_as_ended_in_the_time_of_the_last(prepared):
    procedure = multi_stream.IMPLEMENTATION.prepare(prepared, {"streams": 2})
    # In each of two streams 20 queries of two samples, of 10 ms each.
    table = [(s, 10 * n * MS, 10 * MS) for s in (0, 1) for n in range(20)]
    variants = {"streams": [process(table, load_answer())] * 6}
    figures = procedure.figures("m", variants, 0.95)
    assert figures.samples_per_s.value == pytest.approx(400)
    assert figures.latency.p50_ms.value == pytest.approx(10)
    assert (figures.queries, procedure.most_threads) == (240, 2)
    assert dict(multi_stream.IMPLEMENTATION.rows(figures))["streams"] == "2"


def test_the_best_batch_has_the_highest_throughput_and_gains_are_over_the_first(prepared):
    procedure = offline.IMPLEMENTATION.prepare(prepared, {"batches": (1, 4)})
    variants = {"batch-1": [process([2 * MS] * 3)] * 6, "batch-4": [process([4 * MS] * 3)] * 6}
    figures = procedure.figures("m", variants, 0.95)
    assert [row.samples_per_s.value for row in figures.batches] == pytest.approx([500, 1000])
    assert [row.gain.value for row in figures.batches] == pytest.approx([1, 2])
    assert figures.best == 4
    assert [row[0] for row in offline.IMPLEMENTATION.rows(figures)] == ["1", "4 (best)"]
    job = procedure.jobs["batch-4"](prepared.request.subjects[0], prepared.request.out, 0)
    assert job.feed.batch == 4


def test_the_best_batch_goes_by_the_paired_ratio_and_a_disagreement_is_said(prepared):
    procedure = offline.IMPLEMENTATION.prepare(prepared, {"batches": (1, 32)})
    # What slowed the machine in two repetitions changes the medians, not most of the ratios.
    apart = (
        [process([n * MS]) for n in (1, 2, 1, 2, 1, 2, 1)],
        [process([n * 30 * MS]) for n in (1, 2, 1, 2, 3, 2, 3)],
    )
    variants = dict(zip(("batch-1", "batch-32"), apart, strict=True))
    figures = procedure.figures("m", variants, 0.95)
    one, many = figures.batches
    assert many.samples_per_s.value < one.samples_per_s.value
    assert many.gain.value == pytest.approx(32 / 30)
    assert figures.best == 32
    assert procedure.cautions([figures], {"m": variants}) == [
        "m, batch 32: the printed medians are 0.53 of the first row's, processes side by side in "
        "time 1.07: the machine's speed changed between them, so go by the ratio"
    ]


def test_a_speed_up_and_its_medians_that_disagree_are_said(prepared):
    procedure = threads.IMPLEMENTATION.prepare(prepared, {"counts": (1, 2)})
    variants = {
        "threads-1": [process([n * MS] * 9) for n in (1, 2, 1, 2, 1, 2, 1)],
        "threads-2": [process([n * MS] * 9) for n in (1, 2, 1, 2, 3, 2, 3)],
    }
    figures = procedure.figures("m", variants, 0.95)
    (said,) = procedure.cautions([figures], {"m": variants})
    assert said.startswith("m, threads 2: the printed medians are 0.50 of the first row's")


def test_a_speed_up_is_over_the_first_number_of_threads(prepared):
    procedure = threads.IMPLEMENTATION.prepare(prepared, {"counts": (1, 2)})
    variants = {"threads-1": [process([9 * MS])] * 6, "threads-2": [process([6 * MS])] * 6}
    figures = procedure.figures("m", variants, 0.95)
    assert [row.speedup.value for row in figures.counts] == pytest.approx([1, 1.5])
    job = procedure.jobs["threads-2"](prepared.request.subjects[0], prepared.request.out, 0)
    assert (job.session.threads, procedure.most_threads) == (2, 2)
    assert [one.threads for one in threads.IMPLEMENTATION.conditions({"counts": (3,)})] == [3]


def test_a_cold_start_is_the_sum_of_its_parts_in_each_process(prepared):
    procedure = cold_start.IMPLEMENTATION.prepare(prepared, {})
    started = ProcessFacts(process_start_ms=4)
    answer = cold_start_answer(import_ms=3, load_ms=2, first_inference_ms=1, process=started)
    figures = procedure.figures("m", {"cold": [process([], answer)] * 6}, 0.95)
    assert (figures.total_ms.value, figures.import_ms.value) == (10, 3)


def test_loadgens_invalid_runs_are_counted_and_warned_of(prepared):
    procedure = loadgen.IMPLEMENTATION.prepare(prepared, {})
    theirs = {"p90_ns": 4 * MS, "inside_p90_ns": 3 * MS, "p50_ns": 2 * MS, "inside_p50_ns": MS}
    runs = [process([], loadgen_answer(**theirs, valid=index > 0)) for index in range(6)]
    variants = {"ours": [process([2 * MS] * 10)] * 6, "loadgen": runs}
    figures = procedure.figures("m", variants, 0.95)
    assert (figures.valid, figures.runs) == (5, 6)
    assert (figures.ratio.value, figures.crossing_ms.value) == (0.5, 1.0)
    assert procedure.cautions([figures], {}) == ["m: loadgen called 1 of its 6 runs invalid"]


@pytest.mark.parametrize(
    ("implementation", "options", "why"),
    [
        (multi_stream.IMPLEMENTATION, {"streams": 0}, "streams"),
        (offline.IMPLEMENTATION, {"batches": ()}, "each size once"),
        (offline.IMPLEMENTATION, {"batches": (0,)}, "batches"),
        (threads.IMPLEMENTATION, {"counts": (2, 2)}, "each size once"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_written(
    prepared, implementation, options, why
):
    with pytest.raises(UsageError, match=why):
        implementation.check(prepared.request, options)


def test_loadgen_runs_on_this_machine_only(prepared):
    with pytest.raises(UsageError, match="loadgen runs on this machine only"):
        loadgen.IMPLEMENTATION.check(prepared.request, {})


def test_percentiles_and_medians_are_in_milliseconds_and_energy_has_a_row_where_it_is_known():
    latencies = [np.full(64, 3 * MS, np.int64)] * 6
    assert Percentiles.of(latencies, 0.95).p90_ms.value == 3.0
    assert median_latency_ms([process(one) for one in latencies], 0.95).value == 3.0
    assert energy_rows(Percentiles.of(latencies, 0.95).p99_ms) == []
    assert SCENARIOS["sustained"].processes == 1
