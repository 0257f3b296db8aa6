"""Peak memory of this process over what its imports already held.

    fix_thresholds()            # where nothing is timed
    baseline = begin()          # after the imports, before the model
    ...                         # open, warm up, query
    figure = peak_over(baseline)

Linux keeps a high-water mark of resident memory (VmHWM) that writing 5 into
`/proc/self/clear_refs` sets back to the present (proc(5)). Without setting it back, the mark holds
whatever a Python start-up once touched. What is resident counts every page this process maps, the
runtime's code among them, as if nobody else mapped it; the proportional share (PSS) divides such a
page by how many processes map it.
"""

import gc
from dataclasses import dataclass
from pathlib import Path

from ..machine.system import ROOT, call, name

_PROC = ROOT / "proc/self"
_M_MMAP_THRESHOLD, _LARGE_BYTES = -3, 128 * 1024  # glibc's malloc.h and its first value
_ADDR_NO_RANDOMIZE = 0x0040000  # linux/personality.h


@dataclass(frozen=True, slots=True)
class Memory:
    """One reading of `/proc/self/status`.

    Attributes:
        peak_bytes: most that was resident since the mark was set back (VmHWM).
        resident_bytes: resident now (VmRSS).
    """

    peak_bytes: int
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Peak:
    """Peak memory over the baseline.

    Attributes:
        over_baseline_bytes: VmHWM minus the baseline's VmRSS, None where it could not be had.
        total_bytes: VmHWM, None where it could not be had.
        missing: why they are None.
    """

    over_baseline_bytes: int | None
    total_bytes: int | None
    missing: str | None = None


def fix_thresholds() -> bool:
    """Have malloc take each block from 128 KiB on from the system, and give it back when freed.

    So glibc begins; but a large block that is freed raises the bound to its size, and what is
    smaller then comes from a heap that keeps up to twice as much (mallopt(3), M_MMAP_THRESHOLD).
    How much it keeps is luck: of six matrices of 4 MiB the peak was 46.8, 50.8 or 54.8 MiB by the
    length of the file's path, and 38.1 MiB whatever the path with the bound fixed.

    Returns:
        Whether this malloc has such a bound. Blocks are a little slower to get where it is fixed.
    """
    return bool(call("mallopt", _M_MMAP_THRESHOLD, _LARGE_BYTES))


def addresses_fixed(proc: Path = _PROC) -> bool:
    """Whether this process was started without address randomization."""
    try:
        flags = int((proc / "personality").read_text(encoding="ascii"), 16)
    except (OSError, ValueError):
        return False
    return bool(flags & _ADDR_NO_RANDOMIZE)


def begin(proc: Path = _PROC) -> Memory | str:
    """Tidy the heap, set the high-water mark back, and read where it stands.

    Returns:
        The baseline, or the reason why memory cannot be measured here.
    """
    gc.collect()
    _trim()
    try:
        (proc / "clear_refs").write_text("5", encoding="ascii")
    except FileNotFoundError:
        return f"{name()} has no {proc}/clear_refs, which sets the high-water mark back"
    except OSError as error:
        return f"the high-water mark cannot be set back: {error.strerror or error}"
    return read(proc)


def read(proc: Path = _PROC) -> Memory | str:
    """The present figures, or the reason why there are none."""
    try:
        text = (proc / "status").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"{proc}/status cannot be read: {error.strerror or error}"
    figures = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key in ("VmHWM", "VmRSS"):
            figures[key] = int(value.split()[0]) * 1024
    if "VmHWM" not in figures or "VmRSS" not in figures:
        return f"{proc}/status has no VmHWM and VmRSS"
    return Memory(figures["VmHWM"], figures["VmRSS"])


def share(proc: Path = _PROC) -> int | str:
    """Proportional set size (PSS) in bytes, or the reason why there is none.

    Each page counts once, divided by how many processes map it (proc(5), `smaps_rollup`).
    """
    try:
        text = (proc / "smaps_rollup").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"{proc}/smaps_rollup cannot be read: {error.strerror or error}"
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return f"{proc}/smaps_rollup has no Pss"


def grown(before: int | str, after: int | str) -> tuple[int | None, str | None]:
    """By how much `share` has grown, in bytes; or None and the reason where one is missing."""
    if isinstance(before, str):
        return None, before
    if isinstance(after, str):
        return None, after
    # Negative where meanwhile another process began to map the runtime's code.
    return max(0, after - before), None


def peak_over(baseline: Memory | str, proc: Path = _PROC) -> Peak:
    """Peak since `begin`, over its baseline; the reason where one of them is missing."""
    if isinstance(baseline, str):
        return Peak(None, None, baseline)
    now = read(proc)
    if isinstance(now, str):
        return Peak(None, None, now)
    return Peak(max(0, now.peak_bytes - baseline.resident_bytes), now.peak_bytes)


def _trim() -> None:
    """Give freed heap back, so that the baseline does not hide what the model will take."""
    call("malloc_trim", 0)  # musl has none; the baseline is then a little less repeatable
