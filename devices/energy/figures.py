"""Energy of a query over many processes: what was measured over the idle machine, and its ratio.

energy = over_idle([process.answer for process in processes], 0.95)
energy.missing           # why there is none
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes, ratio_over_processes

Answers = Sequence[Mapping[str, Any]]
"""Of one model's processes, in the order of repetitions."""
_IDLE_LEFT_IN = "measured: RAPL counters of package and memory, idle not subtracted"


def missing(answers: Answers) -> str | None:
    """Why no energy was measured; None where every process has one."""
    if all(answer.get("energy_uj") is not None for answer in answers):
        return None
    reasons = (answer.get("energy_missing") for answer in answers)
    return next((str(reason) for reason in reasons if reason), "energy was not measured")


def over_idle(answers: Answers, confidence: float) -> Estimate:
    """Microjoules of a query: the median over processes.

    The interval of the median is widened by what the spread of the idle power leaves open.

    Args:
        answers: at least one.
        confidence: of the interval of the median.

    Returns:
        Unknown where a process has no energy, or no more was drawn than by the idle machine.
    """
    reason = missing(answers)
    if reason is not None:
        return Estimate.unknown(reason, "median over processes", len(answers), "uJ")
    median = median_over_processes(
        [float(answer["energy_uj"]) for answer in answers], confidence, "uJ"
    )
    method = f"{_source(answers)}; {median.method}"
    if median.value is None or median.value <= 0:
        return Estimate.unknown(
            "no more was drawn than by the idle machine", method, median.n, "uJ"
        )
    less, more = (max(_margins(answers, name)) for name in ("less", "more"))
    low = None if median.low is None else max(0.0, median.low - less)
    high = None if median.high is None else median.high + more
    return replace(median, low=low, high=high, method=method)


def ratio_over_idle(of: Answers, over: Answers, confidence: float) -> Estimate:
    """One model's energy over another's, both measured, paired by repetition.

    The interval covers the ratios under the idle power found and under both ends of its spread.
    """
    ratios = []
    for name, sign in (("less", 0.0), ("less", -1.0), ("more", 1.0)):
        moved = [
            [
                float(answer["energy_uj"]) + sign * margin
                for answer, margin in zip(answers, _margins(answers, name), strict=True)
            ]
            for answers in (of, over)
        ]
        if min(map(min, moved)) <= 0:
            why = "no more was drawn than by the idle machine, in one process at least"
            return Estimate.unknown(why, _source(of), len(of), "ratio")
        ratios.append(ratio_over_processes(moved[0], moved[1], confidence))
    middle, method = ratios[0], f"{_source(of)}; {ratios[0].method}"
    lows = [estimate.low for estimate in ratios if estimate.low is not None]
    highs = [estimate.high for estimate in ratios if estimate.high is not None]
    low = min(lows) if len(lows) == len(ratios) else None
    high = max(highs) if len(highs) == len(ratios) else None
    return replace(middle, low=low, high=high, method=method)


def _source(answers: Answers) -> str:
    return str(answers[0].get("energy_method", _IDLE_LEFT_IN))


def _margins(answers: Answers, name: str) -> list[float]:
    """What the idle machine's spread may take off or add, by process."""
    return [float(answer.get(f"energy_{name}_uj", 0.0)) for answer in answers]
