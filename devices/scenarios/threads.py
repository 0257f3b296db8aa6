"""Latency by intra-op threads.

result = measure(request, "threads", {"counts": (1, 2)})
result.models[0].counts[1].speedup.value
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ..bench.request import Prepared, Request
from ..bench.settings import Subject
from ..energy.figures import over_idle
from ..onboard.machine.host import Host, describe
from ..onboard.measure.job import Job
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import ratio_over_processes
from .result import PAIRED, Row, disagreements, median_latency_ms
from .scenario import ByVariant, Condition, Implementation, Options, Procedure, unrepeated


@dataclass(frozen=True, slots=True)
class ThreadFigures:
    """One model at one number of threads.

    Attributes:
        threads: intra-op threads.
        p50_ms: median latency.
        speedup: median latency at the first number over this one's, paired by repetition.
        energy_uj: microjoules of a query.
    """

    threads: int
    p50_ms: Estimate
    speedup: Estimate
    energy_uj: Estimate


@dataclass(frozen=True, slots=True)
class ThreadsFigures:
    """One model's latency by threads.

    Attributes:
        name: the subject's.
        counts: in the order requested; speed-ups are over the first.
    """

    name: str
    counts: tuple[ThreadFigures, ...]


def _check(request: Request, options: Options) -> None:
    del request
    if options["counts"]:
        unrepeated(options["counts"], "threads")


def _counts(options: Options, host: Host) -> tuple[int, ...]:
    """Without counts: from one thread to all cores that a process may use."""
    return tuple(options["counts"]) or tuple(range(1, host.available_cores + 1))


def _conditions(options: Options) -> list[Condition]:
    counts = _counts(options, describe())
    return [Condition(_variant(threads), threads=threads) for threads in counts]


def _prepare(prepared: Prepared, options: Options) -> Procedure[ThreadsFigures]:
    counts = _counts(options, prepared.host)

    def job(threads: int, subject: Subject, samples: Path, _: int) -> Job:
        closed_loop = prepared.closed_loop(subject, samples)
        return replace(closed_loop, session=replace(closed_loop.session, threads=threads))

    return Procedure(
        jobs={_variant(threads): partial(job, threads) for threads in counts},
        figures=partial(_figures, counts),
        cautions=_cautions,
        most_threads=max(counts),
    )


def _variant(threads: int) -> str:
    return f"threads-{threads}"


def _figures(
    counts: Sequence[int], name: str, variants: ByVariant, confidence: float
) -> ThreadsFigures:
    medians = {
        threads: [float(np.median(process.table)) for process in variants[_variant(threads)]]
        for threads in counts
    }
    first = medians[counts[0]]
    return ThreadsFigures(
        name,
        tuple(
            ThreadFigures(
                threads,
                median_latency_ms(variants[_variant(threads)], confidence),
                ratio_over_processes(first, medians[threads], confidence),
                over_idle([process.energy for process in variants[_variant(threads)]], confidence),
            )
            for threads in counts
        ),
    )


def _cautions(models: Sequence[ThreadsFigures], _: Mapping[str, ByVariant]) -> list[str]:
    """Where latencies and speed-ups disagree."""
    return disagreements(
        (model.name, f"threads {row.threads}", first / value, row.speedup)
        for model in models
        for row in model.counts
        if (value := row.p50_ms.value) and (first := model.counts[0].p50_ms.value)
    )


def _rows(figures: ThreadsFigures) -> list[Row]:
    return [
        (
            str(row.threads),
            row.p50_ms,
            row.speedup,
            *((row.energy_uj,) if row.energy_uj.value is not None else ()),
        )
        for row in figures.counts
    ]


IMPLEMENTATION = Implementation(
    prepare=_prepare,
    decisive=lambda model: [row.p50_ms for row in model.counts],
    rows=_rows,
    head=("threads", "p50", "paired speed-up", "energy of a query"),
    note=PAIRED.format("paired speed-up"),
    conditions=_conditions,
    check=_check,
)
