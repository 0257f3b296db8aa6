"""How fast the cores run now, and how often they were throttled for heat.

    read(system.affinity() or ())

Virtual machines mostly show neither, which is None and not zero.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .system import ROOT, read_text

_CPUS = "sys/devices/system/cpu"


@dataclass(frozen=True, slots=True)
class Clock:
    """One reading.

    Attributes:
        mhz: of the fastest of the cores: the one that works. None where unreadable.
        throttled: thermal throttle events of all of them since the kernel started. None where it
            does not count them.
    """

    mhz: float | None
    throttled: int | None


def read(cpus: Sequence[int], root: Path = ROOT) -> Clock:
    """The clocks of these logical cores, from cpufreq's `scaling_cur_freq`, in kHz.

    Not from `/proc/cpuinfo`, which in a virtual machine names the clock it was sold with.
    """
    khz = [_number(root / f"{_CPUS}/cpu{cpu}/cpufreq/scaling_cur_freq") for cpu in cpus]
    readable = [one for one in khz if one is not None]
    events = [
        _number(root / f"{_CPUS}/cpu{cpu}/thermal_throttle/core_throttle_count") for cpu in cpus
    ]
    counted = [event for event in events if event is not None]
    return Clock(
        mhz=max(readable) / 1e3 if readable else None,
        throttled=sum(counted) if counted else None,
    )


def _number(path: Path) -> int | None:
    text = read_text(path)
    return int(text) if text is not None and re.fullmatch(r"[0-9]+", text) else None
