"""What one operating system has and another has not: each taken away."""

import ctypes
import os
import re
import types
from pathlib import Path

import pytest
from edgestill.devices.onboard.machine import confine as confining
from edgestill.devices.onboard.machine import host, system


def test_this_system_is_known():
    assert (system.name(), system.release()) == (os.uname().sysname, os.uname().release)
    assert system.affinity() == tuple(sorted(os.sched_getaffinity(0)))
    assert system.available_cores() == len(os.sched_getaffinity(0))
    assert system.memory_bytes() == host.describe().memory_bytes
    assert system.threads() >= 1
    assert system.ticks_per_second() == os.sysconf("SC_CLK_TCK")
    assert system.call("getpid") == os.getpid()


@pytest.mark.parametrize(
    ("says", "is_called"), [("AMD64", "x86_64"), ("arm64", "aarch64"), ("riscv64", "riscv64")]
)
def test_one_architecture_has_one_name(monkeypatch, says, is_called):
    monkeypatch.setattr(system, "_uname", lambda: types.SimpleNamespace(machine=says))
    assert system.machine() == is_called


def test_what_the_system_lacks_is_none(monkeypatch, tmp_path):
    for gone in ("sched_getaffinity", "sched_setaffinity", "sysconf"):
        monkeypatch.delattr(os, gone)
    monkeypatch.setattr(system, "_resource", None)
    assert system.affinity() is None
    assert system.set_affinity([0]) is None
    assert system.available_cores() == os.cpu_count()
    assert system.memory_bytes() is None
    assert system.ticks_per_second() == 100
    used = system.usage()
    assert used.cpu_s > 0
    assert used.involuntary_switches is None
    assert system.usage_with_children() is None
    assert system.switches_between(used, system.usage()) is None
    assert not system.bound("AS", 1)
    assert system.threads(tmp_path) is None
    assert system.call("no_such_function") is None


def test_a_limit_that_this_system_has_not_is_not_set(monkeypatch):
    monkeypatch.setattr(system, "_resource", types.SimpleNamespace())
    assert not system.bound("AS", 1 << 40)

    def too_low(which, limits):
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(system, "_resource", types.SimpleNamespace(RLIMIT_AS=9, setrlimit=too_low))
    monkeypatch.setattr(confining, "_die_with_parent", lambda parent: None)
    assert not confining.confine(os.getpid(), 1 << 40)


def test_a_library_that_cannot_be_reached_is_none(monkeypatch):
    def on_windows(name, **_):
        raise TypeError("LoadLibrary() argument 1 must be str, not None")

    monkeypatch.setattr(ctypes, "CDLL", on_windows)
    assert system.libc() is None
    assert system.call("malloc_trim", 0) is None
    assert system.processor() is None


def test_macos_names_its_processor(monkeypatch):
    told = b"Apple M2\0"

    def sysctlbyname(key, text, size, _, __):
        if key != b"machdep.cpu.brand_string":
            return -1
        size._obj.value = len(told)
        if text is not None:
            ctypes.memmove(text, told, len(told))
        return 0

    library = types.SimpleNamespace(sysctlbyname=sysctlbyname)
    monkeypatch.setattr(system, "libc", lambda: library)
    assert system.processor() == "Apple M2"
    assert system.sysctl("hw.nothing") is None


def test_numpy_finds_the_same_extensions_as_the_kernel():
    """Of those that both know."""
    by_kernel, by_numpy = set(host.describe().features), set(host.features_by_numpy())
    both = set(host._NUMPY.values())
    assert by_numpy == by_kernel & both
    assert host.kernel_class(tuple(by_numpy)) == host.kernel_class(tuple(by_kernel & both))


# --- one door ---------------------------------------------------------------------------------

OF_SOME_SYSTEMS = re.compile(
    r"\bos\.(?:sched_\w+|fork\w*|killpg|uname|sysconf|getuid|geteuid|posix_\w+|nice|getloadavg|"
    r"mkfifo|setsid|getpgid|wait\w*|statvfs|O_DIRECTORY|O_NOFOLLOW|memfd_create)\b"
    r"|\bsignal\.(?:SIGKILL|SIGSTOP|SIGCONT|SIGHUP|SIGUSR\d|SIGALRM|alarm|pthread_kill)\b"
    r"|^\s*(?:import|from) (?:fcntl|resource|termios|pwd|grp|pty|tty)\b"
    r"|CDLL\(None|preexec_fn|start_new_session|/dev/shm",
    re.M,
)
DOORS = {
    "devices/onboard/machine/system.py": {"os.sysconf", "CDLL(None"},
    # Each asks first whether it is there.
    "devices/onboard/machine/child.py": {"os.killpg", "signal.SIGKILL", "start_new_session"},
    "devices/onboard/runtimes/tflite_micro.py": {"os.fork", "os.waitpid"},
    "devices/instructions/setup_emulator.py": {"os.geteuid"},
    # It runs on the device, which is a Linux or Android.
    "devices/onboard/process/agent.py": {"signal.pthread_kill"},
}


def test_what_only_some_systems_have_is_asked_for_behind_the_door():
    root = Path(system.__file__).parents[3]
    found = {}
    for folder in ("devices", "exporters", "pipeline", "toolchains"):
        for path in (root / folder).rglob("*.py"):
            if used := {one.strip() for one in OF_SOME_SYSTEMS.findall(path.read_text("utf-8"))}:
                found[path.relative_to(root).as_posix()] = used
    assert found == DOORS
