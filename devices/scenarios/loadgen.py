"""This package's closed loop and MLPerf's loadgen, in turn, on this machine.

result = measure(request, "loadgen")
result.models[0].ratio.value
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import UsageError
from ..bench.request import Prepared, Request
from ..bench.settings import Subject
from ..onboard.measure.answer import LoadgenAnswer
from ..onboard.measure.job import Job
from ..onboard.measure.loadgen import check_installed
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes, ratio_over_processes
from ..place.place import Local
from .result import Row
from .scenario import ByVariant, Implementation, Options, Procedure

_OURS, _LOADGEN = "ours", "loadgen"


@dataclass(frozen=True, slots=True)
class LoadgenFigures:
    """One model measured by this package and by MLPerf's loadgen, in turn.

    Attributes:
        name: the subject's.
        p90_ms: the 90th percentile of our loop, as loadgen takes it: not the early-stopping
            estimate.
        loadgen_p90_ms: loadgen's own figure.
        inside_p90_ms: of the queries that loadgen sent, by our clock around the session.
        crossing_ms: what loadgen's median contains besides: the call into Python and back.
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


def _check(request: Request, options: Options) -> None:
    """Refuse before anything is written or run.

    Raises:
        MeasureError: the `loadgen` extra is not installed.
        UsageError: another machine is to be measured.
    """
    del options
    if not isinstance(request.place, Local):
        raise UsageError(
            "--loadgen on another device", fix="leave one out: loadgen runs on this machine only"
        )
    check_installed()


def _prepare(prepared: Prepared, options: Options) -> Procedure[LoadgenFigures]:
    del options

    def ours(subject: Subject, samples: Path, _: int) -> Job:
        return prepared.closed_loop(subject, samples)

    def loadgen(subject: Subject, samples: Path, _: int) -> Job:
        return prepared.load(subject, samples, "loadgen")

    return Procedure(
        jobs={_OURS: ours, _LOADGEN: loadgen},
        figures=_figures,
        most_threads=prepared.request.settings.session.threads,
        cautions=_cautions,
    )


def _figures(name: str, variants: ByVariant, confidence: float) -> LoadgenFigures:
    answers = [process.answer_as(LoadgenAnswer) for process in variants[_LOADGEN]]
    # As loadgen takes it: of n sorted latencies the one at index 0.9 n.
    ours = [
        float(np.sort(process.table)[int(0.9 * len(process.table))]) for process in variants[_OURS]
    ]
    p90 = [answer.p90_ns for answer in answers]
    inside = [answer.inside_p90_ns for answer in answers]
    crossing = [answer.p50_ns - answer.inside_p50_ns for answer in answers]

    def ms(values_ns: Sequence[float]) -> Estimate:
        return median_over_processes([value / 1e6 for value in values_ns], confidence, "ms")

    return LoadgenFigures(
        name,
        p90_ms=ms(ours),
        loadgen_p90_ms=ms(p90),
        inside_p90_ms=ms(inside),
        crossing_ms=ms(crossing),
        ratio=ratio_over_processes(ours, p90, confidence),
        ratio_inside=ratio_over_processes(ours, inside, confidence),
        valid=sum(answer.valid for answer in answers),
        runs=len(answers),
        logs="samples/*-loadgen-*/",
    )


def _cautions(models: Sequence[LoadgenFigures], _: Mapping[str, ByVariant]) -> list[str]:
    return [
        f"{model.name}: loadgen called {model.runs - model.valid} of its {model.runs} runs invalid"
        for model in models
        if model.valid < model.runs
    ]


def _rows(figures: LoadgenFigures) -> list[Row]:
    return [
        ("p90", figures.p90_ms),
        ("loadgen's p90", figures.loadgen_p90_ms),
        ("ratio", figures.ratio),
        ("inside of loadgen's", figures.inside_p90_ms),
        ("ratio to that", figures.ratio_inside),
        ("loadgen's own call", figures.crossing_ms),
        ("valid runs", f"{figures.valid} of {figures.runs}"),
        ("loadgen's logs", figures.logs),
    ]


IMPLEMENTATION = Implementation(
    prepare=_prepare,
    decisive=lambda model: (model.p90_ms, model.loadgen_p90_ms),
    rows=_rows,
    check=_check,
)
