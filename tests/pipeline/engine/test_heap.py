"""What is freed in the context is there for the next allocation; afterwards the system has it."""

import platform
from pathlib import Path

import pytest
from edgestill.devices.onboard.machine import system
from edgestill.pipeline.engine.heap import freed_memory_kept

resource = pytest.importorskip("resource", reason="counts of POSIX systems")

BLOCK = 48 * 2**20
"""Bytes; more than glibc keeps by itself."""
PAGE = resource.getpagesize()


def faults():
    """Page faults of a block that is allocated, cleared and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(BLOCK)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident():
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


@pytest.mark.linux("its C library")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the means")
def test_a_block_that_was_freed_is_kept_in_the_context_and_given_back_after_it():
    usual = min(faults() for _ in range(3))
    with freed_memory_kept():
        faults()
        kept = min(faults() for _ in range(3))
        inside = resident()
    assert kept < usual / 10
    assert resident() < inside - BLOCK / 2
    assert min(faults() for _ in range(3)) > usual / 2


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(system, "libc", lambda: None)
    with freed_memory_kept():
        pass
