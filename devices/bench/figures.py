"""From the figures of many processes to what may be said of each model.

    figures = conclude(subject, inspection, processes, settings)
    ratio = compare(a, b, settings)

`Process` is what one child found; `Figures` and `Ratio` are what a report prints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..energy.declared import HOROWITZ, Prices, declared, declared_ratio
from ..onboard.machine.disturbance import outliers
from ..onboard.stats.early_stopping import early_stopping_over_processes
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import (
    median_over_processes,
    percentile_over_processes,
    ratio_over_processes,
)
from .inspection import Inspection

_NO_GRAPH: Mapping[str, Any] = {
    "weight_bytes": None,
    "activation_bytes": None,
    "at": None,
    "missing": "the graph is looked into on this machine only",
}
_NOT_COUNTED = Estimate.unknown(
    "instructions were not counted; benchmark.instructions = true does", unit="instructions"
)
_UNRECORDED = "the version that measured this did not record it"
_NO_PEAK = Estimate.unknown(_UNRECORDED, unit="bytes")
_NO_RATIO = Estimate.unknown(_UNRECORDED, unit="ratio")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory in other views than the peak; each is told apart, no two may be added up.

    Attributes:
        pss_bytes: growth of the proportional set size from before the model to after its queries.
        peak_as_timed_bytes: the peak over the imports in the processes that were timed, where
            malloc keeps of what is freed what it will.
        peak_without_arena_bytes: the peak over the imports with `enable_cpu_mem_arena` off.
        peak_without_plan_bytes: the same with `enable_mem_pattern` off as well.
        weight_bytes: all stored tensors of the graph as the runtime rewrote it.
        activation_bytes: its tensors that are alive together at most (`onboard.model.liveness`).
    """

    pss_bytes: Estimate
    peak_without_arena_bytes: Estimate
    peak_without_plan_bytes: Estimate
    weight_bytes: Estimate
    activation_bytes: Estimate
    peak_as_timed_bytes: Estimate = _NO_PEAK


@dataclass(frozen=True, slots=True)
class Figures:
    """One model's figures; latencies are of one query, which is one batch.

    Attributes:
        name: the subject's.
        file: the model file's name.
        file_bytes: size of all its files.
        p50_ms: median latency.
        p90_ms: 90th percentile of latency, MLPerf's early-stopping estimate.
        p99_ms: 99th percentile of latency, the same.
        load_ms: from the file to a session.
        first_inference_ms: the first query after that.
        peak_memory_bytes: most that was resident over what the imports held, in processes of their
            own in which what makes it a matter of luck is fixed.
        energy_uj: microjoules a query.
        macs: multiply-accumulates a query, None where some could not be counted.
        parameters: trained numbers, None where they could not be counted.
        weight_bytes: size of all stored tensors, None where they could not be counted.
        queries: how many were timed, over all processes.
        settled_processes: how many processes had settled when timing began.
        samples: folder of the raw latencies, relative to the output folder.
        instructions: of one query, a count; see ``counting``.
        footprint: memory in other views, None where it was not asked for.
        outliers: queries far above the others of their process (`disturbance.OUTLIERS`).
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
    footprint: Footprint | None = None
    outliers: int | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """One model over another; below 1 is better.

    Attributes:
        of: the subject's name.
        over: the reference's name.
        p50: of median latencies, paired by repetition.
        peak_memory: of peak memory over baseline.
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
    p10: Estimate = _NO_RATIO


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
class Looked:
    """What processes found that looked at a model's memory alone.

    Attributes:
        peaks: answers of `measure.footprint` under the runtime's own settings.
        others: those without the arena, and without the plan as well, where they were asked for.
    """

    peaks: Sequence[Mapping[str, Any]] = ()
    others: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """All there is about one model: what it is, and its processes in the order of repetitions.

    Attributes:
        name: the subject's.
        inspection: what the model says of itself.
        processes: in the order of repetitions.
        samples: the raw latencies' files.
        memory: what looked at its memory alone.
        prices: what the declared model takes energy by.
    """

    name: str
    inspection: Inspection
    processes: Sequence[Process]
    samples: str
    memory: Looked = Looked()
    prices: Prices = HOROWITZ


