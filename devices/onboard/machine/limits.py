"""Bounds of a measuring process: the cores it runs on and the memory it may have.

    with memory_group(256 * 2**20) as group:        # in the parent
        ...                                         # the child: join(group), pin((2, 3))

A control group of version 2 bounds what is resident, which is what a small device would have. Where
no such group can be made, the address space is bounded instead (RLIMIT_AS, the worker does it),
which counts what is mapped and never touched as well.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ....errors import MeasureError, UsageError
from . import system
from .system import ROOT, read_text


def pin(cores: Sequence[int]) -> None:
    """Keep this process, and every thread it starts from now on, on these cores.

    Raises:
        UsageError: a core that is not there or not ours.
        MeasureError: this system keeps no process on a core.
    """
    had = system.affinity()
    if had is None:
        raise MeasureError(
            f"{system.name()}, which keeps no process on a core",
            where="cores",
            fix="leave cores out",
        )
    try:
        got = set(system.set_affinity(cores) or ())
    except (OSError, OverflowError):  # EINVAL: none of them is there
        got = set()
    if got != set(cores):  # the kernel leaves out what is not there without a word
        raise UsageError(
            f"core {', '.join(map(str, sorted(set(cores) - got)))}",
            expected=f"some of {', '.join(map(str, had))}",
            where="cores",
        )


@contextmanager
def memory_group(limit_bytes: int | None, root: Path = ROOT) -> Iterator[Path | None]:
    """A control group with this memory and no swap, removed at the end; None if it cannot be made.

    Args:
        limit_bytes: of resident memory; None: no limit, so no group.
        root: of the file system.
    """
    group = None if limit_bytes is None else _make(limit_bytes, root)
    try:
        yield group
    finally:
        if group is not None:
            _remove(group)


def join(group: Path) -> bool:
    """Move this process into a group; False where that is not allowed."""
    try:
        (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
    except OSError:
        return False
    return True


def ran_out(group: Path) -> bool:
    """Whether the kernel ended a process of this group because its memory was used up."""
    events = (read_text(group / "memory.events") or "").splitlines()
    return any(event.startswith("oom_kill ") and event != "oom_kill 0" for event in events)


def _make(limit_bytes: int, root: Path) -> Path | None:
    """Below this process's own group or beside it, whichever hands memory limits down (cgroups(7)).

    A group that holds processes cannot also limit groups below it, so beside is the usual case.
    """
    lines = (read_text(root / "proc/self/cgroup") or "").splitlines()
    own = next((line[3:] for line in lines if line.startswith("0::")), None)
    if own is None:
        return None
    base = root / "sys/fs/cgroup" / own.lstrip("/")
    for parent in (base, base.parent):
        if "memory" not in (read_text(parent / "cgroup.subtree_control") or "").split():
            continue
        group = parent / f"edgestill-{uuid.uuid4().hex}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / "memory.max").write_text(str(limit_bytes), encoding="ascii")
            swap = group / "memory.swap.max"
            if swap.exists():
                swap.write_text("0", encoding="ascii")
        except OSError:
            _remove(group)
            continue
        return group
    return None


def _remove(group: Path) -> None:
    try:
        group.rmdir()
    except OSError:
        return  # a process still ends in it; an empty group costs nothing
