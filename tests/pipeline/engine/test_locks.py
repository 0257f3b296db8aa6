"""Locks between processes: who waits, for whom, and that a killed process holds none."""

import errno
import os
import subprocess
import sys
import time

import pytest
from edgestill.errors import StorageError
from edgestill.pipeline.engine.locks import alone, hold, if_free

HOLD = """
import sys, time
from pathlib import Path
from edgestill.pipeline.engine.locks import alone
with alone(Path(sys.argv[1]), print):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path):
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "held\n"
    return child


def test_a_killed_process_frees_its_lock_and_was_named(tmp_path):
    path, said = tmp_path / ".lock-key", []
    child = holder(path)

    def warn(text):
        said.append(text)
        child.kill()

    with if_free(path) as free:
        assert not free
    with child, alone(path, warn):
        assert said[0].startswith(f"waiting for pid {child.pid} on ")
        assert said[0].endswith(f"({path})")
    with if_free(path) as free:
        assert free


def test_an_owner_that_did_not_say_who_it_is_is_another_process(tmp_path):
    path, said = tmp_path / ".lock-key", []
    child = holder(path)
    path.with_name(".lock-key.owner").unlink()

    def warn(text):
        said.append(text)
        child.kill()

    with child, alone(path, warn):
        assert said == [f"waiting for another process ({path})"]


def test_a_free_lock_costs_less_than_a_millisecond(tmp_path):
    path = tmp_path / ".lock-key"
    times = []
    for _ in range(50):
        begun = time.perf_counter()
        with alone(path, print):
            pass
        times.append(time.perf_counter() - begun)
    assert sorted(times)[25] < 1e-3
    assert [one.name for one in tmp_path.iterdir()] == [".lock-key"]


def test_a_mark_is_held_until_it_is_released_and_gone_then(tmp_path):
    path = tmp_path / ".build-1"
    release = hold(path)
    with if_free(path) as free:
        assert not free
    release()
    assert not path.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_network_disk_without_locks_is_told_from_a_bug(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")

    def none(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", none)
    for take in (lambda: alone(tmp_path / "lock", print).__enter__(), lambda: hold(tmp_path / "m")):
        with pytest.raises(StorageError, match=r"has no locks.*--store"):
            take()
