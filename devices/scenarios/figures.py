"""What the scenarios find: one kind of figures each, in one frame.

`scenarios` makes them, a report prints them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ..bench.bench import Settings
from ..onboard.machine.host import Host
from ..onboard.stats.early_stopping import early_stopping_over_processes
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import percentile_over_processes

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Scenario(Generic[F]):
    """All that one scenario found.

    Attributes:
        scenario: its name.
        host: the machine.
        settings: as asked for.
        models: figures, one a subject, in the order given.
        warnings: what a reader should know, in plain sentences.
        runtime: the runtime and its version.
        measured: when it began, UTC, ISO 8601.
    """

    scenario: str
    host: Host
    settings: Settings
    models: tuple[F, ...]
    warnings: tuple[str, ...]
    runtime: str
    measured: str


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Latency of a query, which is one batch, in milliseconds.

    Attributes:
        p50_ms: the median.
        p90_ms: 90th percentile, early-stopping estimate.
        p99_ms: 99th percentile, early-stopping estimate.
    """

    p50_ms: Estimate
    p90_ms: Estimate
    p99_ms: Estimate

    @classmethod
    def of(cls, latencies_ns: Sequence[NDArray[np.int64]], confidence: float) -> Self:
        """Those of latencies in nanoseconds, shape (queries,), one array a process."""
        milliseconds = [one / 1e6 for one in latencies_ns]
        return cls(
            percentile_over_processes(milliseconds, 50, confidence, "ms"),
            early_stopping_over_processes(milliseconds, 90, confidence, "ms"),
            early_stopping_over_processes(milliseconds, 99, confidence, "ms"),
        )


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """One model with several queries at a time.

    Attributes:
        name: the subject's.
        streams: closed loops side by side.
        latency: of each query, all streams together.
        samples_per_s: answered samples a second, all streams together.
        queries: how many were timed, over all processes.
    """

    name: str
    streams: int
    latency: Percentiles
    samples_per_s: Estimate
    queries: int


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """One model at one batch size.

    Attributes:
        batch: samples a query.
        samples_per_s: throughput, queries one after the other.
        gain: throughput over that of the first batch size, paired by repetition.
        p50_ms: median latency of the whole batch.
    """

    batch: int
    samples_per_s: Estimate
    gain: Estimate
    p50_ms: Estimate


@dataclass(frozen=True, slots=True)
class OfflineFigures:
    """One model's throughput by batch size.

    Attributes:
        name: the subject's.
        batches: in the order asked for.
        best: the batch size of the highest throughput.
    """

    name: str
    batches: tuple[BatchFigures, ...]
    best: int


@dataclass(frozen=True, slots=True)
class ThreadFigures:
    """One model at one number of threads.

    Attributes:
        threads: intra-op threads.
        p50_ms: median latency.
        speedup: median latency at the first number over this one's, paired by repetition.
    """

    threads: int
    p50_ms: Estimate
    speedup: Estimate


