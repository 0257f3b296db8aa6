"""Loads other than one query after the other: what they time, count, conclude and refuse."""

import json
import sys
from threading import Barrier, Lock, get_ident
from time import perf_counter_ns, sleep

import click
import numpy as np
import pytest
from edgestill.devices.bench.engine import ProcessResult, Turn, take
from edgestill.devices.bench.request import Request, prepare
from edgestill.devices.bench.settings import Subject
from edgestill.devices.onboard.machine import clock as frequency
from edgestill.devices.onboard.machine.clock import Clock
from edgestill.devices.onboard.machine.host import describe
from edgestill.devices.onboard.measure import latency, load, loadgen
from edgestill.devices.onboard.measure.job import (
    MeasureJob,
    ProbeJob,
    ScenarioJob,
    from_json,
    to_json,
)
from edgestill.devices.onboard.measure.latency import time_queries
from edgestill.devices.onboard.process.run_job import run
from edgestill.devices.onboard.stats.drift import drift
from edgestill.devices.onboard.stats.early_stopping import (
    discarded,
    early_stopping,
    early_stopping_over_processes,
)
from edgestill.devices.scenarios import server as serving
from edgestill.devices.scenarios import sustained as endurance
from edgestill.devices.scenarios.run import measure
from edgestill.devices.scenarios.server import Load
from edgestill.errors import MeasureError, ModelError, UsageError
from edgestill.pipeline.commands import cli
from edgestill.pipeline.commands.bench_scenario_options import choose
from edgestill.pipeline.commands.shared import Manner
from flat_options import flat_job, flat_settings
from onnx import TensorProto, helper
from onnx_files import save

MS = 1_000_000
FEEDS = [{"x": np.zeros(1)}, {"x": np.ones(1)}]
FLOAT = TensorProto.FLOAT


class Sleeper:
    """Answers after a known time, and remembers how many queries it had at once."""

    def __init__(self, ms):
        self.ms, self.now, self.most, self.asked, self.lock = ms, 0, 0, [], Lock()

    def run(self, _, feed, /):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.asked.append(float(feed["x"][0]))
        sleep(self.ms / 1e3)
        with self.lock:
            self.now -= 1


class Timed:
    """A clock, and a session that takes a time by it, longer the later it is."""

    def __init__(self, ns, slower_by=0.0):
        self.now_ns, self.ns, self.slower_by = 0, ns, slower_by

    def clock(self):
        return self.now_ns

    def run(self, _, feed, /):
        self.now_ns += int(self.ns + self.slower_by * self.now_ns)


class Meeting:
    """Answers the first query of each thread once all threads are here; a thread's own times."""

    def __init__(self, threads):
        self.barrier, self.took_ns, self.asked = Barrier(threads), {}, []

    def run(self, _, feed, /):
        start, thread = perf_counter_ns(), get_ident()
        self.asked.append(float(feed["x"][0]))
        if thread not in self.took_ns:
            self.took_ns[thread] = []
            self.barrier.wait(60)
        self.took_ns[thread].append(perf_counter_ns() - start)


def _dense(path, width=8, rows="n", weight=0.01):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [("x", FLOAT, [rows, width])], [("y", FLOAT, [rows, width])]
    return save(path, nodes, *ends, [("w", np.full((width, width), weight, np.float32))])


@pytest.fixture
def dense(tmp_path):
    return _dense(tmp_path / "dense.onnx")


# Fixed rates.


def test_at_twice_the_capacity_every_query_waits_longer_though_a_closed_loop_sees_nothing(
    monkeypatch,
):
    session, queries = Sleeper(2), 80
    due = load.arrivals(1000.0, queries, poisson=False, seed=0)
    served = load.serve(session, FEEDS, due, streams=1, most_seconds=60.0)
    waited = served.ended_ns - served.due_ns
    assert served.unanswered == 0
    # The k-th of one a millisecond is due at k ms and cannot be answered before 2 (k + 1) ms.
    assert np.all(waited >= (np.arange(queries) + 2) * MS)
    closed = Timed(2 * MS)
    monkeypatch.setattr(latency, "perf_counter_ns", closed.clock)
    seen = time_queries(closed, FEEDS, seconds=0, min_queries=20, max_queries=20)
    assert set(seen) == {2 * MS}


