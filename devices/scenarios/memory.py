"""Memory of a model: processes that time nothing look at it, so that no latency depends on them.

answers = look(prepared, subject)
peak(answers).value          # bytes
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from ..bench import journal
from ..bench.engine import ProcessResult
from ..bench.request import Prepared
from ..bench.settings import Subject
from ..onboard.measure.answer import MeasureAnswer, MemoryAnswer
from ..onboard.measure.job import MemoryJob
from ..onboard.model.liveness import Needs
from ..onboard.runtimes import obeys
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes
from ..place.place import Local
from .figures import Footprint

_NO_GRAPH = Needs(None, None, None, "the graph is analysed on this machine only")


@dataclass(frozen=True, slots=True)
class MemoryAnswers:
    """What the processes found that look at one model's memory only.

    Attributes:
        peaks: answers of `onboard.measure.footprint` under the runtime's own settings.
        others: those without the arena, and without the plan as well, where they were requested.
    """

    peaks: Sequence[MemoryAnswer] = ()
    others: tuple[MemoryAnswer, MemoryAnswer] | None = None


def look(prepared: Prepared, subject: Subject) -> MemoryAnswers:
    """A model's memory as it runs; if requested, also without arena, and without plan as well.

    The graph is analysed on this machine only, because a device need not have what reads it.
    """
    request, settings = prepared.request, prepared.request.settings

    def run(*, arena: bool = True, pattern: bool = True) -> MemoryAnswer:
        return prepared.run(
            MemoryJob(
                model=str(subject.path),
                session=replace(prepared.session(subject), arena=arena, pattern=pattern),
                feed=prepared.feed(subject),
                analyze=not pattern and isinstance(request.place, Local),
            )
        )

    peaks = tuple(run() for _ in range(settings.memory_processes))
    if not (settings.footprint and obeys(subject.path, settings.session, "arena", "pattern")):
        return MemoryAnswers(peaks)
    return MemoryAnswers(peaks, (run(arena=False), run(arena=False, pattern=False)))


def record(answers: MemoryAnswers) -> dict[str, Any]:
    """The answers as in `memory.json`."""
    return {
        "peaks": [journal.flat(answer) for answer in answers.peaks],
        "others": answers.others and [journal.flat(answer) for answer in answers.others],
    }


def peak(answers: MemoryAnswers) -> Estimate:
    """The peak in processes that look at nothing else: a range, because little varies in them."""
    if not answers.peaks:
        return Estimate.unknown("memory was not measured", unit="bytes")
    values = [answer.peak_memory_bytes for answer in answers.peaks]
    method = f"range over {len(values)} processes{_fixed(answers.peaks[0])}"
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        missing = next(answer.peak_memory_missing for answer in answers.peaks)
        return Estimate.unknown(missing or "it was not measured", method, len(values), "bytes")
    low, high = min(known), max(known)
    return Estimate(
        float(median(known)), low, high, method, len(values), unit="bytes", kind="measured"
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
    while_timed = [process.answer_as(MeasureAnswer) for process in timed]
    graph = without_plan.graph or _NO_GRAPH
    weights = "stored tensors of the graph as the runtime rewrote it"
    alive = "liveness over that graph, nothing in place, without workspace and packed weights"
    if graph.at:
        alive += f"; fullest at {graph.at}"
    return Footprint(
        pss_bytes=_median(
            [(answer.pss_bytes, answer.pss_missing) for answer in while_timed],
            "pss_bytes",
            confidence,
        ),
        peak_without_arena_bytes=_once(without_arena, "enable_cpu_mem_arena off"),
        peak_without_plan_bytes=_once(
            without_plan, "enable_cpu_mem_arena and enable_mem_pattern off"
        ),
        weight_bytes=_counted(graph.weight_bytes, graph.missing, weights),
        activation_bytes=_counted(graph.activation_bytes, graph.missing, alive),
        peak_as_timed_bytes=_median(
            [(answer.peak_memory_bytes, answer.peak_memory_missing) for answer in while_timed],
            "peak_memory_bytes",
            confidence,
        ),
    )


def above_peak(name: str, answers: MemoryAnswers, timed: Sequence[ProcessResult]) -> Iterator[str]:
    """Say where malloc, with its thresholds free, kept much more than the model's peak."""
    peaks = [answer.peak_memory_bytes for answer in answers.peaks]
    while_timed = [process.answer_as(MeasureAnswer).peak_memory_bytes for process in timed]
    known = [peak for peak in peaks if peak is not None]
    known_while_timed = [peak for peak in while_timed if peak is not None]
    if not peaks or len(known) < len(peaks) or len(known_while_timed) < len(while_timed):
        return
    more = max(known_while_timed) - max(known)
    if more > max(2**20, 0.1 * max(known)):
        yield (
            f"{name}: while it was timed, up to {more / 2**20:.1f} MiB more than its peak were "
            "resident, because malloc changes its own thresholds; where memory is short, "
            "set MALLOC_MMAP_THRESHOLD_=131072 on the device"
        )


def _median(
    values: Sequence[tuple[int | None, str | None]], name: str, confidence: float
) -> Estimate:
    """The median over processes of bytes, each with the reason why it is None."""
    known = [float(value) for value, _ in values if value is not None]
    if len(known) < len(values):
        why = next((reason for _, reason in values if reason), f"{name} was not measured")
        return Estimate.unknown(why, "median over processes", len(values), "bytes")
    return median_over_processes(known, confidence, "bytes")


def _once(answer: MemoryAnswer, how: str) -> Estimate:
    value = answer.peak_memory_bytes
    method = f"high-water mark of one process, {how}{_fixed(answer)}"
    if value is None:
        return Estimate.unknown(
            answer.peak_memory_missing or "it was not measured", method, unit="bytes"
        )
    return Estimate(value, None, None, method, 1, "one process", "bytes", "measured")


def _fixed(answer: MemoryAnswer) -> str:
    """What did not vary from process to process."""
    states = {
        "addresses": answer.fixed.addresses,
        "malloc's thresholds": answer.fixed.malloc,
    }
    fixed = [name for name, is_fixed in states.items() if is_fixed]
    return f"; {' and '.join(fixed)} fixed" if fixed else ""


def _counted(value: int | None, missing: str | None, method: str) -> Estimate:
    if value is None:
        return Estimate.unknown(missing or "not counted", method, unit="bytes")
    return Estimate.exact(value, method, "bytes")
