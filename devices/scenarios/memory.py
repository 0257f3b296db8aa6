"""Memory of a model: processes that time nothing look at it, so that no latency depends on them.

answers = look(prepared, subject)
peak(answers).value          # bytes
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from ..bench.engine import ProcessResult
from ..bench.request import Prepared
from ..bench.settings import Subject
from ..onboard.measure.job import MemoryJob
from ..onboard.runtimes import obeys
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes
from ..place.place import Local
from .figures import Footprint

_NO_GRAPH: Mapping[str, Any] = {
    "weight_bytes": None,
    "activation_bytes": None,
    "at": None,
    "missing": "the graph is analysed on this machine only",
}


@dataclass(frozen=True, slots=True)
class MemoryAnswers:
    """What the processes found that look at one model's memory only.

    Attributes:
        peaks: answers of `onboard.measure.footprint` under the runtime's own settings.
        others: those without the arena, and without the plan as well, where they were requested.
    """

    peaks: Sequence[Mapping[str, Any]] = ()
    others: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None


def look(prepared: Prepared, subject: Subject) -> MemoryAnswers:
    """A model's memory as it runs; if requested, also without arena, and without plan as well.

    The graph is analysed on this machine only, because a device need not have what reads it.
    """
    request, settings = prepared.request, prepared.request.settings

    def run(*, arena: bool = True, pattern: bool = True) -> dict[str, Any]:
        return prepared.run(
            MemoryJob(
                model=str(subject.path),
                session=replace(settings.session, arena=arena, pattern=pattern),
                feed=prepared.feed(subject),
                analyze=not pattern and isinstance(request.place, Local),
            )
        )

    peaks = tuple(run() for _ in range(settings.memory_processes))
    if not (settings.footprint and obeys(subject.path, settings.session, "arena", "pattern")):
        return MemoryAnswers(peaks)
    return MemoryAnswers(peaks, (run(arena=False), run(arena=False, pattern=False)))


def peak(answers: MemoryAnswers) -> Estimate:
    """The peak in processes that look at nothing else: a range, because little varies in them."""
    if not answers.peaks:
        return Estimate.unknown("memory was not measured", unit="bytes")
    values = [answer["peak_memory_bytes"] for answer in answers.peaks]
    method = f"range over {len(values)} processes{_fixed(answers.peaks[0])}"
    if None in values:
        missing = next(answer["peak_memory_missing"] for answer in answers.peaks)
        return Estimate.unknown(missing or "it was not measured", method, len(values), "bytes")
    low, high = min(values), max(values)
    return Estimate(
        float(median(values)), low, high, method, len(values), unit="bytes", kind="measured"
    )


def ratio(of: Estimate, over: Estimate) -> Estimate:
    """One model's peak over another's, over the ranges of both."""
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


def footprint(
    answers: MemoryAnswers, timed: Sequence[ProcessResult], confidence: float
) -> Footprint | None:
    """Memory in other views than the peak; None where it was not requested.

    Args:
        answers: of the processes that look at memory only.
        timed: the processes whose queries were timed.
        confidence: of the intervals.
    """
    if answers.others is None:
        return None
    without_arena, without_plan = answers.others
    graph = without_plan["graph"] or _NO_GRAPH
    weights = "stored tensors of the graph as the runtime rewrote it"
    alive = "liveness over that graph, nothing in place, without workspace and packed weights"
    if graph["at"]:
        alive += f"; fullest at {graph['at']}"
    return Footprint(
        pss_bytes=_median(timed, "pss_bytes", "pss_missing", confidence),
        peak_without_arena_bytes=_once(without_arena, "enable_cpu_mem_arena off"),
        peak_without_plan_bytes=_once(
            without_plan, "enable_cpu_mem_arena and enable_mem_pattern off"
        ),
        weight_bytes=_counted(graph["weight_bytes"], graph["missing"], weights),
        activation_bytes=_counted(graph["activation_bytes"], graph["missing"], alive),
        peak_as_timed_bytes=_median(timed, "peak_memory_bytes", "peak_memory_missing", confidence),
    )


def above_peak(name: str, answers: MemoryAnswers, timed: Sequence[ProcessResult]) -> Iterator[str]:
    """Say where malloc, with its thresholds free, kept much more than the model's peak."""
    peaks = [answer["peak_memory_bytes"] for answer in answers.peaks]
    while_timed = [process.answer["peak_memory_bytes"] for process in timed]
    if not peaks or None in (*peaks, *while_timed):
        return
    more = max(while_timed) - max(peaks)
    if more > max(2**20, 0.1 * max(peaks)):
        yield (
            f"{name}: while it was timed, up to {more / 2**20:.1f} MiB more than its peak were "
            "resident, because malloc changes its own thresholds; where memory is short, "
            "set MALLOC_MMAP_THRESHOLD_=131072 on the device"
        )


def _median(
    processes: Sequence[ProcessResult], key: str, reason: str, confidence: float
) -> Estimate:
    values = [process.answer[key] for process in processes]
    if None in values:
        reasons = (process.answer[reason] for process in processes)
        why = next((str(text) for text in reasons if text), f"{key} was not measured")
        return Estimate.unknown(why, "median over processes", len(processes), "bytes")
    return median_over_processes([float(value) for value in values], confidence, "bytes")


def _once(answer: Mapping[str, Any], how: str) -> Estimate:
    value = answer["peak_memory_bytes"]
    method = f"high-water mark of one process, {how}{_fixed(answer)}"
    if value is None:
        return Estimate.unknown(answer["peak_memory_missing"], method, unit="bytes")
    return Estimate(value, None, None, method, 1, "one process", "bytes", "measured")


def _fixed(answer: Mapping[str, Any]) -> str:
    """What did not vary from process to process."""
    names = {"addresses": "addresses", "malloc": "malloc's thresholds"}
    fixed = [name for key, name in names.items() if answer["fixed"][key]]
    return f"; {' and '.join(fixed)} fixed" if fixed else ""


def _counted(value: int | None, missing: str | None, method: str) -> Estimate:
    if value is None:
        return Estimate.unknown(missing or "not counted", method, unit="bytes")
    return Estimate.exact(value, method, "bytes")
