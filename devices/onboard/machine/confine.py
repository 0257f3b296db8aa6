"""Limits on this process: it ends with its parent, and its address space is bounded."""

import os
import signal
import sys

from .system import bound, call

_PR_SET_PDEATHSIG, _SIGKILL = 1, 9  # linux/prctl.h; Windows has no signal of that name


def confine(parent: int, memory_limit_bytes: int | None) -> bool:
    """Tie this process to its parent's life, bound its memory, and let SIGINT end it.

    A parent that ignores SIGINT, as one that a script starts in the background does, hands that on.

    Args:
        parent: process id.
        memory_limit_bytes: of address space; None leaves it open.

    Returns:
        Whether the memory is bounded as asked for; some systems cannot.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _die_with_parent(parent)
    bound("CORE", 0)
    return memory_limit_bytes is None or bound("AS", memory_limit_bytes)


def _die_with_parent(parent: int) -> None:
    """Leave no process behind that would run beside the next build.

    Only Linux can. Elsewhere a process whose parent was killed ends with its job.
    """
    if call("prctl", _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0) is None:
        return
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)
