"""What a machine says of itself at one moment: its clock, its heat, its power, its limits.

    before = now()
    ...
    for sentence in warnings([(before, now())]):
        # "the machine ran on its battery, which may slow it down"

The measured process reads them at both ends of what it times, so standard library and small files
only. Each reader takes the file system's root, so that a test can hand it a machine of paper. What
a machine does not tell is None.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .host import control_groups
from .system import ROOT, call, read_text

# From which a warning is worth a reader's time.
_CLOCK_SHARE = 0.05
_LOW_PERCENT = 20
# `vcgencmd get_throttled` (Raspberry Pi documentation, "vcgencmd"): bits 0 to 3 are now, 16 to 19
# the same since the start.
_FLAGS = ("under-voltage", "a capped clock", "throttling", "the soft temperature limit")
_SINCE_START = 16
_FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
_CPU_COOLING = ("cpufreq", "thermal-cpufreq", "Processor", "processor", "cpu")


@dataclass(frozen=True, slots=True)
class Conditions:
    """A machine at one moment.

    Attributes:
        clock_mhz: of the core that asks (`scaling_cur_freq`).
        governor: of that core.
        temperature_c: of the hottest thermal zone, degrees Celsius.
        over_limit: whether a zone is at its passive trip point or above.
        cooling: steps by which the kernel holds the processor's clock down for heat, summed.
        throttle_events: times that an x86 core or package throttled for heat, since the start.
        firmware_flags: of a Raspberry Pi's firmware.
        quota_periods: periods in which the control groups of this process were throttled.
        quota_s: seconds that they were.
        on_battery: whether no mains are there and a battery discharges.
        battery_percent: what is left in the emptiest.
        steal_s: CPU time that the hypervisor gave to somebody else, over all cores, seconds.
    """

    clock_mhz: float | None = None
    governor: str | None = None
    temperature_c: float | None = None
    over_limit: bool | None = None
    cooling: int | None = None
    throttle_events: int | None = None
    firmware_flags: int | None = None
    quota_periods: int | None = None
    quota_s: float | None = None
    on_battery: bool | None = None
    battery_percent: int | None = None
    steal_s: float | None = None


def now(root: Path = ROOT, ask: Callable[[], str] | None = None) -> Conditions:
    """The conditions at this moment.

    Args:
        root: of the file system whose `/proc` and `/sys` are read.
        ask: gives the text of `vcgencmd get_throttled`, for kernels that do not show it; None: not
            asked, so that a measured process starts no other.
    """
    frequency = _frequency(root)
    zones = list(_zones(root))
    periods, seconds = _throttled(root)
    on_battery, percent = _battery(root)
    return Conditions(
        clock_mhz=clock_mhz(root),
        governor=read_text(frequency / "scaling_governor"),
        temperature_c=max((hot for hot, _ in zones), default=None),
        over_limit=any(limit is not None and hot >= limit for hot, limit in zones)
        if any(limit is not None for _, limit in zones)
        else None,
        cooling=_cooling(root),
        throttle_events=_sum(
            (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
        ),
        firmware_flags=_flags(root, ask),
        quota_periods=periods,
        quota_s=seconds,
        on_battery=on_battery,
        battery_percent=percent,
        steal_s=_steal(root),
    )


def clock_mhz(root: Path = ROOT) -> float | None:
    """The clock of the core that asks; one small file, so cheap enough between two queries."""
    khz = _whole(_frequency(root) / "scaling_cur_freq")
    return None if khz is None else khz / 1000


def vcgencmd() -> str:
    """What `vcgencmd get_throttled` says; empty where there is none."""
    program = shutil.which("vcgencmd")
    if program is None:
        return ""
    try:
        return subprocess.run(
            [program, "get_throttled"], capture_output=True, timeout=5, check=True
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError):
        return ""


def warnings(pairs: Sequence[tuple[Conditions, Conditions]]) -> tuple[str, ...]:
    """What a reader should know, in plain sentences.

    Args:
        pairs: before and after, of each measured process or of all together.
    """
    every = [one for pair in pairs for one in pair]
    said = [*_clock(every), *_heat(pairs, every), *_power(every), *_quota(pairs)]
    return tuple(said)


def _clock(every: Sequence[Conditions]) -> Iterator[str]:
    clocks = [one.clock_mhz for one in every if one.clock_mhz]
    if clocks and max(clocks) > min(clocks) * (1 + _CLOCK_SHARE):
        yield f"the core's clock read {min(clocks):.0f} to {max(clocks):.0f} MHz"
    governors = {one.governor for one in every if one.governor}
    if len(governors) > 1:
        yield f"cores had different frequency governors ({', '.join(sorted(governors))})"


def _heat(
    pairs: Sequence[tuple[Conditions, Conditions]], every: Sequence[Conditions]
) -> Iterator[str]:
    if events := _risen(pairs, "throttle_events"):
        yield f"the processor throttled for heat {events:g} times while something was timed"
    if any(one.cooling for one in every):
        yield "the kernel held the processor's clock down for heat"
    if any(one.over_limit for one in every):
        hottest = max(one.temperature_c for one in every if one.temperature_c is not None)
        yield f"the machine was at its temperature limit ({hottest:.0f} °C)"
    told = 0
    for before, after in pairs:
        current = (before.firmware_flags or 0) | (after.firmware_flags or 0)
        new = (after.firmware_flags or 0) & ~(before.firmware_flags or 0)
        told |= current | new >> _SINCE_START
    if names := [name for bit, name in enumerate(_FLAGS) if told >> bit & 1]:
        yield f"the board's firmware reported {', '.join(names)}"


def _power(every: Sequence[Conditions]) -> Iterator[str]:
    if not any(one.on_battery for one in every):
        return
    left = [one.battery_percent for one in every if one.battery_percent is not None]
    if left and min(left) <= _LOW_PERCENT:
        yield f"the machine ran on a battery with {min(left)} % left, which may slow it down"
    else:
        yield "the machine ran on its battery, which may slow it down"


def _quota(pairs: Sequence[tuple[Conditions, Conditions]]) -> Iterator[str]:
    if periods := _risen(pairs, "quota_periods"):
        yield (
            f"the control group's CPU quota stopped the measured processes in {periods:g} periods, "
            f"for {_risen(pairs, 'quota_s'):.2g} s together"
        )


def _risen(pairs: Sequence[tuple[Conditions, Conditions]], name: str) -> float:
    """By how much a counter rose within the pairs, unknown ones left out."""
    found = ((getattr(before, name), getattr(after, name)) for before, after in pairs)
    return float(sum(max(0, b - a) for a, b in found if a is not None and b is not None))


def _frequency(root: Path) -> Path:
    cpu = call("sched_getcpu") or 0
    return root / f"sys/devices/system/cpu/cpu{max(cpu, 0)}/cpufreq"


def _zones(root: Path) -> Iterator[tuple[float, float | None]]:
    """Each thermal zone's temperature and its lowest passive trip point, degrees Celsius."""
    for zone in (root / "sys/class/thermal").glob("thermal_zone*"):
        hot = _whole(zone / "temp")
        if hot is None:
            continue  # a zone that is switched off
        trips = [
            limit
            for kind in zone.glob("trip_point_*_type")
            if read_text(kind) == "passive"
            # A trip point at 0 or below is one that is not set.
            and (limit := _whole(kind.with_name(kind.name.replace("_type", "_temp"))) or 0) > 0
        ]
        yield hot / 1000, min(trips) / 1000 if trips else None


