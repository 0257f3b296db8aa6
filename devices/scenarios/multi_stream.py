"""Several closed loops on one session, each in a thread of one process.

result = measure(request, "multi-stream", {"streams": 2})
result.models[0].samples_per_s.value
"""

from dataclasses import dataclass
from pathlib import Path

from ..bench.engine import ProcessResult
from ..bench.request import Prepared, Request
from ..bench.settings import Subject
from ..energy.figures import over_idle
from ..onboard.measure.job import Job
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes
from .result import Percentiles, Row, energy_rows
from .scenario import ByVariant, Implementation, Options, Procedure, at_least_one

_VARIANT = "streams"


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """One model with several queries at a time.

    Attributes:
        name: the subject's.
        streams: closed loops side by side.
        latency: of each query, all streams together.
        samples_per_s: answered samples a second, all streams together.
        queries: how many were timed, over all processes.
        energy_uj: microjoules of a query, all streams together.
    """

    name: str
    streams: int
    latency: Percentiles
    samples_per_s: Estimate
    queries: int
    energy_uj: Estimate


def _check(request: Request, options: Options) -> None:
    del request
    at_least_one(options["streams"], "streams")


def _prepare(prepared: Prepared, options: Options) -> Procedure[StreamFigures]:
    streams, settings = options["streams"], prepared.request.settings

    def job(subject: Subject, samples: Path, _: int) -> Job:
        return prepared.load(subject, samples, "multi-stream", streams=streams)

    def figures(name: str, variants: ByVariant, confidence: float) -> StreamFigures:
        processes = variants[_VARIANT]
        latencies = [process.column("latency_ns") for process in processes]
        rates = [_queries_per_s(process) * settings.feed.batch for process in processes]
        return StreamFigures(
            name,
            streams,
            Percentiles.of(latencies, confidence),
            median_over_processes(rates, confidence, "samples/s"),
            sum(len(process.table) for process in processes),
            over_idle([process.energy for process in processes], confidence),
        )

    return Procedure(
        jobs={_VARIANT: job},
        figures=figures,
        most_threads=streams * settings.session.threads,
    )


def _queries_per_s(process: ProcessResult) -> float:
    ends = process.column("start_ns") + process.column("latency_ns")
    return 1e9 * len(ends) / float(ends.max())


def _rows(figures: StreamFigures) -> list[Row]:
    return [
        ("streams", str(figures.streams)),
        *figures.latency.rows(),
        ("samples/s", figures.samples_per_s),
        *energy_rows(figures.energy_uj),
    ]


IMPLEMENTATION = Implementation(
    prepare=_prepare, decisive=lambda model: (model.latency.p50_ms,), rows=_rows, check=_check
)
