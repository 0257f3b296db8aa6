"""Builds on a store that machines share: the same hashes, whoever makes what, and kill -9."""

import random
import shutil
import signal
import subprocess
import sys

import pytest
import s3_server
import tiny
from edgestill.pipeline.build import build, plan
from edgestill.pipeline.engine import leases
from edgestill.pipeline.engine.artifacts import Artifacts
from edgestill.pipeline.recipe.files import load

pytest.importorskip("obstore")
KILLS = 20
KILLED = """
import os, signal, sys, threading
from edgestill.pipeline.build import build
from edgestill.pipeline.engine import leases
from edgestill.pipeline.engine.artifacts import Artifacts

recipe, artifacts, address, seconds = sys.argv[1:]
# A machine that is gone is waited for; here for less long.
leases.BEAT_S, leases.STALE_S = 0.3, 1.5
killed = threading.Timer(float(seconds), lambda: os.kill(os.getpid(), signal.SIGKILL))
killed.daemon = True
killed.start()
build(recipe, artifacts=Artifacts.chosen(artifacts, address))
"""


def test_another_machine_runs_only_what_it_has_to_measure_itself(own_build, tmp_path):
    _, recipe, artifacts = own_build
    share = tmp_path / "share"
    share.mkdir()
    first = Artifacts(artifacts, str(share))
    assert build(recipe, artifacts=first).ran == (), "what was there is uploaded"
    second = Artifacts(tmp_path / "second", str(share))
    would = [step.stage for step in plan(load(recipe), second) if not step.cached]
    assert would == ["benchmark"]
    assert not second.folder.exists(), "a plan downloads nothing"
    done = build(recipe, artifacts=second)
    assert done.ran == ("benchmark",)
    assert tiny.hashes(done.report) == tiny.hashes(own_build[0].report)
    again = build(recipe, artifacts=second)
    assert again.ran == ()
    assert again.run == done.run


@pytest.mark.promise("Killed at random moments on an S3 store, a build ends in the same bytes")
@pytest.mark.slow
def test_killed_at_20_random_moments_on_s3_a_build_ends_in_the_same_hashes(
    built, tmp_path, monkeypatch, figure
):
    pytest.importorskip("moto")
    recipe = tiny.write(tmp_path)
    monkeypatch.setattr(leases, "STALE_S", 1.5)
    chance = random.Random(19)
    wanted = tiny.hashes(built[0].report)
    kills = lost = ends = 0
    with s3_server.serve() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        address, artifacts = s3.bucket(), tmp_path / "artifacts"
        while kills < KILLS:
            seconds = str(chance.uniform(0.1, 8.0))
            done = subprocess.run(
                [sys.executable, "-c", KILLED, str(recipe), str(artifacts), address, seconds],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == -signal.SIGKILL:
                kills += 1
                if chance.random() < 0.3:
                    # The machine is lost with its disk; only the shared store has what was made.
                    shutil.rmtree(artifacts, ignore_errors=True)
                    lost += 1
                continue
            assert done.returncode == 0, done.stderr
            finished = build(recipe, artifacts=Artifacts(artifacts, address))
            assert tiny.hashes(finished.report) == wanted
            ends += 1
            shutil.rmtree(artifacts)
            address = s3.bucket()
        finished = build(recipe, artifacts=Artifacts(artifacts, address))
        assert tiny.hashes(finished.report) == wanted
        other = build(recipe, artifacts=Artifacts(tmp_path / "other", address))
        assert other.ran == ("benchmark",)
        assert tiny.hashes(other.report) == wanted
    figure(f"{kills} kills, {lost} of them with the loss of the disk, {ends + 1} builds")
