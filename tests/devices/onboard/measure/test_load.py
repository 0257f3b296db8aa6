"""Loads other than one query after the other, on sessions whose times are known."""

import threading
from time import sleep

import numpy as np
import pytest
from edgestill.devices.bench.engine import ProcessResult
from edgestill.devices.onboard.machine.clock import Clock
from edgestill.devices.onboard.measure import latency, load
from edgestill.devices.onboard.measure.latency import time_queries
from edgestill.devices.scenarios import sustained as endurance
from edgestill.errors import ModelError
from fake_answers import sustained_answer
from sessions import FEEDS, MS, Meeting, Sleeper, Timed


def test_at_twice_the_capacity_every_query_waits_longer_though_a_closed_loop_sees_nothing(
    monkeypatch,
):
    session, queries = Sleeper(2), 80
    due = load.arrivals(1000.0, queries, poisson=False, seed=0)
    served = load.serve([session], FEEDS, due, streams=1, most_seconds=60.0)
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
    served = load.serve([Sleeper(1)], FEEDS, due, streams=1, most_seconds=60.0)
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
        served = load.serve([session], FEEDS, due, streams=streams, most_seconds=60.0)
        assert session.most == streams
        assert len(session.asked) == 120
        last[streams] = float((served.ended_ns - served.due_ns)[-1])
    assert last[1] >= 400 * MS  # 120 x (10 - 6.67) ms behind
    assert last[2] < last[1]  # what a busy machine held up, two streams catch up with


def test_a_run_that_takes_too_long_ends_and_counts_what_still_waits():
    due = load.arrivals(1000.0, 200, poisson=False, seed=0)
    served = load.serve([Sleeper(5)], FEEDS, due, streams=1, most_seconds=0.5)
    assert 0 < len(served.due_ns) <= 101
    assert served.unanswered == 200 - len(served.due_ns)


def test_an_error_of_the_session_ends_the_run_and_is_raised():
    class Broken:
        def query(self, feed, /):
            raise ModelError("broken")

    due = load.arrivals(1000.0, 5, poisson=False, seed=0)
    with pytest.raises(ModelError, match="broken"):
        load.serve([Broken()], FEEDS, due, streams=2, most_seconds=5.0)


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


class Alone:
    """A model that one thread may ask at a time, as an interpreter."""

    def __init__(self):
        self.threads, self._asked = set(), threading.Lock()

    def query(self, feed):
        assert self._asked.acquire(blocking=False)
        self.threads.add(threading.get_ident())
        sleep(0.001)
        self._asked.release()


def test_streams_run_side_by_side_and_each_latency_is_its_own():
    session = Meeting(3)
    table = load.multi_stream(
        [session], FEEDS, streams=3, seconds=0.0, min_queries=9, max_queries=30
    )
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


def test_each_stream_has_its_own_model_where_one_takes_one_query_at_a_time():
    models = [Alone() for _ in range(3)]
    load.multi_stream(models, FEEDS, streams=3, seconds=0.05, min_queries=9, max_queries=600)
    assert [len(model.threads) for model in models] == [1, 1, 1]
    due = load.arrivals(2000.0, 60, poisson=False, seed=0)
    # None of them is asked by two threads at once.
    assert load.serve(models, FEEDS, due, streams=3, most_seconds=60.0).unanswered == 0


def test_streams_go_on_to_the_fewest_queries_and_stop_at_the_most():
    for fewest, most, seconds in ((50, 1000, 0.0), (1, 40, 60.0)):
        table = load.multi_stream(
            [Sleeper(0.1)], FEEDS, streams=2, seconds=seconds, min_queries=fewest, max_queries=most
        )
        assert fewest <= len(table) <= most


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
    answer = sustained_answer(windows, queries=len(kept))
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
