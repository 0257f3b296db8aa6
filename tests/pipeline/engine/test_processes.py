"""Builds by torchrun: repeatable, as by one process, resumed, ended where a process is gone."""

import hmac
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch.distributed as dist
from edgestill.devices.accelerators import Device
from edgestill.errors import HostError, ModelError, UsageError
from edgestill.pipeline.engine import processes
from edgestill.pipeline.engine.compute import Compute, computing
from edgestill.pipeline.engine.processes import Job, job_of, led, shared
from edgestill.pipeline.engine.ranks import LostError, ShareEndedError, current
from edgestill.pipeline.stages import STUDENT, TARGETS
from safetensors.numpy import load_file

ONE = Compute(1)
TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


def test_torchrun_s_variables_make_a_job_and_anything_less_does_not():
    job = job_of(TORCHRUN)
    assert (job.rank, job.size) == (1, 2)
    assert job_of({**TORCHRUN, "WORLD_SIZE": "1"}) is None
    for name in TORCHRUN:
        assert job_of({key: value for key, value in TORCHRUN.items() if key != name}) is None


class Grouped:
    """Two jobs of this process, one a thread, that need no process group."""

    def __init__(self, monkeypatch, does):
        self.store = dist.HashStore()
        self.first, self.second = (Job(rank, 2, lambda: self.store) for rank in range(2))
        monkeypatch.setattr(Job, "_ranks", lambda self, compute: self.rank)
        monkeypatch.setattr(processes, "function_of", lambda stage: does)
        monkeypatch.setattr(processes, "sharing", lambda ranks: computing(ONE), raising=False)
        self.ended = None

    def __enter__(self):
        def follow():
            try:
                self.ended = self.second.follow()
            except BaseException as error:  # noqa: BLE001 - looked at by the test
                self.ended = error

        self.thread = threading.Thread(target=follow)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.first.over()
        self.thread.join(60)


def test_the_others_take_part_in_a_training_when_it_begins_and_end_with_the_first(
    monkeypatch, tmp_path
):
    seen = []

    def train(out, progress, inputs, work):
        seen.append((inputs, work, out.is_dir()))
        raise ShareEndedError

    with Grouped(monkeypatch, train) as jobs, led(jobs.first):
        for inputs in ("one", "two"):
            with shared(STUDENT, inputs, ONE, tmp_path):
                assert current().size == 2
                assert not seen[1:]
                current().called()
        with shared(STUDENT, "never trains", ONE, tmp_path):
            pass
        with shared(TARGETS, "alone", ONE, tmp_path):
            assert current().size == 1
    assert seen == [("one", tmp_path, True), ("two", tmp_path, True)]
    assert jobs.ended is None


