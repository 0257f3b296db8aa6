"""Time each query of one model: closed loop, one at a time, after it has settled.

    warm = settle(model, feeds, cap_seconds=2.0)
    samples = time_queries(model, feeds, seconds=0.3, min_queries=64, max_queries=10_000)

Single stream in MLPerf's terms: the next query starts when the last has ended. Only the call stands
between the two clock readings; what the loop does besides (a list access, a store into an array
that exists already, two comparisons) takes well under a microsecond and is not in the figures.
"""

import gc
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from ..runtimes.contract import Arrays, LoadedModel
from ..settings import Timing

# Settled: the medians of the last four windows lie within 3 % of each other. Comparing all four,
# not neighbours, so that a slow drift is no settling.
_WINDOWS = 4
_TOLERANCE = 0.03
_WINDOW_SECONDS = 0.05
_SHORTEST_WINDOW_SECONDS = 0.01
_WINDOW_QUERIES = 5


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How the warm-up ended.

    Attributes:
        queries: how many it took.
        seconds: how long it took.
        settled: whether the times had stopped moving, or the cap ended it.
    """

    queries: int
    seconds: float
    settled: bool


def window(timed_seconds: float) -> float:
    """Shortest window, in seconds, of a process that is timed for so long.

    Half of that time, so that what settled did so over twice the time that is measured; from 10 to
    50 ms, whatever that is.
    """
    return min(_WINDOW_SECONDS, max(_SHORTEST_WINDOW_SECONDS, timed_seconds / 2))


def warm_up(model: LoadedModel, feeds: Sequence[Arrays], timing: Timing) -> WarmUp:
    """Settle a model before it is timed."""
    return settle(
        model,
        feeds,
        cap_seconds=timing.warmup_seconds,
        window_seconds=window(timing.seconds),
    )


def settle(
    model: LoadedModel,
    feeds: Sequence[Arrays],
    *,
    cap_seconds: float,
    cap_queries: int = 1_000_000,
    window_seconds: float = _WINDOW_SECONDS,
) -> WarmUp:
    """Query until the times stop moving, or the cap.

    A window is at least five queries and `window_seconds`; the model is settled when the medians
    of the last four windows lie within 3 % of each other.

    Args:
        model: what answers.
        feeds: inputs, taken in turn; at least one.
        cap_seconds: when to stop trying.
        cap_queries: how many queries to stop after.
        window_seconds: shortest window.

    Returns:
        What it took; `settled` is False where a cap ended it.
    """
    clock, query, count = perf_counter_ns, model.query, len(feeds)
    begun = clock()
    deadline = begun + int(cap_seconds * 1e9)
    medians: list[float] = []
    window: list[int] = []
    window_begun = begun
    queries = 0
    while queries < cap_queries:
        feed = feeds[queries % count]
        start = clock()
        query(feed)
        end = clock()
        queries += 1
        window.append(end - start)
        if len(window) >= _WINDOW_QUERIES and end - window_begun >= window_seconds * 1e9:
            medians.append(median(window))
            window, window_begun = [], end
            last = medians[-_WINDOWS:]
            if len(last) == _WINDOWS and max(last) <= min(last) * (1 + _TOLERANCE):
                return WarmUp(queries, (end - begun) / 1e9, settled=True)
        if end >= deadline:
            break
    return WarmUp(queries, (clock() - begun) / 1e9, settled=False)


def room_for(queries: int) -> "array[int]":
    """Room for so many latencies, every page of it touched, so that filling it takes no memory.

    array('q') stores an int in a third of the time that a numpy array takes.
    """
    return array("q", [1]) * queries


def time_queries(
    model: LoadedModel,
    feeds: Sequence[Arrays],
    *,
    seconds: float,
    min_queries: int,
    max_queries: int,
    room: "array[int] | None" = None,
) -> NDArray[np.int64]:
    """Latency of each query, in the order they ran.

    Runs for `seconds`, but for no fewer than `min_queries` and no more than `max_queries`. The
    garbage collector is off meanwhile.

    Args:
        model: what answers.
        feeds: inputs, taken in turn; at least one.
        seconds: how long.
        min_queries: fewest, however long they take; at least 1.
        max_queries: most, at least `min_queries`.
        room: what `room_for(max_queries)` gave, where its memory must be taken beforehand.

    Returns:
        Shape (queries,), int64, nanoseconds.

    Raises:
        ValueError: the counts contradict each other, or there is no feed.
    """
    if not feeds:
        raise ValueError("no inputs to query with")
    if not 1 <= min_queries <= max_queries:
        raise ValueError(f"expected 1 <= {min_queries} <= {max_queries}")
    clock, query, count = perf_counter_ns, model.query, len(feeds)
    samples = room_for(max_queries) if room is None else room
    queries = 0
    with no_garbage_collection():
        deadline = clock() + int(seconds * 1e9)
        while True:
            feed = feeds[queries % count]
            start = clock()
            query(feed)
            end = clock()
            samples[queries] = end - start
            queries += 1
            if queries >= min_queries and (end >= deadline or queries >= max_queries):
                break
    return np.frombuffer(samples, dtype=np.int64)[:queries]


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect garbage now, unless it is kept from being collected already, and not again inside."""
    was_on = gc.isenabled()
    if was_on:
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
