"""The one door to what only some operating systems have.

    affinity()                  # (0, 1); None on macOS and Windows
    machine()                   # 'aarch64', also where the system calls it arm64

Nothing here raises because of a system: what one lacks is None, or False where it should do
something. Standard library only, for every measured process imports it.
"""

import ctypes
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path("/")
"""Root of the file system whose `/proc` and `/sys` are read."""
WINDOWS = os.name == "nt"
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
_SYSTEMS = {"Darwin": "macOS"}


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


_resource: Any = _module("resource")


@dataclass(frozen=True, slots=True)
class Usage:
    """What processes have used so far.

    Attributes:
        cpu_s: CPU time, seconds.
        involuntary_switches: times that they were pushed off a core; None where the system does
            not count them.
    """

    cpu_s: float
    involuntary_switches: int | None


def name() -> str:
    """The system's name, such as `Linux`, `macOS` or `Windows`."""
    kind = _uname().system
    return _SYSTEMS.get(kind, kind) or sys.platform


def release() -> str:
    """The kernel's release."""
    return str(_uname().release)


def machine() -> str:
    """The architecture in Linux's words (`uname -m`)."""
    kind = str(_uname().machine)
    return _ARCHITECTURES.get(kind.lower(), kind)


def affinity() -> tuple[int, ...] | None:
    """Logical cores that this process may run on, ascending; None where no system call tells."""
    ask = getattr(os, "sched_getaffinity", None)
    return None if ask is None else tuple(sorted(ask(0)))


def set_affinity(cores: Sequence[int]) -> tuple[int, ...] | None:
    """Keep this process on these cores; the cores that it got, None where that cannot be asked for.

    Raises:
        OSError: none of them is there.
        OverflowError: the same.
    """
    keep = getattr(os, "sched_setaffinity", None)
    if keep is None:
        return None
    keep(0, cores)
    return affinity()


def available_cores() -> int:
    """How many logical cores this process may use, as far as the system tells."""
    allowed = affinity()
    return len(allowed) if allowed else os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Main memory, for systems without `/proc/meminfo`; None where it is not told."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _windows_memory()


def libc() -> Any:
    """The C library that this process has loaded; None where it cannot be reached by no name."""
    try:
        return ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):
        return None


def call(function: str, *arguments: Any) -> int | None:
    """What a function of the C library returns; None where it has no such function."""
    try:
        return int(getattr(libc(), function)(*arguments))
    except (AttributeError, OSError):
        return None


def sysctl(key: str) -> str | None:
    """A text of macOS's `sysctl`; None where there is none."""
    size, library = ctypes.c_size_t(0), libc()
    ask = getattr(library, "sysctlbyname", None)
    if ask is None or ask(key.encode(), None, ctypes.byref(size), None, ctypes.c_size_t(0)):
        return None
    text = ctypes.create_string_buffer(size.value)
    if ask(key.encode(), text, ctypes.byref(size), None, ctypes.c_size_t(0)):
        return None
    return text.value.decode("utf-8", "replace").strip() or None


def processor() -> str | None:
    """The processor's name on macOS and Windows; None where nothing tells it."""
    if told := sysctl("machdep.cpu.brand_string"):
        return told
    registry = _module("winreg")
    if registry is None:
        return None
    path = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
    try:
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, path) as key:
            return str(registry.QueryValueEx(key, "ProcessorNameString")[0]).strip() or None
    except OSError:
        return None


def usage() -> Usage:
    """What this process has used."""
    if _resource is None:
        return Usage(time.process_time(), None)
    return _usage_of(_resource.RUSAGE_SELF)


def switches_between(before: Usage, after: Usage) -> int | None:
    """Involuntary switches between two readings; None where they are not counted."""
    if before.involuntary_switches is None or after.involuntary_switches is None:
        return None
    return after.involuntary_switches - before.involuntary_switches


def usage_with_children() -> Usage | None:
    """The same with its children that have ended; None where the system does not add them up."""
    if _resource is None:
        return None
    own, theirs = _usage_of(_resource.RUSAGE_SELF), _usage_of(_resource.RUSAGE_CHILDREN)
    return Usage(
        own.cpu_s + theirs.cpu_s,
        (own.involuntary_switches or 0) + (theirs.involuntary_switches or 0),
    )


def bound(what: str, most: int) -> bool:
    """Bound what this process may use; False where this system cannot.

    Args:
        what: `AS` (address space), `CORE` (a core dump) or `FSIZE` (each file), in bytes.
        most: the bound.
    """
    try:
        _resource.setrlimit(getattr(_resource, f"RLIMIT_{what}"), (most, most))
    except (AttributeError, ValueError, OSError):
        return False
    return True


def threads(root: Path = ROOT) -> int | None:
    """Threads of this process, those of libraries too; None where the kernel does not tell."""
    try:
        return sum(1 for _ in (root / "proc/self/task").iterdir())
    except OSError:
        return None


def ticks_per_second() -> int:
    """The unit of CPU time in `/proc/stat`."""
    try:
        return os.sysconf("SC_CLK_TCK")
    except (AttributeError, ValueError, OSError):
        return 100


def read_text(path: Path) -> str | None:
    """A small pseudo file's text, stripped; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n\t")
    except OSError:
        return None


def _usage_of(who: int) -> Usage:
    used = _resource.getrusage(who)
    return Usage(used.ru_utime + used.ru_stime, used.ru_nivcsw)


def _uname() -> Any:
    # Imported here: most measured processes do not ask.
    import platform

    return platform.uname()


def _windows_memory() -> int | None:
    class Status(ctypes.Structure):
        # MEMORYSTATUSEX of sysinfoapi.h.
        _fields_ = [
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            ("total", ctypes.c_uint64),
            ("rest", ctypes.c_uint64 * 6),
        ]

    status = Status(length=ctypes.sizeof(Status))
    try:
        told = ctypes.WinDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined,unused-ignore]
    except (AttributeError, OSError):
        return None
    return int(status.total) if told else None
