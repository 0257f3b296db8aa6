"""Minutes of one query after the other: does the model slow down, and was it heat?

result = measure(request, "sustained", {"duration": 120.0})
result.models[0].drift.value
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import UsageError
from ..bench.engine import ProcessResult
from ..bench.request import Prepared, Request
from ..bench.settings import Subject
from ..energy.figures import over_idle
from ..onboard.measure.answer import SustainedAnswer, Window
from ..onboard.measure.job import Job
from ..onboard.stats.drift import FEWEST, drift
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes
from .result import Row, energy_rows
from .scenario import ByVariant, Implementation, Options, Procedure

_VARIANT = "sustained"
_SLOWER_CLOCK = 0.95
"""Of the first windows' clock: below it the cores were throttled, or their boost ended."""
_ROWS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """A stretch of a sustained run, medians over processes.

    Attributes:
        start_s: from the beginning.
        p50_ms: median latency.
        p90_ms: 90th percentile of latency, None where a process had too few queries.
        mhz: the clock, None where unreadable.
    """

    start_s: float
    p50_ms: float
    p90_ms: float | None
    mhz: float | None


@dataclass(frozen=True, slots=True)
class SustainedFigures:
    """One model for minutes.

    Attributes:
        name: the subject's.
        windows: in the order of time.
        drift: change of the median latency from the first window to the last, as a share.
        clock: the last third's clock over the first third's.
        throttled: times the kernel saw the cores throttled for heat, None where it does not count.
        queries: over all processes.
        energy_uj: microjoules of a query.
    """

    name: str
    windows: tuple[WindowFigures, ...]
    drift: Estimate
    clock: Estimate
    throttled: int | None
    queries: int
    energy_uj: Estimate


def _check(request: Request, options: Options) -> None:
    del request
    if options["windows"] < FEWEST:
        raise UsageError(f"{options['windows']}", expected=f"at least {FEWEST}", where="windows")


def _prepare(prepared: Prepared, options: Options) -> Procedure[SustainedFigures]:
    """With one process the interval of the drift rests on its windows, else on the processes."""

    def job(subject: Subject, samples: Path, _: int) -> Job:
        return prepared.load(subject, samples, "sustained", windows=options["windows"])

    return Procedure(
        jobs={_VARIANT: job},
        figures=lambda name, variants, confidence: lasted(name, variants[_VARIANT], confidence),
        most_threads=prepared.request.settings.session.threads,
        cautions=_cautions,
    )


def lasted(name: str, processes: Sequence[ProcessResult], confidence: float) -> SustainedFigures:
    """What sustained runs of one model say.

    Args:
        name: the subject's.
        processes: at least one, each with the same number of `windows` in its answer.
        confidence: of the intervals.
    """
    answers = [process.answer_as(SustainedAnswer) for process in processes]
    runs = [answer.windows for answer in answers]
    throttled = [_throttled(run) for run in runs]
    counted = [events for events in throttled if events is not None]
    return SustainedFigures(
        name=name,
        windows=tuple(_window(same) for same in zip(*runs, strict=True)),
        drift=_drift(runs, confidence),
        clock=_clock(runs, confidence),
        throttled=sum(counted) if len(counted) == len(runs) else None,
        queries=sum(answer.queries for answer in answers),
        energy_uj=over_idle([process.energy for process in processes], confidence),
    )


def about(model: SustainedFigures) -> list[str]:
    """What a reader should know, in plain sentences."""
    sentences = []
    change = model.drift
    if change.value is not None and change.low is not None and change.high is not None:
        ends = f"{100 * change.low:+.1f} to {100 * change.high:+.1f} %"
        if change.low > 0:
            sentences.append(f"{model.name}: slowed down by {100 * change.value:.1f} % ({ends})")
        elif change.high < 0:
            sentences.append(f"{model.name}: sped up by {-100 * change.value:.1f} % ({ends})")
    if model.throttled:
        sentences.append(f"{model.name}: the cores were throttled for heat {model.throttled} times")
    clock = model.clock.value
    if clock is not None and clock < _SLOWER_CLOCK:
        sentences.append(f"{model.name}: the clock fell to {100 * clock:.0f} % of its beginning")
    return sentences


def _cautions(models: Sequence[SustainedFigures], _: Mapping[str, ByVariant]) -> list[str]:
    return [sentence for model in models for sentence in about(model)]


def _drift(runs: Sequence[Sequence[Window]], confidence: float) -> Estimate:
    """Of one run its own, with the interval of its windows; of several, over the processes."""
    drifts = [drift([window.p50_ns for window in run], confidence) for run in runs]
    if len(drifts) == 1:
        return drifts[0]
    values = [change.value or 0.0 for change in drifts]
    slope = f"Theil-Sen slope over {drifts[0].n} windows times their span, over their median"
    over_processes = median_over_processes(values, confidence, "share")
    return replace(over_processes, method=f"{slope}; {over_processes.method}")


def _clock(runs: Sequence[Sequence[Window]], confidence: float) -> Estimate:
    ratios = [_clock_ratio(run) for run in runs]
    readable = [ratio for ratio in ratios if ratio is not None]
    if len(readable) < len(ratios):
        return Estimate.unknown(
            "this machine shows no clock of its cores", "", len(ratios), "ratio"
        )
    return median_over_processes(readable, confidence, "ratio")


def _clock_ratio(run: Sequence[Window]) -> float | None:
    third = len(run) // 3
    first, last = ([window.mhz for window in part] for part in (run[:third], run[-third:]))
    known_first = [mhz for mhz in first if mhz is not None]
    known_last = [mhz for mhz in last if mhz is not None]
    if len(known_first) < len(first) or len(known_last) < len(last):
        return None
    return float(np.median(known_last) / np.median(known_first))


def _throttled(run: Sequence[Window]) -> int | None:
    first, last = run[0].throttled, run[-1].throttled
    return None if first is None or last is None else int(last - first)


def _window(same: Sequence[Window]) -> WindowFigures:
    """One window of every process."""

    def middle(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return float(np.median(known)) if len(known) == len(values) else None

    p90 = middle([window.p90_ns for window in same])
    return WindowFigures(
        start_s=float(np.median([window.start_s for window in same])),
        p50_ms=float(np.median([window.p50_ns for window in same])) / 1e6,
        p90_ms=None if p90 is None else p90 / 1e6,
        mhz=middle([window.mhz for window in same]),
    )


def _rows(figures: SustainedFigures) -> list[Row]:
    throttled = figures.throttled
    events = "unknown: not counted here" if throttled is None else f"{throttled} times"
    step = -(-len(figures.windows) // _ROWS_SHOWN)
    return [
        ("drift", figures.drift),
        ("clock, end over beginning", figures.clock),
        ("throttled for heat", events),
        *energy_rows(figures.energy_uj),
        *((f"from {window.start_s:.1f} s", _shown(window)) for window in figures.windows[::step]),
    ]


def _shown(window: WindowFigures) -> str:
    p90 = "" if window.p90_ms is None else f", p90 {window.p90_ms:.4g} ms"
    clock = "" if window.mhz is None else f", {window.mhz:.0f} MHz"
    return f"p50 {window.p50_ms:.4g} ms{p90}{clock}"


IMPLEMENTATION = Implementation(
    prepare=_prepare, decisive=lambda model: (model.drift,), rows=_rows, check=_check
)
