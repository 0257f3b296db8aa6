"""What fixed-rate runs say of a model: how late its answers are, and whether it keeps up.

figures = served("fp32", processes, Load(rate_per_s=50.0, deadline_ms=20.0), 0.95)
about(figures, load)            # sentences for a reader
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes
from .figures import Load, Percentiles, ServerFigures
from .turns import Sampled

_PARTS = 10
"""Stretches of a fixed-rate run whose medians show whether the queue grows."""
_LATE_SHARE = 0.1
"""Of the median latency: our own lateness beyond it is worth a warning."""


def served(name: str, processes: Sequence[Sampled], load: Load, confidence: float) -> ServerFigures:
    """What fixed-rate runs of one model say.

    Args:
        name: the subject's.
        processes: at least one; columns due_ns, started_ns, ended_ns and late_ns.
        load: what they were given.
        confidence: of the intervals.
    """
    latencies = [one.column("ended_ns") - one.column("due_ns") for one in processes]
    busy = [_busy(one, load) for one in processes]
    waiting = [int(one.answer["unanswered"]) for one in processes]
    due = [int(one.answer["queries"]) for one in processes]
    held = [each < 1.0 and not left for each, left in zip(busy, waiting, strict=True)]
    verdict: Literal["yes", "no", "undecided"] = (
        "yes" if all(held) else "undecided" if any(held) else "no"
    )
    missed = share = None
    if load.deadline_ms is not None:
        each = [
            int(np.count_nonzero(one > load.deadline_ms * 1e6)) + left
            for one, left in zip(latencies, waiting, strict=True)
        ]
        missed = sum(each)
        share = median_over_processes(
            [late / all_ for late, all_ in zip(each, due, strict=True)], confidence, "share"
        )
    late = np.concatenate([one.column("late_ns") for one in processes])
    late = late[late >= 0]
    return ServerFigures(
        name=name,
        latency=_unbounded(load, len(processes))
        if verdict == "no"
        else Percentiles.of(latencies, confidence),
        utilisation=median_over_processes(busy, confidence, "share")
        if np.all(np.isfinite(busy))
        else Estimate.unknown("a process answered no query in its time", "", len(busy), "share"),
        sustained=verdict,
        missed=missed,
        miss_share=share,
        queries=sum(due),
        unanswered=sum(waiting),
        by_tenth_ms=_by_tenth(processes, latencies),
        late_ms=float(np.percentile(late, 99)) / 1e6 if len(late) else None,
    )


def _busy(process: Sampled, load: Load) -> float:
    """The share of its time for which a stream is held; infinite where nothing was answered."""
    held_ns = process.column("ended_ns") - process.column("started_ns")
    if not len(held_ns):
        return float("inf")
    return load.rate_per_s / load.streams * float(np.mean(held_ns)) / 1e9


def _unbounded(load: Load, processes: int) -> Percentiles:
    reason = f"{load.rate_per_s:g} queries a second cannot be sustained: the queue grows"
    found = Estimate.unknown(reason, "", processes, "ms")
    return Percentiles(found, found, found)


def _by_tenth(
    processes: Sequence[Sampled], latencies: Sequence[NDArray[np.int64]]
) -> tuple[float | None, ...]:
    """Median latency by when a query was due; those unanswered belong to the end."""
    medians: list[list[float]] = [[] for _ in range(_PARTS)]
    for process, latency in zip(processes, latencies, strict=True):
        # Answers are in the order they were due, so a rank is a time.
        queries = int(process.answer["queries"])
        part = np.arange(len(latency)) * _PARTS // queries
        for index in range(_PARTS):
            inside = latency[part == index]
            if len(inside):
                medians[index].append(float(np.median(inside)) / 1e6)
    return tuple(float(np.median(one)) if one else None for one in medians)


def about(one: ServerFigures, load: Load) -> list[str]:
    """What a reader should know, in plain sentences."""
    said = []
    if one.sustained != "yes":
        often = "cannot be" if one.sustained == "no" else "was not in all processes"
        share = one.utilisation.value
        why = (
            one.utilisation.missing
            if share is None
            else f"each holds a stream for {100 * share:.0f} % of the time between two"
        )
        said.append(f"{one.name}: {load.rate_per_s:g} queries a second {often} sustained: {why}")
    p50 = one.latency.p50_ms.value
    if one.late_ms is not None and p50 is not None and one.late_ms > _LATE_SHARE * p50:
        said.append(
            f"{one.name}: 1 % of queries were sent {one.late_ms:.3f} ms late or later by our own "
            "clock, which counts as latency"
        )
    return said
