"""Child processes: how they end, what they wrote last, and that nothing of them is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edgestill.devices.onboard.machine import system
from edgestill.devices.onboard.machine.child import (
    Ending,
    end,
    environment,
    finish,
    last_line,
    start,
)
from edgestill.errors import MeasureError

NAP = (sys.executable, "-c", "import time; time.sleep(600)")


def _python(code, *arguments):
    return (sys.executable, "-c", code, *arguments)


def test_a_child_reads_its_text_and_ends_with_its_words():
    code = "import sys; sys.exit('got ' + sys.stdin.read())"
    ending = finish(_python(code), "three", timeout_s=60, where=None)
    assert ending.how == "ended with status 1 (got three)"
    assert ending.signal is None


@pytest.mark.parametrize(
    ("status", "how"),
    [(3, "ended with status 3"), (-9, "was ended by SIGKILL"), (-99, "was ended by signal 99")],
)
def test_an_end_is_named_by_status_or_signal(status, how):
    assert Ending(status, "").how == how
    assert Ending(status, "a\nlast \x1b[1m\n\n").how == f"{how} (last ?[1m)"


def test_a_child_whose_time_is_up_leaves_nothing_that_it_started(tmp_path):
    noted = tmp_path / "pid"
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen({NAP!r})\n"
        "open(sys.argv[1], 'w').write(str(child.pid))\n"
        "child.wait()\n"
    )
    assert finish(_python(code, str(noted)), "", timeout_s=2, where=None) is None
    until = time.monotonic() + 30
    while _lives(int(noted.read_text())) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _lives(int(noted.read_text()))


def _lives(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def test_a_program_that_is_missing_is_named():
    with pytest.raises(MeasureError, match=r"m\.onnx: .*no process could be started"):
        finish(("/no/such/program",), "", timeout_s=1, where="m.onnx")


def test_a_child_gets_only_variables_that_change_no_figure():
    given = {"PATH": "/bin", "LD_PRELOAD": "x.so", "OMP_NUM_THREADS": "64"}
    made = environment(3, given)
    assert (made["PATH"], made["OMP_NUM_THREADS"], "LD_PRELOAD" in made) == ("/bin", "3", False)


def test_a_long_last_line_is_cut():
    assert len(last_line("x" * 1000)) == 303
    assert last_line(" \n\n") == ""


def test_sigint_ends_a_child_of_a_parent_that_ignores_it(tmp_path):
    child = (
        "import os, sys, time\n"
        "from edgestill.devices.onboard.machine.confine import confine\n"
        "confine(os.getppid(), None)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    had = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        started = subprocess.Popen(_python(child), stdout=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, had)
    with started:
        assert started.stdout.readline() == b"ready\n"
        os.kill(started.pid, signal.SIGINT)
        assert started.wait(timeout=60) == -signal.SIGINT


# --- Windows ----------------------------------------------------------------------------------


def test_windows_children_get_what_no_program_starts_without(monkeypatch):
    given = {"PATH": "C:\\", "SYSTEMROOT": "C:\\Windows", "TEMP": "C:\\Temp", "LD_PRELOAD": "x"}
    assert "SYSTEMROOT" not in environment(1, given)
    monkeypatch.setattr(system, "WINDOWS", True)
    made = environment(1, given)
    assert (made["SYSTEMROOT"], made["TEMP"]) == ("C:\\Windows", "C:\\Temp")
    assert "LD_PRELOAD" not in made


def test_windows_faults_are_named_like_the_signals_of_the_same_meaning(monkeypatch):
    assert Ending(0xC0000005, "").how == "ended with status 3221225477"
    monkeypatch.setattr(system, "WINDOWS", True)
    assert Ending(0xC0000005, "").how == "was ended by SIGSEGV"
    assert Ending(3, "").how == "ended with status 3"


def test_without_process_groups_the_tree_is_ended_by_windows_own_tool(monkeypatch, tmp_path):
    """`taskkill` of the test writes down what it is asked for, and the child itself is killed."""
    tool, asked = tmp_path / "taskkill", tmp_path / "asked"
    tool.write_text(f'#!/bin/sh\necho "$@" > {asked}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delattr(os, "killpg")
    with start(NAP, threads=1, where=None) as child:
        end(child)
        assert asked.read_text() == f"/T /F /PID {child.pid}\n"
        assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("Traceback\nOSError: 24425 requested and 22512 written\n", "the disk is full"),
        ("OSError: [Errno 27] File too large", "the limit of a file's size is too small"),
        ("OSError: [Errno 122] Disk quota exceeded: 'x'", "the disk quota is used up"),
        ("ValueError: no", None),
        ("", None),
    ],
)
def test_an_end_that_the_disk_caused_is_told_as_such(words, said):
    assert Ending(1, words).disk == said
