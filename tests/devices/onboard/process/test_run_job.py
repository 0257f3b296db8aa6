"""The process of a job: how it is started, how it dies, what it sees."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edgestill.devices.onboard.machine.child import environment
from edgestill.devices.onboard.measure.job import (
    ProbeJob,
    to_json,
)
from edgestill.devices.onboard.process.run_job import run
from edgestill.errors import MeasureError


def _program(code):
    return (sys.executable, "-c", code)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL.*memory runs out"),
        ("import os; os.abort()", "SIGABRT"),
        ("import sys; sys.exit('went wrong')", r"status 1 \(went wrong\)"),
        ("pass", "without an answer"),
        (
            "import json,sys; open(json.load(sys.stdin)['answer'],'w').write('{')",
            "without an answer",
        ),
        (
            "import json,sys; open(json.load(sys.stdin)['answer'],'w').write('[]')",
            "without an answer",
        ),
    ],
)
def test_a_child_that_dies_or_says_nothing_is_a_measure_error(code, words):
    with pytest.raises(MeasureError, match=words):
        run(ProbeJob(), timeout_s=30, command=_program(code))


def test_a_child_that_cannot_be_started_is_a_measure_error():
    with pytest.raises(MeasureError, match="no process could be started"):
        run(ProbeJob(), timeout_s=30, command=("/no/such/program",))


def _gone(pid):
    """Whether a process has ended; waits for the kernel to say so."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_child_that_hangs_is_ended_when_its_time_is_up(tmp_path):
    noted = tmp_path / "pid"
    code = f"import os,time; open({str(noted)!r},'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(MeasureError, match="no answer after 1 s"):
        run(ProbeJob(), timeout_s=1, command=_program(code))
    assert _gone(int(noted.read_text()))


def test_an_interrupted_parent_ends_its_child(tmp_path):
    noted = tmp_path / "pid"
    child = f"import os,time; open({str(noted)!r},'w').write(str(os.getpid())); time.sleep(600)"
    parent = (
        "import sys\n"
        "from edgestill.devices.onboard.measure.job import ProbeJob\n"
        "from edgestill.devices.onboard.process.run_job import run\n"
        f"run(ProbeJob(), timeout_s=600, command=(sys.executable, '-c', {child!r}))\n"
    )
    started = subprocess.Popen(_program(parent), stderr=subprocess.DEVNULL)
    while not (noted.exists() and noted.read_text()):
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    assert started.wait(timeout=60) == -signal.SIGINT
    assert _gone(int(noted.read_text()))


def test_a_worker_does_not_outlive_its_parent(tmp_path):
    noted = tmp_path / "pid"
    envelope = {"job": to_json(ProbeJob()), "answer": str(tmp_path / "a.json")}
    # The grandchild sets its death signal, then waits in a fifo that nobody opens.
    os.mkfifo(tmp_path / "never")
    grandchild = (
        "import os, sys\n"
        "from edgestill.devices.onboard.machine.confine import _die_with_parent\n"
        "_die_with_parent(os.getppid())\n"
        f"open({str(noted)!r}, 'w').write(str(os.getpid()))\n"
        f"open({str(tmp_path / 'never')!r})\n"
    )
    parent = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {grandchild!r}])\n"
        f"while not (os.path.exists({str(noted)!r}) and os.path.getsize({str(noted)!r})):\n"
        "    time.sleep(0.01)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(_program(parent), input=json.dumps(envelope), text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert _gone(int(noted.read_text()))


def test_a_child_sees_none_of_our_switches():
    found = environment(3, {"PATH": "/bin", "LD_PRELOAD": "x.so", "OMP_NUM_THREADS": "64"})
    assert found["PATH"] == "/bin"
    assert found["OMP_NUM_THREADS"] == "3"
    assert found["OPENBLAS_NUM_THREADS"] == "1"
    assert found["ORT_DISABLE_TELEMETRY"] == "1"
    assert "LD_PRELOAD" not in found