def test_below_capacity_latency_is_that_of_the_query_and_no_query_is_sent_before_it_is_due():
    due = load.arrivals(50.0, 30, poisson=False, seed=0)
    served = load.serve(Sleeper(1), FEEDS, due, streams=1, most_seconds=60.0)
    assert np.all(served.started_ns >= served.due_ns)
    idle = served.late_ns >= 0
    assert idle.any()
    assert np.array_equal(served.late_ns[idle], served.started_ns[idle] - served.due_ns[idle])
    assert np.min(served.ended_ns - served.due_ns) < 15 * MS


def test_two_streams_answer_a_rate_that_one_cannot():
    due = load.arrivals(150.0, 120, poisson=False, seed=0)
    last = {}
    for streams in (1, 2):
        session = Sleeper(10)
        served = load.serve(session, FEEDS, due, streams=streams, most_seconds=60.0)
        assert session.most == streams
        assert len(session.asked) == 120
        last[streams] = float((served.ended_ns - served.due_ns)[-1])
    assert last[1] >= 400 * MS  # 120 x (10 - 6.67) ms behind
    assert last[2] < last[1]  # what a busy machine held up, two streams catch up with


def test_a_run_that_takes_too_long_ends_and_counts_what_still_waits():
    due = load.arrivals(1000.0, 200, poisson=False, seed=0)
    served = load.serve(Sleeper(5), FEEDS, due, streams=1, most_seconds=0.5)
    assert 0 < len(served.due_ns) <= 101
    assert served.unanswered == 200 - len(served.due_ns)


def test_an_error_of_the_session_ends_the_run_and_is_raised():
    class Broken:
        def run(self, _, feed, /):
            raise ModelError("broken")

    due = load.arrivals(1000.0, 5, poisson=False, seed=0)
    with pytest.raises(ModelError, match="broken"):
        load.serve(Broken(), FEEDS, due, streams=2, most_seconds=5.0)


def test_arrivals_keep_their_rate_and_repeat_with_their_seed():
    even = load.arrivals(200.0, 5, poisson=False, seed=0)
    assert even.tolist() == [0, 5 * MS, 10 * MS, 15 * MS, 20 * MS]
    random = load.arrivals(200.0, 20_000, poisson=True, seed=1)
    gaps = np.diff(random) / MS
    # Of an exponential distribution mean and deviation are the same.
    assert gaps.mean() == pytest.approx(5.0, rel=0.03)
    assert gaps.std() == pytest.approx(5.0, rel=0.05)
    assert np.array_equal(random, load.arrivals(200.0, 20_000, poisson=True, seed=1))
    assert not np.array_equal(random, load.arrivals(200.0, 20_000, poisson=True, seed=2))


def _process(due_ms, started_ms, ended_ms, unanswered=0):
    columns = [np.asarray(one, float) * MS for one in (due_ms, started_ms, ended_ms)]
    late = np.where(columns[1] > columns[0], -1, 0)
    return ProcessResult(
        {
            "columns": ["due_ns", "started_ns", "ended_ns", "late_ns"],
            "queries": len(due_ms) + unanswered,
            "unanswered": unanswered,
        },
        np.stack([*columns, late], axis=1).astype(np.int64),
    )


def _queue(service_ms, gap_ms, queries, unanswered=0):
    """One server, first come first served, evenly spaced queries: worked out by hand."""
    due = np.arange(queries) * gap_ms
    ended, now = [], 0.0
    for one in due:
        now = max(now, one) + service_ms
        ended.append(now)
    return _process(due, np.asarray(ended) - service_ms, ended, unanswered)


def test_deadline_misses_are_counted_exactly_and_from_when_a_query_was_due():
    # Latencies 10, 11, ... 19 ms, of which only 10 are the model's.
    due = np.arange(10) * 10.0
    ended = due + 10 + np.arange(10)
    processes = [_process(due, ended - 10, ended), _process(due, due, due + 10, unanswered=3)]
    found = serving.served("m", processes, Load(100.0, deadline_ms=15.0), 0.95)
    assert found.missed == 4 + 3  # 16, 17, 18, 19; a deadline met to the dot is met
    assert found.queries == 23
    assert found.unanswered == 3
    assert found.miss_share.value == pytest.approx((4 / 10 + 3 / 13) / 2)
    without = serving.served("m", processes, Load(100.0), 0.95)
    assert without.missed is None
    assert without.miss_share is None


