"""A device: its instruction set, which decides how a model is compressed, and its figures.

>>> load("raspberry-pi-5").dot_product
True
>>> load("raspberry-pi-5").figures["clock_ghz"].value
2.4

A profile is this machine (``host``), one of ``profiles/*.toml`` by its name, or a ``.toml`` file of
the user's with the same keys, by its path. Such a file may say ``like = "raspberry-pi-5"``: what it
does not say itself is then that profile's, each figure with its source. It is a device of its own.
"""

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ...errors import UsageError, no_read
from ..onboard.machine import host
from . import connection
from .connection import Reach

HOST = "host"
BUNDLED = Path(__file__).parent
Arch = Literal["x86_64", "aarch64"]
ARCHITECTURES: tuple[Arch, ...] = ("x86_64", "aarch64")
_KEYS = {"title": str, "arch": str, "features": list, "source": str}
_QEMU_CPU = "qemu_cpu"
_LIKE = "like"
_PROFILES = "name a device of `edgestill devices list`, or write such a file"
ALIASES: Mapping[str, str] = {
    "rpi5": "raspberry-pi-5",
    "pi5": "raspberry-pi-5",
    "bcm2712": "raspberry-pi-5",
    "cortex-a76": "raspberry-pi-5",
    "rpi4": "raspberry-pi-4",
    "pi4": "raspberry-pi-4",
    "bcm2711": "raspberry-pi-4",
    "cortex-a72": "raspberry-pi-4",
    "rpi3": "cortex-a53",
    "pi3": "cortex-a53",
    "orin": "jetson-orin-nano",
    "jetson": "jetson-orin-nano",
    "pixel": "pixel-big",
    "snapdragon": "snapdragon-8",
    "avx2": "x86-avx2",
    "vnni": "x86-vnni",
    "avx512": "x86-vnni",
    "localhost": HOST,
    "local": HOST,
}
"""Other words for devices; they are suggested, not taken."""
FIGURES: Mapping[str, str] = {
    "cores": "cores of this kind",
    "clock_ghz": "highest sustained clock, GHz",
    "l1d_kib": "level 1 data cache of one core, KiB",
    "l2_kib": "level 2 cache, KiB",
    "l3_kib": "level 3 or system cache, KiB",
    "memory_gib": "main memory, GiB",
    "bandwidth_gb_s": "main memory bandwidth of one core, read and written, 10^9 bytes a second",
    "fp32_gflop_s": "peak of one core in fp32, 10^9 operations a second (a multiply-add is two)",
    "int8_gop_s": "peak of one core in int8, 10^9 operations a second (a multiply-add is two)",
    "idle_watts": "power when idle, watts",
    "busy_watts": "power under load, watts",
    "fp32_mac_pj": "energy of one fp32 multiply-accumulate, picojoules",
    "int8_mac_pj": "energy of one int8 multiply-accumulate, picojoules",
    "byte_pj": "energy of one byte to or from main memory, picojoules",
}
"""The figures a profile may have, with their units; each is a table in the file."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a device and its source.

    Attributes:
        value: the figure, in the unit that ``FIGURES`` names.
        source: a document, or how the figure follows from others.
        low: the lowest possible value, if known.
        high: the highest possible value, if known.
    """

    value: float
    source: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """One device.

    Attributes:
        name: the name that recipes and commands use.
        title: the name for people.
        arch: ``x86_64`` or ``aarch64``, as in ``uname -m``.
        features: instruction set extensions, in the kernel's spelling (``/proc/cpuinfo``; 64-bit
            ARM's ``asimd`` is ``neon``).
        source: the document that states the instruction set.
        figures: further figures, by the names of ``FIGURES``.
        reach: the connection; None if the file has no ``[reach]`` table.
        qemu_cpu: the core's name for ``qemu-aarch64 -cpu``; None if qemu 7.2 lacks it.
    """

    name: str
    title: str
    arch: str
    features: tuple[str, ...]
    source: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    reach: Reach | None = None
    qemu_cpu: str | None = None

    @property
    def saturates(self) -> bool:
        """Whether its int8 kernels saturate sums of two 8-bit products."""
        return host.saturates(self.arch, self.features)

    @property
    def dot_product(self) -> bool:
        """Whether an ARM core multiplies and adds four pairs of int8 in one instruction (sdot)."""
        return "asimddp" in self.features

    @property
    def kernels(self) -> str:
        """The family of matrix kernels that the runtime selects on it."""
        return host.kernel_class(self.features)


def names() -> tuple[str, ...]:
    """The names of this machine and of every bundled profile."""
    return (HOST, *sorted(file.stem for file in BUNDLED.glob("*.toml")))


def load(name: str, *, where: str = "the device") -> Profile:
    """A profile by its name or path.

    Args:
        name: ``host``, a bundled profile's name, or a path ending in ``.toml``.
        where: the key or option that names the device, for a message.

    Raises:
        UsageError: there is no such profile, or the file is not a profile.
    """
    if name == HOST:
        here = host.describe()
        figures = _readable(here)
        return Profile(HOST, here.cpu, here.arch, here.features, "/proc/cpuinfo", figures)
    if name.endswith(".toml"):
        return _read(Path(name).stem, Path(name))
    if name not in names():
        near = suggestion(name)
        raise UsageError(
            found=repr(name),
            expected=f"one of {', '.join(names())}, or the path of a .toml file",
            where=where,
            fix=f"did you mean {near!r}?" if near else None,
        )
    return _read(name, BUNDLED / f"{name}.toml")


