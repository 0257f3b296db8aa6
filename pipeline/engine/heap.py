"""The C library's heap while torch computes: what is freed stays for what is allocated next.

A training step allocates and frees the same megabytes each time. glibc returns such blocks to the
system, which has to map and clear their pages again at the next step: 4,500 page faults a step of a
ResNet-8, and a tenth of its time in bfloat16 (DECISIONS.md).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ...devices.onboard.machine import system

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt`` (glibc's malloc.h)."""
_KEEP = {_MMAP_THRESHOLD: 2**30, _TRIM_THRESHOLD: 2**31 - 1}
_USUAL = {_MMAP_THRESHOLD: 2**25, _TRIM_THRESHOLD: 2**26}
"""What glibc itself ends at in a process that frees large blocks (mallopt(3))."""


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory in the process, and give it back at the end; other libraries lack both."""
    _set(_KEEP)
    try:
        yield
    finally:
        _set(_USUAL)
        system.call("malloc_trim", 0)


def _set(values: Mapping[int, int]) -> None:
    for parameter, value in values.items():
        system.call("mallopt", parameter, value)
