"""What happens before the first answer of a fresh process; nothing is warmed up, one query runs.

result = measure(request, "cold-start")
result.models[0].total_ms.value
"""

from dataclasses import dataclass
from pathlib import Path

from ...errors import MeasureError
from ..bench.request import Prepared
from ..bench.settings import Subject
from ..onboard.measure.answer import ColdStartAnswer
from ..onboard.measure.job import Job
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes
from .result import Row
from .scenario import ByVariant, Implementation, Options, Procedure

_VARIANT = "cold"


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


def _prepare(prepared: Prepared, options: Options) -> Procedure[ColdFigures]:
    del options

    def job(subject: Subject, samples: Path, _: int) -> Job:
        return prepared.load(subject, samples, "cold-start")

    return Procedure(
        jobs={_VARIANT: job},
        figures=_figures,
        most_threads=prepared.request.settings.session.threads,
    )


def _figures(name: str, variants: ByVariant, confidence: float) -> ColdFigures:
    answers = [process.answer_as(ColdStartAnswer) for process in variants[_VARIANT]]
    columns = [list(part) for part in zip(*map(_parts, answers), strict=True)]
    totals = [sum(parts) for parts in zip(*columns, strict=True)]
    return ColdFigures(
        name, *(median_over_processes(column, confidence, "ms") for column in (*columns, totals))
    )


def _parts(answer: ColdStartAnswer) -> tuple[float, float, float, float]:
    """Milliseconds in the order of `ColdFigures`."""
    start_ms = answer.process.process_start_ms
    if start_ms is None:
        raise MeasureError("a process without its start time", expected="milliseconds")
    return start_ms, answer.import_ms, answer.load_ms, answer.first_inference_ms


def _rows(figures: ColdFigures) -> list[Row]:
    return [
        ("process start", figures.process_ms),
        ("import", figures.import_ms),
        ("load", figures.load_ms),
        ("first inference", figures.first_inference_ms),
        ("total", figures.total_ms),
    ]


IMPLEMENTATION = Implementation(
    prepare=_prepare,
    decisive=lambda model: (model.total_ms,),
    rows=_rows,
)
