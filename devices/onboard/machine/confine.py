"""Limits on this process: it ends with its parent, and its address space is bounded."""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def confine(parent: int, memory_limit_bytes: int | None) -> None:
    """Tie this process to its parent's life, bound its memory, and let SIGINT end it.

    A parent that ignores SIGINT, as one that a script starts in the background does, hands that on.

    Args:
        parent: process id.
        memory_limit_bytes: of address space; None leaves it open.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _die_with_parent(parent)
    _limit(memory_limit_bytes)


def _die_with_parent(parent: int) -> None:
    """Leave no process behind that would run beside the next build."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)


def _limit(memory_limit_bytes: int | None) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))