def test_a_rate_beyond_capacity_is_said_to_be_so_and_gets_no_percentiles():
    load_ = Load(1000.0, poisson=False, deadline_ms=5.0)
    found = serving.served("m", [_queue(2, 1, 1000) for _ in range(6)], load_, 0.95)
    assert found.sustained == "no"
    assert found.utilisation.value == pytest.approx(2.0)
    assert found.latency.p50_ms.value is None
    assert "cannot be sustained" in found.latency.p90_ms.missing
    tenths = found.by_tenth_ms
    assert tenths == tuple(sorted(tenths))
    assert tenths[-1] > 15 * tenths[0]
    # The k-th waits k ms and takes 2: all but the first four are over 5 ms.
    assert found.missed == 6 * (1000 - 4)
    assert "cannot be sustained" in serving.about(found, load_)[0]


def test_a_rate_within_capacity_is_sustained_and_has_percentiles():
    found = serving.served(
        "m", [_queue(2, 4, 1000) for _ in range(6)], Load(250.0, deadline_ms=5.0), 0.95
    )
    assert found.sustained == "yes"
    assert found.missed == 0
    assert found.utilisation.value == pytest.approx(0.5)
    assert found.latency.p99_ms.value == pytest.approx(2.0)
    assert serving.about(found, Load(250.0)) == []


def test_a_rate_that_only_some_processes_kept_up_with_is_undecided():
    processes = [_queue(service, 1, 100) for service in (0.9, 1.1)]
    assert serving.served("m", processes, Load(1000.0), 0.95).sustained == "undecided"
    # Nor is one sustained whose end found queries waiting.
    left = [_queue(0.5, 1, 100, unanswered=2)]
    assert serving.served("m", left, Load(1000.0), 0.95).sustained == "no"


def test_a_process_that_answered_nothing_makes_the_rate_unsustained_and_nothing_else_up():
    load_ = Load(1000.0, deadline_ms=5.0)
    found = serving.served("m", [_process([], [], [], unanswered=40)] * 2, load_, 0.95)
    assert found.sustained == "no"
    assert found.utilisation.value is None
    assert found.missed == 80
    assert "answered no query" in serving.about(found, load_)[0]


def test_answers_that_never_came_leave_their_tenths_empty():
    found = serving.served("m", [_queue(2, 1, 30, unanswered=70)], Load(1000.0), 0.95)
    assert [one is None for one in found.by_tenth_ms] == [False] * 3 + [True] * 7


def test_lateness_of_our_own_clock_is_told_where_it_matters():
    process = _queue(2, 4, 1000)
    process.table[:, 3] = MS
    found = serving.served("m", [process], Load(250.0), 0.95)
    assert found.late_ms == pytest.approx(1.0)
    assert "our own clock" in serving.about(found, Load(250.0))[0]


@pytest.mark.parametrize(
    "wrong",
    [{"rate_per_s": 0.0}, {"rate_per_s": float("nan")}, {"deadline_ms": -1.0}, {"streams": 0}],
)
def test_a_load_that_cannot_be_is_refused(wrong):
    with pytest.raises(UsageError):
        Load(**{"rate_per_s": 1.0, **wrong})


# Several streams.


def test_streams_run_side_by_side_and_each_latency_is_its_own():
    session = Meeting(3)
    table = load.multi_stream(session, FEEDS, streams=3, seconds=0.0, min_queries=9, max_queries=30)
    assert len(table) == len(session.asked) >= 9
    assert set(session.asked) == {0.0, 1.0}
    assert sorted(set(table[:, 0])) == [0, 1, 2]
    # The queries of a stream are those of a thread, each as long as it took there, or longer.
    streams = [table[table[:, 0] == stream][:, 2] for stream in range(3)]
    inside = sorted(session.took_ns.values(), key=len)
    assert sorted(map(len, streams)) == [len(took) for took in inside]
    for took in session.took_ns.values():
        assert any(
            len(latencies) == len(took) and np.all(latencies >= took) for latencies in streams
        )