def conclude(measured: Measured, confidence: float) -> Figures:
    """What may be said of one model."""
    processes, found = measured.processes, measured.inspection
    milliseconds = [one.latencies_ns / 1e6 for one in processes]
    cost = found.cost
    return Figures(
        name=measured.name,
        file=found.path.name,
        file_bytes=found.file_bytes,
        p50_ms=percentile_over_processes(milliseconds, 50, confidence, "ms"),
        p90_ms=early_stopping_over_processes(milliseconds, 90, confidence, "ms"),
        p99_ms=early_stopping_over_processes(milliseconds, 99, confidence, "ms"),
        load_ms=_median(processes, "load_ms", confidence, "ms"),
        first_inference_ms=_median(processes, "first_inference_ms", confidence, "ms"),
        peak_memory_bytes=_peak(measured.memory),
        energy_uj=_energy(measured, confidence),
        macs=cost.macs if cost else None,
        parameters=cost.parameters if cost else None,
        weight_bytes=cost.weight_bytes if cost else None,
        queries=sum(len(one.latencies_ns) for one in processes),
        settled_processes=sum(bool(one.answer["settled"]) for one in processes),
        samples=measured.samples,
        footprint=_footprint(measured, confidence),
        outliers=sum(outliers(one.latencies_ns) for one in processes),
    )


def compare(of: Measured, over: Measured, confidence: float) -> Ratio:
    """One model over another, paired by repetition where both were measured."""
    ours, theirs = _percentiles_ns(of, 50), _percentiles_ns(over, 50)
    quick = _percentiles_ns(of, 10), _percentiles_ns(over, 10)
    return Ratio(
        of=of.name,
        over=over.name,
        p50=ratio_over_processes(ours, theirs, confidence),
        peak_memory=_memory_ratio(_peak(of.memory), _peak(over.memory)),
        energy=_energy_ratio(of, over, confidence),
        size=Estimate.exact(
            of.inspection.file_bytes / over.inspection.file_bytes, "ratio of file sizes", "ratio"
        ),
        p10=ratio_over_processes(*quick, confidence),
    )


def _percentiles_ns(measured: Measured, percentile: float) -> list[float]:
    return [float(np.percentile(one.latencies_ns, percentile)) for one in measured.processes]


def _footprint(measured: Measured, confidence: float) -> Footprint | None:
    if measured.memory.others is None:
        return None
    without_arena, without_plan = measured.memory.others
    graph = without_plan["graph"] or _NO_GRAPH
    weights = "stored tensors of the graph as the runtime rewrote it"
    alive = "liveness over that graph, nothing in place, without workspace and packed weights"
    if graph["at"]:
        alive += f"; fullest at {graph['at']}"
    return Footprint(
        pss_bytes=_median(measured.processes, "pss_bytes", confidence, "bytes"),
        peak_without_arena_bytes=_once(without_arena, "enable_cpu_mem_arena off"),
        peak_without_plan_bytes=_once(
            without_plan, "enable_cpu_mem_arena and enable_mem_pattern off"
        ),
        weight_bytes=_counted(graph["weight_bytes"], graph["missing"], weights),
        activation_bytes=_counted(graph["activation_bytes"], graph["missing"], alive),
        peak_as_timed_bytes=_median(measured.processes, "peak_memory_bytes", confidence, "bytes"),
    )


def _once(answer: Mapping[str, Any], how: str) -> Estimate:
    value = answer["peak_memory_bytes"]
    method = f"high-water mark of one process, {how}{_fixed(answer)}"
    if value is None:
        return Estimate.unknown(answer["peak_memory_missing"], method, unit="bytes")
    return Estimate(value, None, None, method, 1, "one process", "bytes", "measured")


def _peak(looked: Looked) -> Estimate:
    """The peak in processes that looked at nothing else: a range, for little is left to luck."""
    if not looked.peaks:
        return Estimate.unknown("memory was not looked at", unit="bytes")
    values = [one["peak_memory_bytes"] for one in looked.peaks]
    method = f"range over {len(values)} processes{_fixed(looked.peaks[0])}"
    if None in values:
        missing = next(one["peak_memory_missing"] for one in looked.peaks)
        return Estimate.unknown(missing or "it was not measured", method, len(values), "bytes")
    return Estimate(
        float(median(values)),
        min(values),
        max(values),
        method,
        len(values),
        unit="bytes",
        kind="measured",
    )


def _fixed(answer: Mapping[str, Any]) -> str:
    """What did not vary from process to process."""
    names = {"addresses": "addresses", "malloc": "malloc's thresholds"}
    fixed = [told for key, told in names.items() if answer["fixed"][key]]
    return f"; {' and '.join(fixed)} fixed" if fixed else ""


def _memory_ratio(of: Estimate, over: Estimate) -> Estimate:
    method = "ratio of peaks, over the ranges of both"
    if of.value is None or of.low is None or of.high is None:
        return Estimate.unknown(str(of.missing), method, unit="ratio")
    if over.value is None or over.low is None or over.high is None:
        return Estimate.unknown(str(over.missing), method, unit="ratio")
    if over.low <= 0:
        return Estimate.unknown("the other model's peak is 0", method, over.n, "ratio")
    return Estimate(
        of.value / over.value,
        of.low / over.high,
        of.high / over.low,
        method,
        min(of.n, over.n),
        unit="ratio",
        kind="measured",
    )


