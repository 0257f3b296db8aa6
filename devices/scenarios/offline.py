"""Throughput by batch size, queries one after the other.

result = measure(request, "offline", {"batches": (1, 8)})
result.models[0].best
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...errors import UsageError
from ..bench.engine import ProcessResult
from ..bench.request import Prepared, Request
from ..bench.settings import Subject
from ..energy.figures import over_idle
from ..onboard.measure.job import Job
from ..onboard.model.modelfile import printable
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes, ratio_over_processes
from .result import PAIRED, Row, disagreements, median_latency_ms
from .scenario import ByVariant, Condition, Implementation, Options, Procedure, unrepeated


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """One model at one batch size.

    Attributes:
        batch: samples of a query.
        samples_per_s: throughput, queries one after the other.
        gain: throughput over that of the first batch size, paired by repetition.
        p50_ms: median latency of the whole batch.
        energy_uj: microjoules of the whole batch.
    """

    batch: int
    samples_per_s: Estimate
    gain: Estimate
    p50_ms: Estimate
    energy_uj: Estimate


@dataclass(frozen=True, slots=True)
class OfflineFigures:
    """One model's throughput by batch size.

    Attributes:
        name: the subject's.
        batches: in the order requested; gains are over the first.
        best: the batch size of the highest throughput.
    """

    name: str
    batches: tuple[BatchFigures, ...]
    best: int


def _check(request: Request, options: Options) -> None:
    del request
    unrepeated(options["batches"], "batches")


def _conditions(options: Options) -> list[Condition]:
    return [Condition(_variant(batch), batch=batch) for batch in options["batches"]]


def _prepare(prepared: Prepared, options: Options) -> Procedure[OfflineFigures]:
    batches = options["batches"]
    for subject in prepared.request.subjects:
        _check_fits(prepared, subject, batches)

    def job(batch: int, subject: Subject, samples: Path, _: int) -> Job:
        return prepared.closed_loop(subject, samples, batch=batch)

    return Procedure(
        jobs={_variant(batch): partial(job, batch) for batch in batches},
        figures=partial(_figures, batches),
        cautions=_cautions,
        most_threads=prepared.request.settings.session.threads,
    )


def _variant(batch: int) -> str:
    return f"batch-{batch}"


def _figures(
    batches: Sequence[int], name: str, variants: ByVariant, confidence: float
) -> OfflineFigures:
    rates = {batch: _samples_per_s(batch, variants[_variant(batch)]) for batch in batches}
    first = rates[batches[0]]
    rows = tuple(
        BatchFigures(
            batch,
            median_over_processes(rate, confidence, "samples/s"),
            ratio_over_processes(rate, first, confidence),
            median_latency_ms(variants[_variant(batch)], confidence),
            over_idle([process.energy for process in variants[_variant(batch)]], confidence),
        )
        for batch, rate in rates.items()
    )
    # By the paired ratio: what slows the machine for a while slows one batch size only.
    best = max(rows, key=lambda row: row.gain.value or 0.0)
    return OfflineFigures(name, rows, best.batch)


def _cautions(models: Sequence[OfflineFigures], _: Mapping[str, ByVariant]) -> list[str]:
    """Where throughputs and ratios disagree."""
    return disagreements(
        (model.name, f"batch {row.batch}", value / first, row.gain)
        for model in models
        for row in model.batches
        if (value := row.samples_per_s.value) and (first := model.batches[0].samples_per_s.value)
    )


def _samples_per_s(batch: int, processes: Sequence[ProcessResult]) -> list[float]:
    return [1e9 * batch / float(process.table.mean()) for process in processes]


def _check_fits(prepared: Prepared, subject: Subject, batches: Sequence[int]) -> None:
    """Refuse batch sizes other than a fixed first axis."""
    firsts = [port.shape[0] for port in prepared.inspections[subject.name].inputs if port.shape]
    fixed = [extent for extent in firsts if isinstance(extent, int)]
    if not fixed or len(fixed) < len(firsts):
        return
    wrong = [batch for batch in batches if batch != fixed[0]]
    if wrong:
        raise UsageError(
            f"a batch of {wrong[0]}",
            expected=f"{fixed[0]}, the fixed first axis of {printable(subject.name)}",
            where="batches",
            fix="export the model with a dynamic batch, or measure it at its own",
        )


def _rows(figures: OfflineFigures) -> list[Row]:
    return [
        (
            f"{row.batch}{' (best)' if row.batch == figures.best else ''}",
            row.samples_per_s,
            row.gain,
            row.p50_ms,
            *((row.energy_uj,) if row.energy_uj.value is not None else ()),
        )
        for row in figures.batches
    ]


IMPLEMENTATION = Implementation(
    prepare=_prepare,
    decisive=lambda model: [row.p50_ms for row in model.batches],
    rows=_rows,
    head=("batch", "samples/s", "paired ratio", "p50 of a batch", "energy of a batch"),
    note=PAIRED.format("paired ratio"),
    conditions=_conditions,
    check=_check,
)
