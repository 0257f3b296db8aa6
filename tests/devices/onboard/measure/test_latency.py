"""The timed loop: its inputs, its number of queries, its warm-up."""

import time

import pytest
from edgestill.devices.onboard.measure.latency import settle, time_queries, window


class _Session:
    """Answers after as many nanoseconds as told, the last for ever."""

    def __init__(self, *nanoseconds):
        self.nanoseconds = list(nanoseconds)
        self.fed = []

    def query(self, feed, /):
        self.fed.append(feed["x"])
        takes = self.nanoseconds.pop(0) if len(self.nanoseconds) > 1 else self.nanoseconds[0]
        end = time.perf_counter_ns() + takes
        while time.perf_counter_ns() < end:
            pass


def test_queries_take_the_inputs_in_turn():
    session = _Session(0)
    samples = time_queries(
        session, [{"x": 0}, {"x": 1}, {"x": 2}], seconds=60, min_queries=1, max_queries=7
    )
    assert session.fed == [0, 1, 2, 0, 1, 2, 0]
    assert samples.shape == (7,)


def test_the_fewest_queries_are_run_however_long_they_take():
    samples = time_queries(_Session(0), [{"x": 0}], seconds=1e-9, min_queries=5, max_queries=9)
    assert samples.shape == (5,)


def test_a_latency_is_at_least_what_the_query_took():
    samples = time_queries(_Session(100_000), [{"x": 0}], seconds=0, min_queries=9, max_queries=9)
    assert samples.min() >= 100_000


@pytest.mark.parametrize(("fewest", "most"), [(0, 5), (6, 5)])
def test_query_counts_that_contradict_each_other_are_refused(fewest, most):
    with pytest.raises(ValueError, match="expected 1 <="):
        time_queries(_Session(0), [{"x": 0}], seconds=1, min_queries=fewest, max_queries=most)
    with pytest.raises(ValueError, match="no inputs"):
        time_queries(_Session(0), [], seconds=1, min_queries=1, max_queries=1)


def test_a_warm_up_that_never_settles_ends_at_its_cap_and_says_so():
    doubling = _Session(*(2**n * 1000 for n in range(14)))
    warm = settle(doubling, [{"x": 0}], cap_seconds=60, cap_queries=14, window_seconds=0)
    assert not warm.settled
    assert warm.queries == 14


@pytest.mark.parametrize(
    ("timed", "seconds"), [(0.001, 0.01), (0.05, 0.025), (0.1, 0.05), (0.3, 0.05), (60.0, 0.05)]
)
def test_a_window_of_the_warm_up_is_half_of_what_is_timed_within_bounds(timed, seconds):
    assert window(timed) == seconds


def test_a_slow_drift_is_no_settling():
    # Each window is 2 % slower than the last: neighbours agree, four in a row do not.
    drifting = _Session(*(int(200_000 * 1.02 ** (n // 5)) for n in range(60)))
    warm = settle(drifting, [{"x": 0}], cap_seconds=60, cap_queries=60, window_seconds=0)
    assert not warm.settled