def suggestion(name: str) -> str | None:
    """The device that a name may stand for; None where none is near."""
    plain = "-".join(name.lower().replace("_", " ").split())
    if (known := ALIASES.get(plain.replace("-", ""), ALIASES.get(plain))) is not None:
        return known
    near = difflib.get_close_matches(plain, (*names(), *ALIASES), n=1)
    return ALIASES.get(near[0], near[0]) if near else None


def same_device(first: Profile, second: Profile) -> bool:
    """Whether two profiles describe one device: both this machine, or equal except for figures."""
    if _is_here(first) and _is_here(second):
        return True
    return replace(first, figures={}) == replace(second, figures={})


def _is_here(profile: Profile) -> bool:
    if profile.reach is None:
        return profile.name == HOST
    return profile.reach.via == "local"


def _readable(here: host.Host) -> dict[str, Figure]:
    """The figures of this machine that the kernel reports, without a measurement."""
    figures: dict[str, Figure] = {}
    if here.physical_cores:
        figures["cores"] = Figure(here.physical_cores, "/sys/devices/system/cpu/cpu*/topology")
    if clock := host.clock_ghz():
        figures["clock_ghz"] = Figure(round(clock[0], 3), clock[1])
    keys = {1: "l1d_kib", 2: "l2_kib", 3: "l3_kib"}
    for level, size in host.caches().items():
        if level in keys:
            figures[keys[level]] = Figure(size / 1024, "/sys/devices/system/cpu/cpu0/cache")
    if here.memory_bytes:
        figures["memory_gib"] = Figure(round(here.memory_bytes / 1024**3, 2), "/proc/meminfo")
    return figures


def _read(name: str, path: Path, seen: tuple[Path, ...] = ()) -> Profile:
    """A profile from its file; ``seen`` are the files that say they are like it, in order."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise no_read(path, error, UsageError, fix=_PROFILES) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"a profile that cannot be read ({error})", expected="TOML", where=str(path)
        ) from None
    base = _base(document[_LIKE], path, seen) if _LIKE in document else None
    wrong = [
        key
        for key, kind in _KEYS.items()
        if not isinstance(document.get(key), kind) and (key in document or base is None)
    ]
    wrong += [key for key in document if key not in {*_KEYS, *FIGURES, "reach", _QEMU_CPU, _LIKE}]
    if not isinstance(document.get(_QEMU_CPU, ""), str):
        wrong.append(_QEMU_CPU)
    if wrong or not all(isinstance(feature, str) for feature in document.get("features", ())):
        raise UsageError(
            f"the keys {', '.join(sorted(map(str, document)))}",
            expected=f"title, arch, features (a list of strings), source, or {_LIKE} (another "
            f"device's name) and what differs; optional: {_QEMU_CPU} (a string), tables of figures "
            f"({', '.join(FIGURES)}) and [reach]",
            where=str(path),
        )
    if document.get("arch", ARCHITECTURES[0]) not in ARCHITECTURES:
        raise UsageError(
            repr(document["arch"]), expected=" or ".join(ARCHITECTURES), where=f"{path}: arch"
        )
    own: dict[str, Any] = {key: document[key] for key in (*_KEYS, _QEMU_CPU) if key in document}
    if "features" in own:
        own["features"] = tuple(own["features"])
    figures = {key: _figure(document[key], f"{path}: {key}") for key in FIGURES if key in document}
    # How another device is reached says nothing of this one.
    own["reach"] = (
        connection.read(document["reach"], f"{path}: reach", path.parent)
        if "reach" in document
        else None
    )
    if base is None:
        return Profile(name=name, figures=figures, **own)
    return replace(base, name=name, figures={**base.figures, **figures}, **own)


def _base(name: Any, path: Path, seen: tuple[Path, ...]) -> Profile:
    """The profile that a file says it is like: a device's name, or a file beside it.

    Raises:
        UsageError: no such device, or a file that is like itself.
    """
    where = f"{path}: {_LIKE}"
    if not isinstance(name, str):
        raise UsageError(repr(name)[:80], expected="the name of a device", where=where)
    if not name.endswith(".toml"):
        return load(name, where=where)
    other = path.parent / name
    seen = (*seen, path.resolve())
    if other.resolve() in seen:
        circle = " is like ".join(file.name for file in (*seen, other))
        raise UsageError(
            f"a circle: {circle}", where=where, fix="let one of them say all that it is"
        )
    return _read(other.stem, other, seen)


def _figure(table: Any, where: str) -> Figure:
    """A figure from its table of value, source and, optionally, low and high."""
    expected = "a table of value (above 0), source (a string); optional: low <= value <= high"
    if not isinstance(table, dict) or not {"value", "source"} <= set(table):
        raise UsageError(repr(table)[:80], expected=expected, where=where)
    if unknown := sorted(set(table) - {"value", "source", "low", "high"}):
        raise UsageError(f"the key {unknown[0]!r}", expected=expected, where=where)
    numbers = [table[key] for key in ("low", "value", "high") if key in table]
    if (
        any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers)
        or not all(0 < number < math.inf for number in numbers)
        or sorted(numbers) != numbers
        or not isinstance(table["source"], str)
    ):
        raise UsageError(repr(table)[:80], expected=expected, where=where)
    return Figure(**table)
