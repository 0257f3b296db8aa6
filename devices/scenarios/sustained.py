"""What minutes of one query after the other say of a model: does it slow down, and was it heat?

figures = lasted("fp32", processes, 0.95)
about(figures)                  # sentences for a reader
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..onboard.stats.drift import drift
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes
from .figures import SustainedFigures, WindowFigures
from .turns import Sampled

_SLOWER_CLOCK = 0.95
"""Of the first windows' clock: below it the cores were throttled, or their boost ended."""


def lasted(name: str, processes: Sequence[Sampled], confidence: float) -> SustainedFigures:
    """What sustained runs of one model say.

    Args:
        name: the subject's.
        processes: at least one, each with the same number of `windows` in its answer.
        confidence: of the intervals.
    """
    runs = [one.answer["windows"] for one in processes]
    drifts = [drift([one["p50_ns"] for one in run], confidence) for run in runs]
    clocks = [_clock_ratio(run) for run in runs]
    known = [one for one in clocks if one is not None]
    counted = [
        run[-1]["throttled"] - run[0]["throttled"]
        for run in runs
        if run[0]["throttled"] is not None and run[-1]["throttled"] is not None
    ]
    return SustainedFigures(
        name=name,
        windows=tuple(_window(one) for one in zip(*runs, strict=True)),
        drift=drifts[0]
        if len(drifts) == 1
        else _over_processes([one.value or 0.0 for one in drifts], drifts[0].method, confidence),
        clock=median_over_processes(known, confidence, "ratio")
        if len(known) == len(clocks)
        else Estimate.unknown("this machine shows no clock of its cores", "", len(clocks), "ratio"),
        throttled=sum(counted) if len(counted) == len(runs) else None,
        queries=sum(int(one.answer["queries"]) for one in processes),
    )


def about(one: SustainedFigures) -> list[str]:
    """What a reader should know, in plain sentences."""
    said = []
    if one.drift.value is not None and one.drift.low is not None and one.drift.high is not None:
        ends = f"{100 * one.drift.low:+.1f} to {100 * one.drift.high:+.1f} %"
        if one.drift.low > 0:
            said.append(f"{one.name}: slowed down by {100 * one.drift.value:.1f} % ({ends})")
        elif one.drift.high < 0:
            said.append(f"{one.name}: sped up by {-100 * one.drift.value:.1f} % ({ends})")
    if one.throttled:
        said.append(f"{one.name}: the cores were throttled for heat {one.throttled} times")
    if one.clock.value is not None and one.clock.value < _SLOWER_CLOCK:
        said.append(f"{one.name}: the clock fell to {100 * one.clock.value:.0f} % of its beginning")
    return said


def _clock_ratio(run: Sequence[Mapping[str, Any]]) -> float | None:
    third = len(run) // 3
    first, last = ([one["mhz"] for one in part] for part in (run[:third], run[-third:]))
    if None in first or None in last:
        return None
    return float(np.median(last) / np.median(first))


def _window(same: Sequence[Mapping[str, Any]]) -> WindowFigures:
    """One window of every process."""

    def middle(key: str) -> float | None:
        values = [one[key] for one in same]
        return None if None in values else float(np.median(values))

    p90 = middle("p90_ns")
    return WindowFigures(
        start_s=float(np.median([one["start_s"] for one in same])),
        p50_ms=float(np.median([one["p50_ns"] for one in same])) / 1e6,
        p90_ms=None if p90 is None else p90 / 1e6,
        mhz=middle("mhz"),
    )


def _over_processes(values: Sequence[float], what: str, confidence: float) -> Estimate:
    found = median_over_processes(values, confidence, "share")
    method = f"{what.partition(';')[0]}; {found.method}"
    return replace(found, method=method)
