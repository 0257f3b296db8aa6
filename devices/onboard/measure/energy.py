"""Energy of one inference: counted where a counter is readable, else a declared model.

    before = read_counters()
    ...
    spent_uj(before, read_counters())

A declared model is arithmetic on counted operations and bytes with published figures for one
process node. It ranks two models; it is never the joules of a device, and its text says so.
"""

from dataclasses import dataclass
from pathlib import Path

from ..machine.system import ROOT

_POWERCAP = ROOT / "sys/class/powercap"


@dataclass(frozen=True, slots=True)
class Counter:
    """One RAPL counter's reading, in microjoules; it wraps at `range_uj`."""

    name: str
    energy_uj: int
    range_uj: int


def read_counters(powercap: Path = _POWERCAP) -> tuple[Counter, ...] | str:
    """Each package's and memory's RAPL counter, or the reason why there are none.

    Subzones other than memory (core, uncore) are parts of their package and would count twice.
    """
    counters = []
    try:
        for zone in sorted(powercap.glob("intel-rapl:*")):
            name = (zone / "name").read_text(encoding="ascii").strip()
            if name.startswith("package") or name == "dram":
                energy = int((zone / "energy_uj").read_text(encoding="ascii"))
                wraps_at = int((zone / "max_energy_range_uj").read_text(encoding="ascii"))
                counters.append(Counter(f"{zone.name} {name}", energy, wraps_at))
    except (OSError, ValueError) as error:
        return f"the RAPL counters cannot be read: {error}"
    return tuple(counters) or f"no RAPL counter under {powercap}"


def spent_uj(
    before: tuple[Counter, ...] | str, after: tuple[Counter, ...] | str
) -> tuple[int | None, str | None]:
    """Microjoules between two readings, one wrap-around of each counter allowed.

    Nothing is subtracted for an idle machine here (see `metering`): it is what the packages and
    memory drew.

    Returns:
        The energy and None, or None and the reason.
    """
    if isinstance(before, str):
        return None, before
    if isinstance(after, str):
        return None, after
    if [one.name for one in before] != [one.name for one in after]:
        return None, "the RAPL counters changed during the run"
    total = 0
    for old, new in zip(before, after, strict=True):
        difference = new.energy_uj - old.energy_uj
        total += difference if difference >= 0 else difference + new.range_uj
    # The counters move about once a millisecond; one that stood still measured nothing.
    return (total, None) if total > 0 else (None, "the RAPL counters did not move")