def _counted(value: int | None, missing: str | None, method: str) -> Estimate:
    if value is None:
        return Estimate.unknown(missing or "not counted", method, unit="bytes")
    return Estimate.exact(value, method, "bytes")


def _values(processes: Sequence[Process], key: str) -> list[float] | str:
    """The figure of each process, or why it is missing in one."""
    values = [one.answer[key] for one in processes]
    if None in values:
        stem = key.removesuffix("_bytes").removesuffix("_uj")
        reasons = [one.answer.get(f"{stem}_missing") for one in processes]
        return next((str(one) for one in reasons if one), f"{key} was not measured")
    return [float(one) for one in values]


def _median(processes: Sequence[Process], key: str, confidence: float, unit: str) -> Estimate:
    values = _values(processes, key)
    if isinstance(values, str):
        return Estimate.unknown(values, "median over processes", len(processes), unit)
    return median_over_processes(values, confidence, unit)


def _energy(measured: Measured, confidence: float) -> Estimate:
    values = _values(measured.processes, "energy_uj")
    if not isinstance(values, str):
        return _over_idle(measured.processes, values, confidence)
    cost = _countable(measured)
    if isinstance(cost, str):
        return Estimate.unknown(cost, "declared model", unit="uJ")
    return declared(*cost, measured.prices)


def _over_idle(
    processes: Sequence[Process], values: Sequence[float], confidence: float
) -> Estimate:
    """Median over processes, its interval made wider by what the idle machine's spread leaves."""
    found = median_over_processes(values, confidence, "uJ")
    method = f"{_how(processes)}; {found.method}"
    if found.value is None or found.value <= 0:
        return Estimate.unknown("no more was drawn than by the idle machine", method, found.n, "uJ")
    less, more = (max(_margins(processes, name)) for name in ("less", "more"))
    low = None if found.low is None else max(0.0, found.low - less)
    high = None if found.high is None else found.high + more
    return replace(found, low=low, high=high, method=method)


def _how(processes: Sequence[Process]) -> str:
    without = "measured: RAPL counters of package and memory, idle not subtracted"
    return str(processes[0].answer.get("energy_method", without))


def _margins(processes: Sequence[Process], name: str) -> list[float]:
    """What the idle machine's spread may take off or add, by process."""
    return [float(one.answer.get(f"energy_{name}_uj", 0.0)) for one in processes]


def _energy_ratio(of: Measured, over: Measured, confidence: float) -> Estimate:
    pair = [_values(one.processes, "energy_uj") for one in (of, over)]
    a, b = pair
    if not isinstance(a, str) and not isinstance(b, str):
        return _ratio_over_idle(of, over, a, b, confidence)
    # Both from the declared model, even if one was counted: a ratio of the two would mean nothing.
    c, d = _countable(of), _countable(over)
    if isinstance(c, str) or isinstance(d, str):
        why = c if isinstance(c, str) else str(d)
        return Estimate.unknown(why, "declared model", unit="ratio")
    return declared_ratio(c, d, of.prices)


def _ratio_over_idle(
    of: Measured, over: Measured, a: Sequence[float], b: Sequence[float], confidence: float
) -> Estimate:
    """Paired by repetition, under the idle power found and under both ends of its spread."""
    found = []
    for name, sign in (("less", 0.0), ("less", -1.0), ("more", 1.0)):
        moved = [
            [
                value + sign * margin
                for value, margin in zip(v, _margins(m.processes, name), strict=True)
            ]
            for v, m in ((a, of), (b, over))
        ]
        if min(map(min, moved)) <= 0:
            why = "no more was drawn than by the idle machine, in one process at least"
            return Estimate.unknown(why, _how(of.processes), len(a), "ratio")
        found.append(ratio_over_processes(moved[0], moved[1], confidence))
    middle, method = found[0], f"{_how(of.processes)}; {found[0].method}"
    lows, highs = [one.low for one in found], [one.high for one in found]
    low = None if None in lows else min(one for one in lows if one is not None)
    high = None if None in highs else max(one for one in highs if one is not None)
    return replace(middle, low=low, high=high, method=method)


def _countable(measured: Measured) -> tuple[Mapping[str, int], int, int] | str:
    cost = measured.inspection.cost
    if cost is None:
        return measured.inspection.cost_missing or "operations were not counted"
    if cost.macs is None or cost.activation_bytes is None:
        more = f" and {len(cost.notes) - 1} more" if len(cost.notes) > 1 else ""
        return f"not all was counted: {cost.notes[0]}{more}"
    return cost.macs_by_type, cost.weight_bytes, cost.activation_bytes