def _cooling(root: Path) -> int | None:
    devices = (root / "sys/class/thermal").glob("cooling_device*")
    return _sum(
        device / "cur_state"
        for device in devices
        if (read_text(device / "type") or "").startswith(_CPU_COOLING)
    )


def _flags(root: Path, ask: Callable[[], str] | None) -> int | None:
    text = read_text(root / _FIRMWARE) or (ask() if ask else "")
    _, _, value = text.strip().rpartition("=")
    try:
        return int(value, 16)
    except ValueError:
        return None


def _throttled(root: Path) -> tuple[int | None, float | None]:
    """Periods and seconds of throttling, of the process's own control group and those above."""
    periods: list[int] = []
    seconds: list[float] = []
    for folder in control_groups(root):
        lines = (read_text(folder / "cpu.stat") or "").splitlines()
        told = {key: value for key, _, value in (line.partition(" ") for line in lines)}
        if "nr_throttled" in told:
            periods.append(int(told["nr_throttled"]))
            # Version 2 in microseconds, version 1 in nanoseconds.
            micro = float(told.get("throttled_usec", 0))
            seconds.append(micro / 1e6 + float(told.get("throttled_time", 0)) / 1e9)
    return (sum(periods), sum(seconds)) if periods else (None, None)


def _battery(root: Path) -> tuple[bool | None, int | None]:
    supplies = sorted((root / "sys/class/power_supply").glob("*"))
    kinds = {supply: read_text(supply / "type") for supply in supplies}
    mains = any(_whole(one / "online") for one, kind in kinds.items() if kind in ("Mains", "USB"))
    # A wireless mouse has a battery too; its scope says that it is no part of the machine.
    own = [
        one
        for one, kind in kinds.items()
        if kind == "Battery" and read_text(one / "scope") != "Device"
    ]
    if not own:
        return None, None
    draining = any(read_text(one / "status") == "Discharging" for one in own)
    left = [percent for one in own if (percent := _whole(one / "capacity")) is not None]
    return draining and not mains, min(left, default=None)


def _steal(root: Path) -> float | None:
    words = (read_text(root / "proc/stat") or "").partition("\n")[0].split()
    # user nice system idle iowait irq softirq steal (proc(5)), in hundredths of a second for users
    # of every architecture (USER_HZ).
    return int(words[8]) / 100 if len(words) > 8 else None


def _sum(files: Iterator[Path]) -> int | None:
    found = [value for file in files if (value := _whole(file)) is not None]
    return sum(found) if found else None


def _whole(file: Path) -> int | None:
    try:
        return int(read_text(file) or "")
    except ValueError:
        return None
