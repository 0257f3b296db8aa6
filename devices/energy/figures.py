"""Energy of a query over many processes: what was measured over the idle machine, and its ratio.

energy = over_idle([process.energy for process in processes], 0.95)
energy.missing           # why there is none
"""

from collections.abc import Sequence
from dataclasses import replace

from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import median_over_processes, ratio_over_processes
from .query_energy import QueryEnergy

Energies = Sequence[QueryEnergy]
"""Of one model's processes, in the order of repetitions."""
_IDLE_LEFT_IN = "measured: RAPL counters of package and memory, idle not subtracted"


def missing(energies: Energies) -> str | None:
    """Why no energy was measured; None where every process has one."""
    if all(energy.uj is not None for energy in energies):
        return None
    reasons = (energy.missing for energy in energies)
    return next((str(reason) for reason in reasons if reason), "energy was not measured")


def over_idle(energies: Energies, confidence: float) -> Estimate:
    """Microjoules of a query: the median over processes.

    The interval of the median is widened by what the spread of the idle power leaves open.

    Args:
        energies: at least one.
        confidence: of the interval of the median.

    Returns:
        Unknown where a process has no energy, or no more was drawn than by the idle machine.
    """
    reason = missing(energies)
    if reason is not None:
        return Estimate.unknown(reason, "median over processes", len(energies), "uJ")
    median = median_over_processes(_measured(energies), confidence, "uJ")
    method = f"{_source(energies)}; {median.method}"
    if median.value is None or median.value <= 0:
        return Estimate.unknown(
            "no more was drawn than by the idle machine", method, median.n, "uJ"
        )
    less, more = (max(_margins(energies, name)) for name in ("less", "more"))
    low = None if median.low is None else max(0.0, median.low - less)
    high = None if median.high is None else median.high + more
    return replace(median, low=low, high=high, method=method)


def ratio_over_idle(of: Energies, over: Energies, confidence: float) -> Estimate:
    """One model's energy over another's, both measured, paired by repetition.

    The interval covers the ratios under the idle power found and under both ends of its spread.
    """
    ratios = []
    for name, sign in (("less", 0.0), ("less", -1.0), ("more", 1.0)):
        moved = [
            [
                uj + sign * margin
                for uj, margin in zip(_measured(energies), _margins(energies, name), strict=True)
            ]
            for energies in (of, over)
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


def _measured(energies: Energies) -> list[float]:
    return [energy.uj for energy in energies if energy.uj is not None]


def _source(energies: Energies) -> str:
    return energies[0].method or _IDLE_LEFT_IN


def _margins(energies: Energies, name: str) -> list[float]:
    """What the idle machine's spread may take off or add, by process."""
    return [energy.less_uj if name == "less" else energy.more_uj for energy in energies]