def test_streams_go_on_to_the_fewest_queries_and_stop_at_the_most():
    for fewest, most, seconds in ((50, 1000, 0.0), (1, 40, 60.0)):
        table = load.multi_stream(
            Sleeper(0.1), FEEDS, streams=2, seconds=seconds, min_queries=fewest, max_queries=most
        )
        assert fewest <= len(table) <= most


# Percentiles.


def test_early_stopping_discards_what_loadgen_discards():
    # 1268 of 13505 for p90 is from a summary of loadgen 6.0.17; 64 and 662 are its fewest queries.
    assert discarded(13_505, 90) == 1268
    assert discarded(64, 90) == 0
    assert discarded(662, 99) == 0
    latencies = np.random.default_rng(0).permutation(13_505)
    assert early_stopping(latencies, 90) == 13_504 - 1268
    assert early_stopping(latencies[:63], 90) is None
    assert early_stopping(latencies[:661], 99) is None


def test_early_stopping_is_better_than_the_truth_in_one_of_a_hundred_runs():
    random = np.random.default_rng(0)
    truth = -np.log(0.1)  # p90 of the exponential distribution
    for n in (64, 100, 1000):
        below = [early_stopping(random.exponential(size=n), 90) < truth for _ in range(4000)]
        assert np.mean(below) < 0.0125
    plain = [np.percentile(random.exponential(size=100), 90) < truth for _ in range(1000)]
    assert np.mean(plain) > 0.4  # which is why


def test_a_percentile_of_too_few_queries_in_one_process_is_unknown():
    samples = [np.arange(1000.0)] * 6 + [np.arange(63.0)]
    found = early_stopping_over_processes(samples, 90)
    assert found.value is None
    assert "at least 64 queries a process, there were 63" in found.missing
    assert early_stopping_over_processes([], 90).value is None
    enough = early_stopping_over_processes([np.arange(1000.0) + i for i in range(7)], 90)
    assert enough.value == 1000 - 1 - discarded(1000, 90) + 3
    assert (enough.low, enough.high) == (enough.value - 3, enough.value + 3)


# Minutes.


def _autoregressive(random, n, coefficient):
    noise = random.normal(size=n) * (1 - coefficient**2) ** 0.5
    found = [random.normal()]
    for each in noise[1:]:
        found.append(coefficient * found[-1] + each)
    return np.asarray(found)


@pytest.mark.parametrize(("coefficient", "most"), [(0.0, 0.07), (0.6, 0.13)])
def test_noise_is_no_drift_even_where_neighbours_resemble_each_other(coefficient, most):
    random = np.random.default_rng(0)
    seen = []
    for _ in range(300):
        found = drift(100 + _autoregressive(random, 60, coefficient))
        seen.append(not found.low <= 0 <= found.high)
    assert np.mean(seen) <= most


def test_a_drift_is_found_with_its_size_and_one_outlier_is_none():
    random = np.random.default_rng(0)
    noise = 1 + 0.01 * random.normal(size=60)
    found = drift(noise * np.linspace(1.0, 1.1, 60))
    assert found.low < 0.0952 < found.high  # 0.1 over the median of 1.05
    assert found.low > 0.08
    spoilt = noise.copy()
    spoilt[-1] = 50.0
    assert abs(drift(spoilt).value) < 0.01


def test_a_drift_of_few_windows_has_no_interval_and_of_none_is_refused():
    assert "at least 10 windows" in drift([1.0, 2.0, 3.0]).missing
    assert drift([1.0, 2.0, 3.0]).value == pytest.approx(1.0)
    with pytest.raises(ValueError, match="at least two"):
        drift([1.0])
    with pytest.raises(ValueError, match="above 0"):
        drift([1.0, 0.0])


