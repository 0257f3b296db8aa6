"""Load a model otherwise than one query after the other: several streams, fixed rates, minutes.

    offsets = arrivals(200.0, 1000, poisson=True, seed=0)
    served = serve(model, feeds, offsets, streams=1, most_seconds=20.0)

The latency of a query at a fixed rate is counted from when it was *due*, not from when it was sent:
a server that stalls for a second has made every query of that second wait, though a closed loop
would have sent but one ("coordinated omission").
"""

from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from threading import Barrier
from time import perf_counter_ns, sleep

import numpy as np
from numpy.typing import NDArray

from ..machine.clock import Clock
from ..runtimes.contract import Arrays, LoadedModel
from .answer import Window
from .latency import no_garbage_collection, room_for, time_queries

# A sleeping thread of a virtual machine wakes up to some 100 us late, which is no latency of the
# model's; what is left of the wait is polled.
_POLLED_NS = 300_000
# Between laying out the threads and the first query that is due.
_LEAD_NS = 2_000_000
_KEPT = 10_000
"""Latencies of one window that are kept, evenly spaced: minutes at 20 us would be gigabytes."""


def multi_stream(
    models: Sequence[LoadedModel],
    feeds: Sequence[Arrays],
    *,
    streams: int,
    seconds: float,
    min_queries: int,
    max_queries: int,
) -> NDArray[np.int64]:
    """Closed loops side by side, a thread each.

    Not MLPerf's multi-stream, where one query holds several samples. Python runs one thread at a
    time outside of the session, so each query also waits for what the others' loops do there:
    about a microsecond each.

    Args:
        models: what answers: one for all streams, as onnxruntime's, which takes several queries at
            once, or one a stream.
        feeds: inputs, taken in turn, each stream beginning at another.
        streams: how many, at least 1.
        seconds: how long.
        min_queries: fewest, over all streams.
        max_queries: most, over all streams.

    Returns:
        Shape (queries, 3), int64: the stream, nanoseconds from the beginning to the query's start,
        and its latency in nanoseconds. Ordered by stream, then by time.
    """
    clock, kinds = perf_counter_ns, len(feeds)
    most = max(1, max_queries // streams)
    latencies = [room_for(most) for _ in range(streams)]
    starts = [room_for(most) for _ in range(streams)]
    done = [0] * streams
    begun = [0]
    barrier = Barrier(streams, action=lambda: begun.__setitem__(0, clock()))

    def loop(stream: int) -> None:
        own, own_starts, queries = latencies[stream], starts[stream], 0
        query = models[stream % len(models)].query
        barrier.wait()
        deadline = begun[0] + int(seconds * 1e9)
        while True:
            feed = feeds[(stream + queries) % kinds]
            start = clock()
            query(feed)
            end = clock()
            own[queries] = end - start
            own_starts[queries] = start
            queries += 1
            done[stream] = queries
            # The sum is taken only once the time is up.
            if queries >= most or (end >= deadline and sum(done) >= min_queries):
                return

    with no_garbage_collection():
        _side_by_side(loop, streams)
    return np.concatenate(
        [
            _stream_table(index, count, starts[index], latencies[index], begun[0])
            for index, count in enumerate(done)
        ]
    )


def _stream_table(
    stream: int, queries: int, starts: "array[int]", latencies: "array[int]", begun_ns: int
) -> NDArray[np.int64]:
    """Shape (queries, 3): the stream, each start from the beginning, each latency."""
    return np.stack(
        [
            np.full(queries, stream, np.int64),
            np.frombuffer(starts, np.int64)[:queries] - begun_ns,
            np.frombuffer(latencies, np.int64)[:queries],
        ],
        axis=1,
    )


def arrivals(rate_per_s: float, queries: int, *, poisson: bool, seed: int) -> NDArray[np.int64]:
    """When each query is due, nanoseconds from the first.

    Args:
        rate_per_s: queries a second.
        queries: how many.
        poisson: gaps drawn from the exponential distribution, as of many independent users
            (MLPerf's server scenario); else all alike, as of a camera.
        seed: of the gaps.

    Returns:
        Shape (queries,), int64, rising from 0.
    """
    mean_ns = 1e9 / rate_per_s
    if not poisson:
        return np.asarray(np.rint(np.arange(queries) * mean_ns), dtype=np.int64)
    gaps = np.random.default_rng(seed).exponential(mean_ns, queries)
    gaps[0] = 0.0
    return np.asarray(np.rint(np.cumsum(gaps)), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Served:
    """A fixed-rate run.

    Attributes:
        due_ns: when each answered query was due, from the first; shape (answered,), int64.
        started_ns: when it was sent, same zero.
        ended_ns: when it was answered, same zero.
        late_ns: how late our own clock sent it to an idle stream; -1 where it had to queue.
        unanswered: queries that the end of the run found still waiting.
    """

    due_ns: NDArray[np.int64]
    started_ns: NDArray[np.int64]
    ended_ns: NDArray[np.int64]
    late_ns: NDArray[np.int64]
    unanswered: int


def serve(
    models: Sequence[LoadedModel],
    feeds: Sequence[Arrays],
    due_ns: NDArray[np.int64],
    *,
    streams: int,
    most_seconds: float,
) -> Served:
    """Send queries when they are due, or once a stream is free: first come first served.

    Args:
        models: as `multi_stream` takes them.
        feeds: inputs, taken in turn.
        due_ns: what `arrivals` gave.
        streams: threads that answer.
        most_seconds: from the first query; those not sent by then stay unanswered.
    """
    clock, kinds, queries = perf_counter_ns, len(feeds), len(due_ns)
    due = array("q", due_ns.tolist())
    started, ended, late = (array("q", [-1]) * queries for _ in range(3))
    turn = count()  # taking the next is one step for the interpreter: no query goes to two streams
    origin = stop = 0

    def loop(stream: int) -> None:
        query = models[stream % len(models)].query
        for number in turn:
            if number >= queries:
                return
            feed, at = feeds[number % kinds], origin + due[number]
            now = clock()
            idle = now < at
            while now < at:
                left = at - now
                sleep((left - _POLLED_NS) / 1e9 if left > _POLLED_NS else 0.0)
                now = clock()
            if now >= stop:
                return
            query(feed)
            ended[number] = clock() - origin
            started[number] = now - origin
            if idle:
                late[number] = now - at

    # Garbage is collected before the clock of arrivals starts.
    with no_garbage_collection():
        origin = clock() + _LEAD_NS
        stop = origin + int(most_seconds * 1e9)
        _side_by_side(loop, streams)
    return _served(due_ns, started, ended, late)


def _served(
    due_ns: NDArray[np.int64], started: "array[int]", ended: "array[int]", late: "array[int]"
) -> Served:
    answered = np.frombuffer(ended, np.int64) >= 0
    return Served(
        due_ns[answered],
        np.frombuffer(started, np.int64)[answered],
        np.frombuffer(ended, np.int64)[answered],
        np.frombuffer(late, np.int64)[answered],
        unanswered=int(len(due_ns) - np.count_nonzero(answered)),
    )


def sustain(
    model: LoadedModel,
    feeds: Sequence[Arrays],
    *,
    seconds: float,
    windows: int,
    max_queries: int,
    least_p90: int,
    read: Callable[[], Clock],
) -> tuple[tuple[Window, ...], NDArray[np.int64]]:
    """One closed loop for a long time, looked at in windows.

    Args:
        model: what answers.
        feeds: inputs, taken in turn.
        seconds: how long altogether.
        windows: into how many stretches to divide it.
        max_queries: most queries a window; it ends early at that many.
        least_p90: fewest queries of a window for a p90.
        read: reads the clocks of the cores.

    Returns:
        The windows, and latencies of all of them, at most 10,000 each, as int64 of shape
        (kept, 2): the window and nanoseconds.
    """
    room = room_for(max_queries)
    measured, kept = [], []
    with no_garbage_collection():
        begun = perf_counter_ns()
        for window in range(windows):
            start = (perf_counter_ns() - begun) / 1e9
            latencies = time_queries(
                model,
                feeds,
                # To the end of this window, whatever the ones before took.
                seconds=max(0.0, seconds * (window + 1) / windows - start),
                min_queries=1,
                max_queries=max_queries,
                room=room,
            )
            measured.append(_window(start, latencies, least_p90, read()))
            some = latencies[:: -(-len(latencies) // _KEPT)]
            kept.append(np.stack([np.full(len(some), window, np.int64), some], axis=1))
    return tuple(measured), np.concatenate(kept)


def _window(start_s: float, latencies: NDArray[np.int64], least_p90: int, clock: Clock) -> Window:
    p90 = float(np.percentile(latencies, 90, method="inverted_cdf"))
    return Window(
        start_s,
        len(latencies),
        float(np.median(latencies)),
        p90 if len(latencies) >= least_p90 else None,
        clock.mhz,
        clock.throttled,
    )


def _side_by_side(loop: Callable[[int], None], threads: int) -> None:
    """Run it in so many threads; what one of them raises is raised here."""
    with ThreadPoolExecutor(threads) as pool:
        for ended in [pool.submit(loop, index) for index in range(threads)]:
            ended.result()
