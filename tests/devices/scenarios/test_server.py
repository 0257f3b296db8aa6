"""Queries at a fixed rate: what counts as late, missed and sustained."""

import numpy as np
import pytest
from edgestill.devices.bench.engine import ProcessResult
from edgestill.devices.scenarios import server as serving
from edgestill.devices.scenarios.server import Load
from edgestill.errors import UsageError
from fake_answers import server_answer
from sessions import MS


def _process(due_ms, started_ms, ended_ms, unanswered=0):
    columns = [np.asarray(one, float) * MS for one in (due_ms, started_ms, ended_ms)]
    late = np.where(columns[1] > columns[0], -1, 0)
    return ProcessResult(
        server_answer(queries=len(due_ms) + unanswered, unanswered=unanswered),
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
