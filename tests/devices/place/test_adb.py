"""A device behind adb: a program that behaves as `adb shell` does stands in for adb and device."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from edgestill.devices.bench.request import Request
from edgestill.devices.bench.settings import Subject
from edgestill.devices.place.adb import Adb
from edgestill.devices.place.place import place_of
from edgestill.devices.profiles.connection import read
from edgestill.devices.profiles.profile import Profile
from edgestill.devices.scenarios.single_stream import measure
from edgestill.errors import ReachError
from flat_options import flat_settings
from onnx import TensorProto, helper
from onnx_files import save

# As the shell protocol since Android 7: stdin, stdout, stderr and the exit status go through, the
# command runs in a session of its own, and all that it sees of a client that is gone is the end of
# its stdin.
ADB = """#!{python}
import os, subprocess, sys, threading
words = sys.argv[1:]
serial = "0123ABCD"
if words[:1] == ["-s"]:
    serial, words = words[1], words[2:]
if serial != "0123ABCD":
    sys.exit("adb: device '%s' not found" % serial)
assert words[:2] == ["shell", "-T"] and len(words) == 3, words
env = {{"PATH": os.environ["PATH"]}}
device = subprocess.Popen(
    ["/bin/sh", "-c", words[2]], stdin=subprocess.PIPE, start_new_session=True, env=env, cwd="/"
)
def forward():
    try:
        while chunk := os.read(0, 65536):
            device.stdin.write(chunk)
            device.stdin.flush()
        device.stdin.close()
    except BrokenPipeError:
        pass
threading.Thread(target=forward, daemon=True).start()
status = device.wait()
sys.stdout.flush()
os._exit(status)
"""
QUICK = {"seconds": 0.01, "min_queries": 64, "max_queries": 64, "warmup_seconds": 0.05}


@pytest.fixture
def device(tmp_path, monkeypatch):
    """Puts the stand-in on PATH; gives a place for a `[reach]` table."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/adb").write_text(ADB.format(python=sys.executable))
    (tmp_path / "bin/adb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")

    here = os.uname().machine

    def place(arch=here, **changes):
        table = {"via": "adb", "python": sys.executable, "folder": str(tmp_path / "a 'far' one")}
        told = read({**table, **changes}, "reach", Path())
        return place_of(Profile("phone", "P", arch, (), "s", reach=told))

    return place


def _dense(path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [("x", TensorProto.FLOAT, ["n", 8])], [("y", TensorProto.FLOAT, ["n", 8])]
    return save(path, [node], *ends, [("w", np.full((8, 8), 0.01, np.float32))])


@pytest.mark.slow
def test_a_bench_over_adb_gives_figures_and_a_second_one_copies_nothing(device, tmp_path):
    model = Subject("m", _dense(tmp_path / "m.onnx"))
    copies = []
    for turn in range(2):
        out = tmp_path / f"out{turn}"
        found = measure(
            Request(
                [model], flat_settings(processes=1, **QUICK), out, place=device(host="0123ABCD")
            )
        )
        assert found.models[0].p50_ms.value > 0
        assert found.host.kernel == os.uname().release
        far = (tmp_path / "a 'far' one").rglob("*")
        copies.append({one: one.stat().st_mtime_ns for one in far if one.is_file()})
    assert "m.onnx" in {one.name for one in copies[0]}
    assert copies[0] == copies[1]


def test_a_device_that_is_not_there_is_a_clear_error(device):
    with pytest.raises(ReachError, match=r"device 'other' not found.*adb devices"):
        device(host="other").describe()


def test_without_adb_the_error_names_it(device, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReachError, match=r"no program adb.*install adb"):
        device().describe()


def test_a_failure_of_the_command_is_not_taken_for_one_of_the_connection(device):
    with pytest.raises(ReachError, match="no no-such-python"):
        device(python="no-such-python").describe()
    assert Adb(read({"via": "adb"}, "reach", Path())).failure(1, "ImportError: x") is None


def test_a_machine_of_another_architecture_than_the_profiles_is_refused(device):
    with pytest.raises(ReachError, match="expected riscv64, as the profile says"):
        device(arch="riscv64").describe()


def test_the_process_on_the_device_ends_with_its_client(device, tmp_path):
    code = (
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "from edgestill.devices.place.adb import Adb\n"
        "from edgestill.devices.onboard.measure.job import MeasureJob\n"
        "from edgestill.devices.onboard.settings import Timing\n"
        "from edgestill.devices.profiles.connection import read\n"
        "from edgestill.devices.place.remote import Remote\n"
        "told = read(json.loads(sys.argv[1]), 'reach', Path())\n"
        "job = MeasureJob(sys.argv[2], sys.argv[3], timing=Timing(120, max_queries=10**8))\n"
        "Remote(Adb(told), told).run(job, timeout_s=300)\n"
    )
    table = {"via": "adb", "python": sys.executable, "folder": str(tmp_path / "far")}
    model, samples = _dense(tmp_path / "m.onnx"), tmp_path / "s.npy"
    words = [sys.executable, "-c", code, json.dumps(table), str(model), str(samples)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as here:
        assert _until(lambda: _workers(tmp_path), 60)
        here.send_signal(signal.SIGINT)
        here.wait(20)
    assert _until(lambda: not _workers(tmp_path), 20)


def _workers(folder):
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            words, environment = (one / "cmdline").read_bytes(), (one / "environ").read_bytes()
        except OSError:
            continue
        if b"devices.onboard.measure.worker" in words and str(folder).encode() in environment:
            found.append(one.name)
    return found


def _until(true, seconds):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()
