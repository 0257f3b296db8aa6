"""From the figures of many processes to what may be said of each model.

    figures = conclude(subject, inspection, processes, settings)
    ratio = compare(a, b, settings)

`Process` is what one child found; `Figures` and `Ratio` are what a report prints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .inspection import Inspection
from .measure import energy
from .stats import (
    Estimate,
    median_over_processes,
    percentile_over_processes,
    ratio_over_processes,
)

_NOT_COUNTED = Estimate.unknown("instructions were not counted; benchmark.instructions = true does")
_UNRECORDED = Estimate.unknown("the version that measured this did not record it")


@dataclass(frozen=True, slots=True)
class Figures:
    """One model's figures; latencies are of one query, which is one batch.

    Attributes:
        name: the subject's.
        file: the model file's name.
        file_bytes: size of all its files.
        p50_ms: median latency.
        p90_ms: 90th percentile of latency.
        p99_ms: 99th percentile of latency.
        load_ms: from the file to a session.
        first_inference_ms: the first query after that.
        peak_memory_bytes: most that was resident over what the imports held.
        energy_uj: microjoules a query.
        macs: multiply-accumulates a query, None where some could not be counted.
        parameters: trained numbers, None where they could not be counted.
        weight_bytes: size of all stored tensors, None where they could not be counted.
        queries: how many were timed, over all processes.
        settled_processes: how many processes had settled when timing began.
        samples: folder of the raw latencies, relative to the output folder.
        instructions: of one query, a count; see ``counting``.
    """

    name: str
    file: str
    file_bytes: int
    p50_ms: Estimate
    p90_ms: Estimate
    p99_ms: Estimate
    load_ms: Estimate
    first_inference_ms: Estimate
    peak_memory_bytes: Estimate
    energy_uj: Estimate
    macs: int | None
    parameters: int | None
    weight_bytes: int | None
    queries: int
    settled_processes: int
    samples: str
    instructions: Estimate = _NOT_COUNTED


@dataclass(frozen=True, slots=True)
class Ratio:
    """One model over another; below 1 is better.

    Attributes:
        of: the subject's name.
        over: the reference's name.
        p50: of median latencies, paired by repetition.
        peak_memory: of peak memory over baseline, paired by repetition.
        energy: of energy a query.
        size: of file sizes.
        p10: of what the quickest tenth of each process's queries keep to, paired by repetition.
            Neighbours only ever add time, and least to the quickest, so this tells two models apart
            soonest (Chen & Revels, "Robust benchmarking in noisy environments", arXiv:1608.04295,
            take the minimum for that); what only slow queries show it does not see.
    """

    of: str
    over: str
    p50: Estimate
    peak_memory: Estimate
    energy: Estimate
    size: Estimate
    p10: Estimate = _UNRECORDED


@dataclass(frozen=True, slots=True)
class Process:
    """What one fresh process found.

    Attributes:
        answer: the worker's answer.
        latencies_ns: shape (queries,), int64, nanoseconds.
    """

    answer: Mapping[str, Any]
    latencies_ns: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measured:
    """All there is about one model: what it is, and its processes in the order of repetitions."""

    name: str
    inspection: Inspection
    processes: Sequence[Process]
    samples: str


def conclude(measured: Measured, confidence: float) -> Figures:
    """What may be said of one model."""
    processes, found = measured.processes, measured.inspection
    milliseconds = [one.latencies_ns / 1e6 for one in processes]
    cost = found.cost
    return Figures(
        name=measured.name,
        file=found.path.name,
        file_bytes=found.file_bytes,
        p50_ms=percentile_over_processes(milliseconds, 50, confidence),
        p90_ms=percentile_over_processes(milliseconds, 90, confidence),
        p99_ms=percentile_over_processes(milliseconds, 99, confidence),
        load_ms=_median(processes, "load_ms", confidence),
        first_inference_ms=_median(processes, "first_inference_ms", confidence),
        peak_memory_bytes=_median(processes, "peak_memory_bytes", confidence),
        energy_uj=_energy(measured, confidence),
        macs=cost.macs if cost else None,
        parameters=cost.parameters if cost else None,
        weight_bytes=cost.weight_bytes if cost else None,
        queries=sum(len(one.latencies_ns) for one in processes),
        settled_processes=sum(bool(one.answer["settled"]) for one in processes),
        samples=measured.samples,
    )


def compare(of: Measured, over: Measured, confidence: float) -> Ratio:
    """One model over another, paired by repetition where both were measured."""
    ours, theirs = _percentiles_ns(of, 50), _percentiles_ns(over, 50)
    quick = _percentiles_ns(of, 10), _percentiles_ns(over, 10)
    return Ratio(
        of=of.name,
        over=over.name,
        p50=ratio_over_processes(ours, theirs, confidence),
        peak_memory=_ratio(of, over, "peak_memory_bytes", confidence),
        energy=_energy_ratio(of, over, confidence),
        size=Estimate.exact(
            of.inspection.file_bytes / over.inspection.file_bytes, "ratio of file sizes"
        ),
        p10=ratio_over_processes(*quick, confidence),
    )


def _percentiles_ns(measured: Measured, percentile: float) -> list[float]:
    return [float(np.percentile(one.latencies_ns, percentile)) for one in measured.processes]


def _values(processes: Sequence[Process], key: str) -> list[float] | str:
    """The figure of each process, or why it is missing in one."""
    values = [one.answer[key] for one in processes]
    if None in values:
        stem = key.removesuffix("_bytes").removesuffix("_uj")
        reasons = [one.answer.get(f"{stem}_missing") for one in processes]
        return next((str(one) for one in reasons if one), f"{key} was not measured")
    return [float(one) for one in values]


def _median(processes: Sequence[Process], key: str, confidence: float) -> Estimate:
    values = _values(processes, key)
    if isinstance(values, str):
        return Estimate.unknown(values, "median over processes", len(processes))
    return median_over_processes(values, confidence)


def _ratio(of: Measured, over: Measured, key: str, confidence: float) -> Estimate:
    a, b = _values(of.processes, key), _values(over.processes, key)
    method = "median of ratios paired by repetition"
    if isinstance(a, str) or isinstance(b, str):
        return Estimate.unknown(a if isinstance(a, str) else str(b), method, len(of.processes))
    if min(b) <= 0:
        return Estimate.unknown(f"{key} of {over.name} is 0 in one process", method, len(b))
    return ratio_over_processes(a, b, confidence)


def _energy(measured: Measured, confidence: float) -> Estimate:
    values = _values(measured.processes, "energy_uj")
    if not isinstance(values, str):
        found = median_over_processes(values, confidence)
        method = f"RAPL counters of package and memory, idle not subtracted; {found.method}"
        return Estimate(found.value, found.low, found.high, method, found.n, found.missing)
    cost = _countable(measured)
    return (
        Estimate.unknown(cost, "declared model")
        if isinstance(cost, str)
        else energy.declared(*cost)
    )


def _energy_ratio(of: Measured, over: Measured, confidence: float) -> Estimate:
    counted = [_values(one.processes, "energy_uj") for one in (of, over)]
    if not any(isinstance(one, str) for one in counted):
        return _ratio(of, over, "energy_uj", confidence)
    # Both from the declared model, even if one was counted: a ratio of the two would mean nothing.
    a, b = _countable(of), _countable(over)
    if isinstance(a, str) or isinstance(b, str):
        return Estimate.unknown(a if isinstance(a, str) else str(b), "declared model")
    return energy.declared_ratio(a, b)


def _countable(measured: Measured) -> tuple[Mapping[str, int], int, int] | str:
    cost = measured.inspection.cost
    if cost is None:
        return measured.inspection.cost_missing or "operations were not counted"
    if cost.macs is None or cost.activation_bytes is None:
        more = f" and {len(cost.notes) - 1} more" if len(cost.notes) > 1 else ""
        return f"not all was counted: {cost.notes[0]}{more}"
    return cost.macs_by_type, cost.weight_bytes, cost.activation_bytes