def test_a_sustained_run_sees_its_session_slow_down_and_the_clock_fall(monkeypatch):
    session = Timed(MS, slower_by=0.01)
    monkeypatch.setattr(load, "perf_counter_ns", session.clock)
    monkeypatch.setattr(latency, "perf_counter_ns", session.clock)
    clocks = iter(
        Clock(mhz, events) for mhz, events in zip(range(3000, 0, -150), range(20), strict=True)
    )
    windows, kept = load.sustain(
        session,
        FEEDS,
        seconds=1.0,
        windows=20,
        max_queries=10_000,
        least_p90=64,
        read=lambda: next(clocks),
    )
    assert len(windows) == 20
    assert [one.start_s for one in windows] == sorted(one.start_s for one in windows)
    assert all(one.p90_ns is None for one in windows)  # 50 ms hold no 64 queries
    assert len(kept) == sum(one.queries for one in windows)
    answer = {"windows": [vars_of(one) for one in windows], "queries": len(kept)}
    found = endurance.lasted("m", [ProcessResult(answer, kept)], 0.95)
    assert found.drift.low > 0.5
    assert found.clock.value < 0.5
    assert found.throttled == 19
    said = " ".join(endurance.about(found))
    assert "slowed down by" in said
    assert "throttled for heat 19 times" in said
    assert "the clock fell to" in said


def vars_of(window):
    return {name: getattr(window, name) for name in window.__slots__}


def _minutes(p50s, mhz=None):
    return ProcessResult(
        {
            "queries": 10,
            "windows": [
                {"start_s": i, "queries": 1, "p50_ns": p50, "p90_ns": None, "mhz": mhz,
                 "throttled": None}
                for i, p50 in enumerate(p50s)
            ],
        },
        np.empty((0, 2), np.int64),
    )  # fmt: skip


def test_with_several_processes_the_drift_is_resampled_over_them():
    grown = [np.linspace(1e6, 1e6 * (1 + share), 12) for share in (0.0, 0.1, 0.2, 0.1, 0.1, 0.1)]
    found = endurance.lasted("m", [_minutes(one) for one in grown], 0.95)
    assert found.drift.n == 6
    assert found.drift.low == pytest.approx(0.0)
    assert found.drift.value == pytest.approx(0.1 / 1.05)
    assert found.windows[0].p50_ms == pytest.approx(1.0)


def test_clocks_that_cannot_be_read_are_unknown_and_not_zero():
    found = endurance.lasted("m", [_minutes([1e6] * 12)], 0.95)
    assert found.clock.value is None
    assert found.clock.missing
    assert found.throttled is None
    assert endurance.about(found) == []


def test_clocks_are_read_from_the_allowed_cores(tmp_path):
    assert frequency.read([0, 1], tmp_path) == Clock(None, None)
    for cpu, khz, events in ((0, 800_000, 1), (1, 2_400_000, 4), (2, 5_000_000, 9)):
        for name, value in (
            ("cpufreq/scaling_cur_freq", khz),
            ("thermal_throttle/core_throttle_count", events),
        ):
            file = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/{name}"
            file.parent.mkdir(parents=True)
            file.write_text(f"{value}\n")
    assert frequency.read([0, 1], tmp_path) == Clock(2400.0, 5)


# In fresh processes.


def _settings(**options):
    return flat_settings(**{"processes": 2, "seconds": 0.05, "warmup_seconds": 0.1, **options})


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


def test_turns_are_all_taken_in_each_repetition_before_the_next(dense, tmp_path):
    def turn(variant):
        return Turn(
            "m",
            variant,
            lambda samples, _: flat_job(
                MeasureJob,
                str(dense),
                str(samples),
                seconds=1e-9,
                min_queries=1,
                warmup_seconds=0.01,
            ),
        )

    order = []
    request = Request(
        [Subject("m", dense)],
        _settings(processes=3),
        tmp_path,
        on_process=lambda *progress: order.append(progress),
    )
    taken = take([turn("a"), turn("b")], prepare(request), lambda *_: ((), ()), metered=False)
    records = json.loads((tmp_path / "processes.json").read_text())
    assert [one["repetition"] for one in records] == [0, 0, 1, 1, 2, 2]
    assert all({one["variant"] for one in records[i : i + 2]} == {"a", "b"} for i in (0, 2, 4))
    assert [len(taken.processes["m", variant]) for variant in "ab"] == [3, 3]
    assert order == [(done, 6, "m") for done in range(1, 7)]