class Opened:
    """Tells when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a stranger's task was unpickled",)


@pytest.mark.parametrize(
    "seal", [b"", bytes(32), hmac.digest(b"", pickle.dumps(Opened()), "sha256")]
)
def test_a_task_that_no_process_of_the_job_sealed_is_not_unpickled(seal):
    store = dist.HashStore()
    store.set("task/0", seal + pickle.dumps(Opened()))
    with pytest.raises(HostError, match="a task that no process of this job sent"):
        Job(1, 2, lambda: store, "secret").follow()


@pytest.mark.linux("the kernel's table of listening ports")
def test_the_store_of_a_job_that_is_started_here_listens_on_loopback_alone():
    store = processes._own_store()
    port = f":{store.port:04X}"
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    addresses = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(port)]
    assert addresses == [f"0100007F{port}"]
    store.set("key", "value")
    other = dist.TCPStore("127.0.0.1", store.port, is_master=False, wait_for_workers=False)
    assert other.get("key") == b"value"


def test_a_job_has_the_secret_that_its_first_process_gave():
    sealed = [
        job_of({**TORCHRUN, **more})._seal(b"task")
        for more in ({}, {"EDGESTILL_JOB_SECRET": "a"}, {"EDGESTILL_JOB_SECRET": "b"})
    ]
    assert len(set(sealed)) == 3
    assert sealed[1] == Job(0, 2, dist.HashStore, "a")._seal(b"task")


def test_what_all_processes_meet_is_told_by_the_first_alone(monkeypatch, tmp_path):
    def train(out, progress, inputs, work):
        raise ModelError("a loss of nan")

    def lead(first):
        with led(first), shared(STUDENT, "", ONE, tmp_path):
            current().called()
            raise ModelError("a loss of nan")

    with Grouped(monkeypatch, train) as jobs:
        with pytest.raises(ModelError, match="a loss of nan"):
            lead(jobs.first)
        jobs.thread.join(60)
    assert jobs.ended is None


def test_what_one_process_meets_ends_the_job_with_its_words(monkeypatch, tmp_path):
    def train(out, progress, inputs, work):
        raise ModelError("no such file: samples.npy")

    monkeypatch.setattr(processes, "_GRACE_S", 0.5)

    def lead(jobs):
        with led(jobs.first), shared(STUDENT, "", ONE, tmp_path):
            current().called()
            jobs.thread.join(60)
            raise LostError("a process that has ended", where="training")

    with (
        Grouped(monkeypatch, train) as jobs,
        pytest.raises(LostError, match=r"process 1 of 2 failed: no such file: samples\.npy"),
    ):
        lead(jobs)
    assert isinstance(jobs.ended, ModelError)


def test_apple_s_gpu_is_not_shared(monkeypatch):
    monkeypatch.setattr(processes, "_job", Job(0, 2, dist.HashStore))
    with (
        pytest.raises(HostError, match="Apple's GPU is not shared"),
        shared(STUDENT, "", Compute(1, Device("mps")), None),
    ):
        pass


def test_a_machine_with_another_device_is_refused():
    with pytest.raises(HostError, match="expected cuda"):
        processes._check_alike(Compute(1, Device("cuda", "of paper")))


def test_a_cluster_and_several_processes_do_not_go_together(monkeypatch):
    with pytest.raises(UsageError, match="several processes and --engine ray"):
        processes.started(2, "ray").__enter__()
    monkeypatch.setattr(processes, "_job", Job(0, 2, dist.HashStore))
    with pytest.raises(UsageError, match="several processes and --engine ray"):
        processes.started(1, "ray").__enter__()


# --- real processes -----------------------------------------------------------------------------


def write(folder, epochs=3):
    """Handwritten digits, a convolutional student with batch norm, batches of 33."""
    recipe = "\n".join(
        [
            'name = "shared"', "threads = 1", "[data]", 'source = "digits"',
            "[augment]", "crop = 1",
            "[teacher]", 'model = "resnet8"', "width = 4", "epochs = 1", "batch_size = 33",
            "learning_rate = 0.01",
            "[student]", 'model = "resnet8"', "width = 4",
            "[distill]", f"epochs = {epochs}", "batch_size = 33", "learning_rate = 0.01",
            "losses = { dist = 1.0 }",
            "[gate]", "min_accuracy = 0.1",
        ]
    )  # fmt: skip
    path = folder / "recipe.toml"
    path.write_text(recipe)
    return path


RUNNER = """
import os, sys, time
from edgestill.pipeline.distill import loop

loop.SECONDS_BETWEEN_CHECKPOINTS = 0.0
step = loop._Trainer._step
def slowly(self, batch):
    step(self, batch)
    time.sleep(float(os.environ.get("SECONDS_A_STEP", "0")))
