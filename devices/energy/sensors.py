"""Sensors of power that a machine may have: those in `/sys`, and a Raspberry Pi's regulator.

    >>> source = find()                  # doctest: +SKIP
    >>> source.name, source.watts()      # doctest: +SKIP
    ('hwmon ina3221 VDD_IN', 4.872)

One source is chosen, never a sum over chips: two chips may watch the same wire. Of RAPL the
counters are read (`measure.energy`), which are exact over any stretch; a source made of them is for
the idle machine.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ..onboard.machine.system import ROOT, read_text
from ..onboard.measure import energy
from .power import Source

# Drivers whose power is not the processor's: graphics, disks, radios, batteries being charged.
_OTHERS = re.compile(r"amdgpu|radeon|nouveau|i915|xe|nvme|drivetemp|iwlwifi.*|BAT\d*|ucsi.*|AC\d*")
# Rails that are a whole board's input, by the labels of NVIDIA's device trees (Jetson Linux
# Developer Guide, "Power Monitor"); the others of the same chip are parts of them.
_TOTAL = frozenset({"VDD_IN", "POM_5V_IN"})
_BOARD = "the whole board"
_ORDER = ("ina3221", "ina2", "power_meter")
_PERIOD_S, _VCGENCMD_PERIOD_S, _RAPL_PERIOD_S = 0.02, 0.1, 0.1
_RAIL = re.compile(r"(\w+)_([AV])\s+(?:current|volt)\(\d+\)=([\d.]+)[AV]")

Ask = Callable[[], str]


def find(root: Path = ROOT, ask: Ask | None = None) -> Source | str:
    """The best source of this machine, or the reason why there is none.

    In this order: a chip of `/sys/class/hwmon`, a Raspberry Pi 5's own regulator.

    Args:
        root: of the file system whose `/sys` is read.
        ask: returns the text of `vcgencmd pmic_read_adc`; None: the program, where it is installed.
    """
    chips = sorted(_chips(root), key=_preference)
    sources = [source for chip in chips if (source := _of_chip(chip))]
    if sources:
        # A chip with the board's input before one that only has parts of it.
        return min(sources, key=lambda source: source.covers != _BOARD)
    return raspberry_pi(ask or _vcgencmd) or (
        f"no readable power sensor under {root / 'sys/class/hwmon'} and no vcgencmd with "
        "pmic_read_adc"
    )


def rapl(powercap: Path) -> Source | str:
    """The mean power of packages and memory since the last reading, or why there is none."""
    last = energy.read_counters(powercap)
    if isinstance(last, str):
        return last
    before: list[tuple[float, tuple[energy.Counter, ...] | str]] = [(time.monotonic(), last)]

    def watts() -> float:
        now, counters = time.monotonic(), energy.read_counters(powercap)
        (then, old), before[0] = before[0], (now, counters)
        spent, missing = energy.spent_uj(old, counters)
        if isinstance(counters, str) or now <= then:
            raise ValueError(missing)
        return (spent or 0) / 1e6 / (now - then)  # None: they stood still, so nothing was drawn

    time.sleep(_RAPL_PERIOD_S)
    names = ", ".join(counter.name for counter in last)
    return Source(f"RAPL {names}", "package and memory", _RAPL_PERIOD_S, watts)


def raspberry_pi(ask: Ask) -> Source | None:
    """The regulator of a Raspberry Pi 5 by `vcgencmd pmic_read_adc`: volts times amperes of rails.

    What hangs on the 5 V input itself (USB, fan, the regulator's own loss) is in no rail.
    """

    def watts() -> float:
        return sum(rails(ask()).values())

    try:
        if watts() <= 0:
            return None
    except (OSError, ValueError):
        return None
    covers = "the rails of the board's regulator, without USB and losses at the 5 V input"
    return Source("vcgencmd pmic_read_adc", covers, _VCGENCMD_PERIOD_S, watts)


def rails(text: str) -> dict[str, float]:
    """Watts by rail, of the rails that have both a current and a voltage.

    Args:
        text: lines such as `VDD_CORE_A current(7)=1.39A` and `VDD_CORE_V volt(15)=0.72V`.

    Raises:
        ValueError: no rail has both.
    """
    readings = {(name, kind): float(value) for name, kind, value in _RAIL.findall(text)}
    watts = {
        name: value * readings[name, "V"]
        for (name, kind), value in readings.items()
        if kind == "A" and (name, "V") in readings
    }
    if not watts:
        raise ValueError("no rail with a current and a voltage")
    return watts


def _vcgencmd() -> str:
    program = shutil.which("vcgencmd")
    if program is None:
        raise FileNotFoundError("no vcgencmd")
    try:
        return subprocess.run(
            [program, "pmic_read_adc"], capture_output=True, timeout=5, check=True
        ).stdout.decode("utf-8", "replace")
    except subprocess.SubprocessError as error:
        raise ValueError(str(error)) from None


def _chips(root: Path) -> Iterator[Path]:
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        name = read_text(folder / "name") or ""
        if name and not _OTHERS.fullmatch(name):
            yield folder


def _preference(chip: Path) -> tuple[int, str]:
    name = read_text(chip / "name") or ""
    rank = next((i for i, start in enumerate(_ORDER) if name.startswith(start)), len(_ORDER))
    return rank, name


def _of_chip(chip: Path) -> Source | None:
    """A chip's total rail, or the sum of its rails where none is the total."""
    readers = {label: watts for label, watts in _channels(chip) if _reads(watts)}
    total = {label: watts for label, watts in readers.items() if label in _TOTAL}
    chosen = total or readers
    if not chosen:
        return None
    labels = " + ".join(chosen)
    covers = _BOARD if total else f"what hangs on {labels}"
    name = f"hwmon {read_text(chip / 'name')} {labels}"
    return Source(name, covers, _PERIOD_S, lambda: sum(watts() for watts in chosen.values()))


def _channels(chip: Path) -> Iterator[tuple[str, Callable[[], float]]]:
    """Each channel's label and what reads it, by the kernel's units (hwmon sysfs interface)."""
    # power*_input in microwatts; some meters know only an average over their own interval.
    powers = sorted(chip.glob("power*_input")) or sorted(chip.glob("power*_average"))
    for file in powers:
        stem = file.name.rpartition("_")[0]
        label = read_text(chip / f"{stem}_label") or stem
        yield label, partial(_microwatts, file)
    if powers:
        return
    # in*_input in millivolts, curr*_input in milliamperes; the same number is the same channel.
    for current in sorted(chip.glob("curr*_input")):
        number = current.name.removeprefix("curr").removesuffix("_input")
        volts = chip / f"in{number}_input"
        if volts.exists():
            label = read_text(chip / f"in{number}_label") or f"channel {number}"
            yield label, partial(_product, current, volts)


def _reads(watts: Callable[[], float]) -> bool:
    try:
        watts()
    except (OSError, ValueError):
        return False  # a channel that is switched off, or not ours to read
    return True


def _microwatts(file: Path) -> float:
    return _number(file) / 1e6


def _product(milliamperes: Path, millivolts: Path) -> float:
    return _number(milliamperes) * _number(millivolts) / 1e6


def _number(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))