# Loadgen.


def test_without_loadgen_the_extra_that_brings_it_is_named(monkeypatch, dense, tmp_path):
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    with pytest.raises(MeasureError, match=r"pip install 'edgestill\[loadgen\]'"):
        loadgen.single_stream(
            Sleeper(1), FEEDS, seconds=0.1, min_queries=64, logs=tmp_path / "logs"
        )
    with pytest.raises(MeasureError, match=r"pip install 'edgestill\[loadgen\]'"):
        measure(Request([Subject("m", dense)], _settings(), tmp_path / "o"), "loadgen")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("ms", [0.02, 3.0])
def test_loadgen_agrees_about_a_known_latency_and_its_logs_are_kept(tmp_path, ms):
    pytest.importorskip("mlperf_loadgen")

    class Busy:
        def run(self, _, feed, /):
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


@pytest.mark.slow
def test_our_loop_and_loadgen_take_turns(dense, tmp_path):
    pytest.importorskip("mlperf_loadgen")
    found = measure(Request([Subject("m", dense)], _settings(), tmp_path), "loadgen")
    (one,) = found.models
    assert one.runs == 2
    assert one.ratio.value < one.ratio_inside.value
    assert one.crossing_ms.value > 0
    assert len(list(tmp_path.glob("samples/*-loadgen-*/mlperf_log_summary.txt"))) == 2


# The command line.


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("single-stream", {"rate": 3.0}), "--rate with --scenario single-stream.*server"),
        (("offline", {"streams": 2}), "--streams with.*multi-stream or server"),
        (("server", {"rate": 1.0, "loadgen": True}), "--loadgen.*single-stream"),
        (("threads", {"deadline_ms": 1.0}), "--deadline-ms with --scenario threads"),
        (("server", {}), "--scenario server without --rate; add it: Queries a second"),
    ],
)
def test_options_that_a_scenario_does_not_use_are_refused(asked, words):
    with pytest.raises(UsageError, match=words):
        choose(*asked, given=())


def _bench(*arguments):
    manner = Manner(json="--json" in arguments)
    cli.cli.main(["bench", *map(str, arguments)], standalone_mode=False, obj=manner)


@pytest.mark.slow
def test_a_scenario_prints_one_json_document_or_a_table(dense, tmp_path, capsys):
    some = (dense, "--processes", 1, "--out", tmp_path / "o")
    load_ = ("--scenario", "server", "--rate", 100, "--deadline-ms", 900, "--duration", 0.1)
    _bench(*some, *load_, "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["scenario"] == "server"
    assert document["models"][0]["queries"] == 10
    assert document["models"][0]["missed"] == 0
    _bench(*some, *load_)
    text = capsys.readouterr().out
    for word in ("dense.onnx", "utilisation", "sustained", "deadline missed", "p50 by tenth"):
        assert word in text
    _bench(*some, "--scenario", "cold-start")
    text = capsys.readouterr().out
    for word in ("process start", "import", "load", "first inference"):
        assert word in text


def test_sustained_is_one_process_and_has_a_duration_not_seconds(dense, tmp_path, capsys):
    sustained = (dense, "--scenario", "sustained", "--out", tmp_path / "o")
    _bench(*sustained, "--duration", 0.3, "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["settings"]["processes"] == 1
    assert document["settings"]["timing"]["seconds"] == 0.3
    with pytest.raises(UsageError, match="say how long with --duration"):
        _bench(*sustained, "--seconds", 1)
    for scenario, option in (("threads", "--threads"), ("offline", "--batch")):
        with pytest.raises(UsageError, match=f"{option} with --scenario {scenario}"):
            _bench(dense, "--scenario", scenario, option, 2)
    options = cli.cli.commands["bench"].make_context("bench", ["m", "--batches", "1, 16"]).params
    assert options["batches"] == (1, 16)
    with pytest.raises(click.BadParameter, match="is not like 1,2,4"):
        _bench(dense, "--scenario", "offline", "--batches", "1,0")