@dataclass(frozen=True, slots=True)
class ThreadsFigures:
    """One model's latency by threads.

    Attributes:
        name: the subject's.
        counts: in the order asked for.
    """

    name: str
    counts: tuple[ThreadFigures, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """Queries at a fixed rate.

    Attributes:
        rate_per_s: queries a second.
        poisson: whether gaps are random, as of many users; else all alike, as of a camera.
        deadline_ms: from when a query is due to its answer; None: there is none.
        streams: threads that answer.
    """

    rate_per_s: float
    poisson: bool = True
    deadline_ms: float | None = None
    streams: int = 1

    def __post_init__(self) -> None:
        """Refuse what no run could honour.

        Raises:
            UsageError: a figure out of its range.
        """
        above_zero(self.rate_per_s, "rate")
        if self.deadline_ms is not None:
            above_zero(self.deadline_ms, "deadline")
        at_least_one(self.streams, "streams")


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """One model at a fixed rate.

    Attributes:
        name: the subject's.
        latency: from when a query was due to its answer, so that waiting counts. Unknown where the
            rate cannot be sustained: it then only says how long the run was.
        utilisation: the rate times the mean time that a query holds a stream, over streams.
        sustained: whether that was below 1 in every process (`yes`), in none (`no`) or in some.
        missed: answers later than the deadline and queries left unanswered, over all processes;
            None without a deadline.
        miss_share: share of all queries that were missed, None without a deadline.
        queries: how many were due, over all processes.
        unanswered: how many the end of a run, at twice its length, found waiting.
        by_tenth_ms: median latency of those due in each tenth of a run, the median over processes;
            None where none of them was answered. It rises where the queue grows.
        late_ms: how late our own clock sent queries to an idle stream, 99 % of them less.
    """

    name: str
    latency: Percentiles
    utilisation: Estimate
    sustained: Literal["yes", "no", "undecided"]
    missed: int | None
    miss_share: Estimate | None
    queries: int
    unanswered: int
    by_tenth_ms: tuple[float | None, ...]
    late_ms: float | None


@dataclass(frozen=True, slots=True)
class ColdFigures:
    """One model's first answer in a fresh process; the file is in the page cache.

    Attributes:
        name: the subject's.
        process_ms: from starting the process to its first own line: the interpreter.
        import_ms: numpy and the runtime.
        load_ms: from the file to a session.
        first_inference_ms: the first query.
        total_ms: all four.
    """

    name: str
    process_ms: Estimate
    import_ms: Estimate
    load_ms: Estimate
    first_inference_ms: Estimate
    total_ms: Estimate


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """A stretch of a sustained run, medians over processes.

    Attributes:
        start_s: from the beginning.
        p50_ms: median latency.
        p90_ms: 90th percentile of latency, None where a process had too few queries.
        mhz: the clock, None where unreadable.
    """

    start_s: float
    p50_ms: float
    p90_ms: float | None
    mhz: float | None


@dataclass(frozen=True, slots=True)
class SustainedFigures:
    """One model for minutes.

    Attributes:
        name: the subject's.
        windows: in the order of time.
        drift: change of the median latency from the first window to the last, as a share.
        clock: the last third's clock over the first third's.
        throttled: times the kernel saw the cores throttled for heat, None where it does not count.
        queries: over all processes.
    """

    name: str
    windows: tuple[WindowFigures, ...]
    drift: Estimate
    clock: Estimate
    throttled: int | None
    queries: int


@dataclass(frozen=True, slots=True)
class LoadgenFigures:
    """One model measured by us and by MLPerf's loadgen, in turn.

    Attributes:
        name: the subject's.
        p90_ms: the 90th percentile of our loop, as loadgen takes it: not the early-stopping
            estimate.
        loadgen_p90_ms: loadgen's, as it says it.
        inside_p90_ms: of the queries that loadgen sent, by our clock around the session.
        crossing_ms: what loadgen's median holds besides: the way to Python and back.
        ratio: ours over loadgen's, paired by repetition.
        ratio_inside: ours over that inside; loadgen's work between two queries leaves colder
            caches, which shows in models of some 10 us.
        valid: runs that loadgen called valid.
        runs: all of them.
        logs: loadgen's own logs, folders relative to the output folder.
    """

    name: str
    p90_ms: Estimate
    loadgen_p90_ms: Estimate
    inside_p90_ms: Estimate
    crossing_ms: Estimate
    ratio: Estimate
    ratio_inside: Estimate
    valid: int
    runs: int
    logs: str


def above_zero(value: float, where: str) -> None:
    """Refuse what is no finite number above 0.

    Raises:
        UsageError: it is not.
    """
    # Written so that NaN fails too.
    if not 0 < value < float("inf"):
        raise UsageError(f"{value}", expected="above 0", where=where)


def at_least_one(value: int, where: str) -> None:
    """Refuse a count below 1.

    Raises:
        UsageError: it is.
    """
    if value < 1:
        raise UsageError(f"{value}", expected="at least 1", where=where)