loop._Trainer._step = slowly
from edgestill.__main__ import main
main()
"""
"""edgestill with a checkpoint behind every step, which may take longer."""


def started(recipe, artifacts, processes, *options, **environment):
    """A build by so many processes, running."""
    runner = recipe.parent / "runner.py"
    runner.write_text(RUNNER)
    run = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--standalone"]
    build = [runner, "build", recipe, "--artifacts", artifacts, "--until", "student", *options]
    return subprocess.Popen(
        [sys.executable, *(run if processes > 1 else ()), *build],
        env={**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", **environment},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def built(recipe, artifacts, processes, *options):
    """The key and the weights of the distilled student, and what was printed."""
    process = started(recipe, artifacts, processes, *options)
    _, told = process.communicate(timeout=600)
    assert process.returncode == 0, told
    found = {}
    for entry in Path(artifacts, "store").glob("*/entry.json"):
        if json.loads(entry.read_text())["record"].get("distilled"):
            found[entry.parent.name] = load_file(entry.parent / "weights.safetensors")
    ((key, weights),) = found.items()
    return key, weights, told


def alike(one, other):
    return all(np.array_equal(value, other[key]) for key, value in one.items())


@pytest.fixture(scope="module")
def by_two(tmp_path_factory):
    """What two processes build: its key, its weights, what was printed."""
    folder = tmp_path_factory.mktemp("by-two")
    return built(write(folder), folder / "a", 2)


@pytest.mark.slow
def test_two_processes_repeat_and_give_what_one_gives(by_two, tmp_path):
    recipe = write(tmp_path)
    key, weights, told = by_two
    again_key, again, _ = built(recipe, tmp_path / "b", 2)
    alone_key, alone, _ = built(recipe, tmp_path / "c", 1)
    assert alike(weights, again)
    assert key == again_key != alone_key
    apart, size = (
        np.sqrt(
            sum(np.square(value - factor * alone[name]).sum() for name, value in weights.items())
        )
        for factor in (1, 0)
    )
    assert apart / size < 0.01, "after some 100 steps; docs/training.md names it"
    assert not alike(weights, alone), "sums have another order, so the key is another one"
    # The first process alone speaks.
    assert told.count("build done in") == 1
    assert len(re.findall(r"student resnet8 distilled, seed 0: best epoch", told)) == 1


@pytest.mark.slow
def test_the_command_starts_the_processes_itself_and_keeps_its_exit_code(tmp_path):
    recipe = write(tmp_path, epochs=1)
    key, weights, _ = built(recipe, tmp_path / "torchrun", 2)
    own, alike_weights, _ = built(recipe, tmp_path / "own", 1, "--processes", "2")
    assert own == key
    assert alike(weights, alike_weights)
    again = started(recipe, tmp_path / "torchrun", 2, "--processes", "2")
    _, told = again.communicate(timeout=300)
    assert "error: --processes 2 in a job of 2 processes" in told
    refused = started(recipe, tmp_path / "own", 1, "--processes", "2", "--set", "distill.epochs=0")
    _, told = refused.communicate(timeout=300)
    assert refused.returncode == 2, told


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 0])
def test_a_killed_process_ends_the_job_and_the_next_one_resumes(by_two, tmp_path, rank):
    recipe = write(tmp_path)
    _, expected, _ = by_two
    process = started(recipe, tmp_path / "killed", 2, SECONDS_A_STEP="0.1")
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr))
    reader.start()
    work = tmp_path / "killed" / "store"
    until = time.monotonic() + 120
    while not list(work.glob("**/checkpoint.safetensors")) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    (victim,) = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.environ().get("RANK") == str(rank)
    ]
    victim.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    assert process.wait(60) != 0
    assert time.monotonic() - killed < 45
    reader.join(10)
    process.stderr.close()
    told = "".join(lines)
    assert "[rank" not in told, told
    # torchrun names the one that died; it may end the other before that has said so, too.
    assert "Signal 9 (SIGKILL)" in told
    assert told.count("error: training: found a process that has ended") <= (rank == 1)
    _, weights, told = built(recipe, tmp_path / "killed", 2)
    assert "resumes after step" in told
    assert alike(weights, expected)
