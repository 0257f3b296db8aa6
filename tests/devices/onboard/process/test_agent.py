"""The far side of a remote measurement, as a program that reads one line and answers with one."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from edgestill.devices.onboard.measure.job import MeasureJob, ProbeJob, ScenarioJob, to_json
from edgestill.devices.onboard.settings import Timing
from edgestill.devices.place.remote import worker_bundle
from onnx_files import dense

MARKER = "0123abcd"
# The copy is imported, whatever other one is installed.
PROGRAM = """
import importlib.machinery, sys

class Copied:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "edgestill":
            return importlib.machinery.PathFinder.find_spec(name, [sys.argv[1]])
        return None

sys.meta_path.insert(0, Copied)
from edgestill.devices.onboard.process.agent import main
main()
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The files as they lie on a device."""
    folder = tmp_path_factory.mktemp("device")
    bundle = worker_bundle()
    for name, source in bundle.sources.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return folder / bundle.name


@pytest.fixture
def agent(copy):
    """The program, waiting for its line."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM, str(copy)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        yield program
        program.kill()


def _send(agent, **request):
    agent.stdin.write(json.dumps({**request, "marker": MARKER}).encode() + b"\n")
    agent.stdin.flush()


def _answer(agent):
    """What stands behind the marker; stdin stays open meanwhile."""
    _, found, answer = agent.stdout.read().rpartition(f"\n{MARKER}".encode())
    assert found, agent.stderr.read().decode()
    return json.loads(answer)


def _run(job, **limits):
    unlimited = {"timeout_s": 60, "memory_limit_bytes": None, "cores": []}
    return {"ask": "run", "job": to_json(job), **unlimited, **limits}


def test_the_host_describes_itself(agent):
    _send(agent, ask="host")
    host = _answer(agent)["host"]
    assert host["arch"] == os.uname().machine
    assert host["logical_cores"] == os.cpu_count()


def test_a_job_runs_within_its_limits_and_its_samples_come_back(agent, tmp_path):
    core = max(os.sched_getaffinity(0))
    timing = Timing(0.005, min_queries=20, max_queries=64, warmup_seconds=0.02)
    path = dense(tmp_path / "m.onnx", layers=1, width=8)
    _send(agent, **_run(MeasureJob(str(path), "elsewhere/s.npy", timing=timing), cores=[core]))
    found = _answer(agent)
    samples = np.load(io.BytesIO(base64.b64decode(found["results"])), allow_pickle=False)
    assert len(samples) == found["answer"]["queries"] >= 20
    assert found["answer"]["process"]["cores"] == [core]
    before, after = found["disturbance"]
    assert before["time_s"] < after["time_s"]


def test_a_job_without_samples_has_none(agent):
    _send(agent, **_run(ProbeJob()))
    assert _answer(agent)["results"] is None


def test_a_refusal_is_an_answer(agent, tmp_path):
    _send(agent, **_run(MeasureJob(str(tmp_path / "absent.onnx"), "s.npy")))
    error = _answer(agent)["error"]
    assert error["kind"] == "ModelError"
    assert error["where"] == str(tmp_path / "absent.onnx")


def test_the_end_of_stdin_ends_a_measurement(agent, tmp_path):
    path = dense(tmp_path / "m.onnx", layers=1, width=8)
    # One query a second, for ten minutes.
    job = ScenarioJob(str(path), "server", "s.npy", timing=Timing(600.0, warmup_seconds=0.02))
    _send(agent, **_run(job, timeout_s=900))
    agent.stdin.close()
    assert agent.wait(timeout=60) != 0
    assert MARKER.encode() not in agent.stdout.read()
