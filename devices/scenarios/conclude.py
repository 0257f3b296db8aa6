"""From the processes of one query after the other to the figures of a model, and to ratios.

figures = conclude(measured, 0.95, Settings())
ratio = compare(int8, fp32, 0.95)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..bench.engine import ProcessResult
from ..bench.inspection import Inspection
from ..bench.settings import Settings
from ..energy.declared import HOROWITZ, Prices, declared, declared_ratio
from ..energy.figures import missing, over_idle, ratio_over_idle
from ..onboard.machine.disturbance import outliers
from ..onboard.measure.answer import MeasureAnswer
from ..onboard.stats.early_stopping import early_stopping_over_processes
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.percentiles import over_processes
from ..onboard.stats.processes import median_over_processes, ratio_over_processes
from . import memory
from .figures import Figures, Ratio
from .memory import MemoryAnswers
from .result import PERCENTILES


@dataclass(frozen=True, slots=True)
class Measured:
    """All there is about one model: what it is, and its processes in the order of repetitions.

    Attributes:
        name: the subject's.
        inspection: what the model's file says.
        processes: in the order of repetitions; tables of latencies, int64 ns, shape (queries,).
        samples: the raw latencies' files.
        memory_answers: of the processes that memory_answers at its memory only.
        prices: energies of an operation and of a byte, for the declared model.
        shapes: of the query that its operations were counted for, by input.
    """

    name: str
    inspection: Inspection
    processes: Sequence[ProcessResult]
    samples: str
    memory_answers: MemoryAnswers
    prices: Prices = HOROWITZ
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def conclude(measured: Measured, confidence: float, settings: Settings) -> Figures:
    """The figures of one model.

    Args:
        measured: its processes.
        confidence: of the intervals of this look at them; those of percentiles have that of all
            looks together at each.
        settings: how it was measured.
    """
    processes, inspection = measured.processes, measured.inspection
    answers = [process.answer_as(MeasureAnswer) for process in processes]
    milliseconds = [process.table / 1e6 for process in processes]
    p50_ms, p90_ms, p99_ms = over_processes(
        milliseconds, PERCENTILES, settings.confidence, "ms", guarded=settings.guarded
    )
    cost = inspection.cost
    return Figures(
        name=measured.name,
        file=inspection.path.name,
        file_bytes=inspection.file_bytes,
        runtime=answers[0].runtime,
        p50_ms=p50_ms,
        p90_ms=p90_ms,
        p99_ms=p99_ms,
        load_ms=_median([answer.load_ms for answer in answers], confidence),
        first_inference_ms=_median([answer.first_inference_ms for answer in answers], confidence),
        peak_memory_bytes=memory.peak(measured.memory_answers),
        energy_uj=_energy(measured, confidence),
        macs=cost.macs if cost else None,
        macs_by_type=cost.macs_by_type if cost else None,
        counted_for=dict(measured.shapes),
        library_bytes=inspection.library_bytes,
        libraries=inspection.libraries,
        parameters=cost.parameters if cost else None,
        weight_bytes=cost.weight_bytes if cost else None,
        queries=sum(len(process.table) for process in processes),
        settled_processes=sum(answer.settled for answer in answers),
        samples=measured.samples,
        footprint=memory.footprint(measured.memory_answers, processes, confidence),
        outliers=sum(outliers(process.table) for process in processes),
        early_stopping_p90_ms=early_stopping_over_processes(milliseconds, 90, confidence, "ms"),
        early_stopping_p99_ms=early_stopping_over_processes(milliseconds, 99, confidence, "ms"),
    )


def compare(of: Measured, over: Measured, confidence: float) -> Ratio:
    """One model over another, paired by repetition where both were measured."""
    both = min(len(of.processes), len(over.processes))
    of, over = (replace(one, processes=one.processes[:both]) for one in (of, over))
    medians = _percentiles_ns(of, 50), _percentiles_ns(over, 50)
    quick = _percentiles_ns(of, 10), _percentiles_ns(over, 10)
    return Ratio(
        of=of.name,
        over=over.name,
        p50=ratio_over_processes(*medians, confidence),
        peak_memory=memory.ratio(memory.peak(of.memory_answers), memory.peak(over.memory_answers)),
        energy=_energy_ratio(of, over, confidence),
        size=Estimate.exact(
            of.inspection.file_bytes / over.inspection.file_bytes, "ratio of file sizes", "ratio"
        ),
        p10=ratio_over_processes(*quick, confidence),
    )


def _percentiles_ns(measured: Measured, percentile: float) -> list[float]:
    return [float(np.percentile(process.table, percentile)) for process in measured.processes]


def _median(milliseconds: Sequence[float], confidence: float) -> Estimate:
    return median_over_processes(milliseconds, confidence, "ms")


def _energy(measured: Measured, confidence: float) -> Estimate:
    energies = [process.energy for process in measured.processes]
    if missing(energies) is None:
        return over_idle(energies, confidence)
    cost = _countable(measured)
    if isinstance(cost, str):
        return Estimate.unknown(cost, "declared model", unit="uJ")
    return declared(*cost, measured.prices)


def _energy_ratio(of: Measured, over: Measured, confidence: float) -> Estimate:
    ours, theirs = ([process.energy for process in m.processes] for m in (of, over))
    if missing(ours) is None and missing(theirs) is None:
        return ratio_over_idle(ours, theirs, confidence)
    # Both from the declared model, even if one was measured: a ratio of the two would mean nothing.
    our_cost, their_cost = _countable(of), _countable(over)
    if isinstance(our_cost, str) or isinstance(their_cost, str):
        reason = our_cost if isinstance(our_cost, str) else str(their_cost)
        return Estimate.unknown(reason, "declared model", unit="ratio")
    return declared_ratio(our_cost, their_cost, of.prices)


def _countable(measured: Measured) -> tuple[Mapping[str, int], int, int] | str:
    cost = measured.inspection.cost
    if cost is None:
        return measured.inspection.cost_missing or "operations were not counted"
    if cost.macs is None or cost.activation_bytes is None:
        more = f" and {len(cost.notes) - 1} more" if len(cost.notes) > 1 else ""
        return f"not all was counted: {cost.notes[0]}{more}"
    return cost.macs_by_type, cost.weight_bytes, cost.activation_bytes
