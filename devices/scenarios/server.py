"""Queries at a fixed rate, whether or not the last was answered: how late are the answers?

result = measure(request, "server", {"rate": 50.0, "deadline_ms": 20.0})
result.models[0].missed, result.models[0].sustained
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..bench.engine import ProcessResult
from ..bench.request import Prepared, Request
from ..bench.settings import Subject
from ..energy.figures import over_idle
from ..onboard.measure.answer import ServerAnswer
from ..onboard.measure.job import Job
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes
from .result import Percentiles, Row, energy_rows
from .scenario import (
    ByVariant,
    Implementation,
    Options,
    Procedure,
    above_zero,
    at_least_one,
)

_VARIANT = "server"
_PARTS = 10
"""Stretches of a fixed-rate run whose medians show whether the queue grows."""
_LATE_SHARE = 0.1
"""Of the median latency: our own lateness beyond it is worth a warning."""
Sustained = Literal["yes", "no", "undecided"]


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
        """Refuse values out of range.

        Raises:
            UsageError: a value out of range.
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
        utilisation: the rate times the mean time that a query occupies a stream, over streams.
        sustained: whether that was below 1 in every process (`yes`), in none (`no`) or in some.
        missed: answers later than the deadline and queries left unanswered, over all processes;
            None without a deadline.
        miss_share: share of all queries that were missed, None without a deadline.
        queries: how many were due, over all processes.
        unanswered: how many the end of a run, at twice its length, found waiting.
        by_tenth_ms: median latency of those due in each tenth of a run, the median over processes;
            None where none of them was answered. It rises where the queue grows.
        late_ms: how late our own clock sent queries to an idle stream, 99 % of them less.
        energy_uj: microjoules of a query, with the time between queries.
    """

    name: str
    latency: Percentiles
    utilisation: Estimate
    sustained: Sustained
    missed: int | None
    miss_share: Estimate | None
    queries: int
    unanswered: int
    by_tenth_ms: tuple[float | None, ...]
    late_ms: float | None
    energy_uj: Estimate


def _check(request: Request, options: Options) -> None:
    del request
    _load(options)


def _load(options: Options) -> Load:
    return Load(
        rate_per_s=options["rate"],
        poisson=options["arrivals"] == "poisson",
        deadline_ms=options["deadline_ms"],
        streams=options["streams"],
    )


def _prepare(prepared: Prepared, options: Options) -> Procedure[ServerFigures]:
    load, settings = _load(options), prepared.request.settings

    def job(subject: Subject, samples: Path, repetition: int) -> Job:
        return prepared.load(
            subject,
            samples,
            "server",
            streams=load.streams,
            rate_per_s=load.rate_per_s,
            poisson=load.poisson,
            # Other arrivals in each repetition, the same for all models.
            seed=settings.seed + repetition,
        )

    def cautions(models: Sequence[ServerFigures], _: Mapping[str, ByVariant]) -> list[str]:
        return [sentence for model in models for sentence in about(model, load)]

    return Procedure(
        jobs={_VARIANT: job},
        figures=lambda name, variants, confidence: served(
            name, variants[_VARIANT], load, confidence
        ),
        most_threads=load.streams * settings.session.threads,
        cautions=cautions,
    )


def _decisive(model: ServerFigures) -> Sequence[Estimate]:
    """No precision is wanted of a latency that only says how long the run was."""
    return () if model.sustained == "no" else (model.latency.p50_ms,)


def served(
    name: str, processes: Sequence[ProcessResult], load: Load, confidence: float
) -> ServerFigures:
    """What fixed-rate runs of one model say.

    Args:
        name: the subject's.
        processes: at least one; columns due_ns, started_ns, ended_ns and late_ns.
        load: what they were given.
        confidence: of the intervals.
    """
    latencies = [process.column("ended_ns") - process.column("due_ns") for process in processes]
    answers = [process.answer_as(ServerAnswer) for process in processes]
    busy = [_busy(process, load) for process in processes]
    unanswered = [answer.unanswered for answer in answers]
    due = [answer.queries for answer in answers]
    sustained = _sustained(busy, unanswered)
    missed = _missed(latencies, unanswered, load)
    late = np.concatenate([process.column("late_ns") for process in processes])
    late = late[late >= 0]
    return ServerFigures(
        name=name,
        latency=_unbounded(load, len(processes))
        if sustained == "no"
        else Percentiles.of(latencies, confidence),
        utilisation=median_over_processes(busy, confidence, "share")
        if np.all(np.isfinite(busy))
        else Estimate.unknown("a process answered no query in its time", "", len(busy), "share"),
        sustained=sustained,
        missed=None if missed is None else sum(missed),
        miss_share=None
        if missed is None
        else median_over_processes(
            [count / queries for count, queries in zip(missed, due, strict=True)],
            confidence,
            "share",
        ),
        queries=sum(due),
        unanswered=sum(unanswered),
        by_tenth_ms=_by_tenth(processes, latencies),
        late_ms=float(np.percentile(late, 99)) / 1e6 if len(late) else None,
        energy_uj=over_idle([process.energy for process in processes], confidence),
    )


def _sustained(busy: Sequence[float], unanswered: Sequence[int]) -> Sustained:
    kept_up = [share < 1.0 and not left for share, left in zip(busy, unanswered, strict=True)]
    return "yes" if all(kept_up) else "undecided" if any(kept_up) else "no"


def _missed(
    latencies: Sequence[NDArray[np.int64]], unanswered: Sequence[int], load: Load
) -> list[int] | None:
    """Queries of each process later than the deadline, and those left; None without a deadline."""
    if load.deadline_ms is None:
        return None
    deadline_ns = load.deadline_ms * 1e6
    return [
        int(np.count_nonzero(latency > deadline_ns)) + left
        for latency, left in zip(latencies, unanswered, strict=True)
    ]


def _busy(process: ProcessResult, load: Load) -> float:
    """The share of the time in which a stream is busy; infinite where nothing was answered."""
    occupied_ns = process.column("ended_ns") - process.column("started_ns")
    if not len(occupied_ns):
        return float("inf")
    return load.rate_per_s / load.streams * float(np.mean(occupied_ns)) / 1e9


def _unbounded(load: Load, processes: int) -> Percentiles:
    reason = f"{load.rate_per_s:g} queries a second cannot be sustained: the queue grows"
    unknown = Estimate.unknown(reason, "", processes, "ms")
    return Percentiles(unknown, unknown, unknown)


def _by_tenth(
    processes: Sequence[ProcessResult], latencies: Sequence[NDArray[np.int64]]
) -> tuple[float | None, ...]:
    """Median latency by when a query was due; those unanswered belong to the end."""
    medians: list[list[float]] = [[] for _ in range(_PARTS)]
    for process, latency in zip(processes, latencies, strict=True):
        # Answers are in the order they were due, so a rank is a time.
        queries = process.answer_as(ServerAnswer).queries
        part = np.arange(len(latency)) * _PARTS // queries
        for index in range(_PARTS):
            inside = latency[part == index]
            if len(inside):
                medians[index].append(float(np.median(inside)) / 1e6)
    return tuple(float(np.median(part)) if part else None for part in medians)


def about(model: ServerFigures, load: Load) -> list[str]:
    """What a reader should know, in plain sentences."""
    sentences = []
    if model.sustained != "yes":
        often = "cannot be" if model.sustained == "no" else "was not in all processes"
        share = model.utilisation.value
        why = (
            model.utilisation.missing
            if share is None
            else f"each occupies a stream for {100 * share:.0f} % of the time between two"
        )
        sentences.append(
            f"{model.name}: {load.rate_per_s:g} queries a second {often} sustained: {why}"
        )
    p50 = model.latency.p50_ms.value
    if model.late_ms is not None and p50 is not None and model.late_ms > _LATE_SHARE * p50:
        sentences.append(
            f"{model.name}: 1 % of queries were sent {model.late_ms:.3f} ms late or later by our "
            "own clock, which counts as latency"
        )
    return sentences


def _rows(figures: ServerFigures) -> list[Row]:
    rows: list[Row] = [
        *figures.latency.rows(),
        ("utilisation", figures.utilisation),
        ("sustained", figures.sustained),
        ("queries", f"{figures.queries:,}, {figures.unanswered:,} unanswered"),
    ]
    if figures.miss_share is not None and figures.missed is not None:
        rows.append(("deadline missed", f"{figures.missed:,}"))
        rows.append(("missed in a process", figures.miss_share))
    medians = ["none" if ms is None else f"{ms:.3g}" for ms in figures.by_tenth_ms]
    rows.append(("p50 by tenth, ms", " ".join(medians)))
    return [*rows, *energy_rows(figures.energy_uj)]


IMPLEMENTATION = Implementation(prepare=_prepare, decisive=_decisive, rows=_rows, check=_check)
