"""What else the machine did while something was measured.

    before = snapshot()
    ...
    for sentence in warnings(before, snapshot()):
        # "other processes used 31 % of this machine's CPU time during the measurement"

Both in the process that starts the measured ones: their CPU time counts as its own once they ended.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .system import ROOT, read_text, ticks_per_second, usage_with_children

# Shares and rates from which a warning is worth a reader's time. Below them, repeated measurements
# of one model on an idle virtual machine did not differ.
_STEAL_SHARE = 0.01
_OTHERS_SHARE = 0.10
_SWITCHES_PER_SECOND = 50.0
OTHERS = "other processes used"
"""What the warning about them begins with."""
OUTLIERS = "above the third quartile by more than 3 interquartile ranges"
"""Which queries are outliers, within their process: "far out" (Tukey, Exploratory Data Analysis,
1977, section 2D)."""
OUTLIERS_SHARE = 0.05
"""Share of outliers from which a warning is worth a reader's time."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Counters of one moment; only differences mean anything.

    Attributes:
        time_s: monotonic clock, seconds.
        total_s: CPU time of all kinds over all cores, seconds; None where unreadable.
        busy_s: the part that ran something in this machine, seconds; None where unreadable.
        steal_s: the part the hypervisor gave to somebody else, seconds; None where unreadable.
        own_s: CPU time of this process and its ended children, seconds; None where unreadable.
        involuntary_switches: times that they were pushed off a core; None where unreadable.
    """

    time_s: float
    total_s: float | None
    busy_s: float | None
    steal_s: float | None
    own_s: float | None
    involuntary_switches: int | None


def outliers(latencies_ns: NDArray[np.int64]) -> int:
    """How many queries of one process are outliers, by the rule that `OUTLIERS` names.

    They are counted, never left out: a deployed model has them too.

    Args:
        latencies_ns: shape (queries,), int64, nanoseconds.
    """
    first, third = np.percentile(latencies_ns, (25, 75))
    return int(np.count_nonzero(latencies_ns > third + 3 * (third - first)))


def snapshot(root: Path = ROOT) -> Disturbance:
    """The counters now."""
    own = usage_with_children()
    first = (read_text(root / "proc/stat") or "").partition("\n")[0].split()
    ticks = [int(word) / ticks_per_second() for word in first[1:9]]
    # user nice system idle iowait irq softirq steal (proc(5)).
    known = len(ticks) == 8
    return Disturbance(
        time_s=time.monotonic(),
        total_s=sum(ticks) if known else None,
        busy_s=sum(ticks[:3]) + sum(ticks[5:7]) if known else None,
        steal_s=ticks[7] if known else None,
        own_s=None if own is None else own.cpu_s,
        involuntary_switches=None if own is None else own.involuntary_switches,
    )


def warnings(before: Disturbance, after: Disturbance) -> tuple[str, ...]:
    """What a reader should know about the time between two snapshots, in plain sentences."""
    said: list[str] = []
    total = _difference(before.total_s, after.total_s)
    steal = _difference(before.steal_s, after.steal_s)
    busy = _difference(before.busy_s, after.busy_s)
    if total and steal is not None and steal / total > _STEAL_SHARE:
        said.append(
            f"the hypervisor withheld {100 * steal / total:.0f} % of the CPU time "
            "during the measurement"
        )
    own = _difference(before.own_s, after.own_s)
    if total and busy is not None and own is not None:
        others = (busy - own) / total
        if others > _OTHERS_SHARE:
            said.append(
                f"{OTHERS} {100 * others:.0f} % of this machine's CPU time during the measurement"
            )
    seconds = after.time_s - before.time_s
    switches = _difference(before.involuntary_switches, after.involuntary_switches)
    if seconds > 0 and switches is not None and switches / seconds > _SWITCHES_PER_SECOND:
        said.append(
            f"the measured processes were pushed off their core {switches / seconds:.0f} "
            "times a second"
        )
    return tuple(said)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
