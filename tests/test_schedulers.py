"""The examples of docs/schedulers: every stage is a task, and the store carries what it gives."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from edgestill import toolchains

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "docs" / "schedulers"
STAGES = ("teacher", "targets", "student", "verify")


@pytest.fixture
def workplace(tmp_path):
    """A folder with a recipe and its data, and nothing built."""
    return tiny.write(tmp_path).parent


@pytest.fixture
def environment(tmp_path):
    command = Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": f"{command}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
        "EDGESTILL_FOLDER": str(tmp_path),
    }


def airflow():
    """Airflow in an environment of its own; skipped where there is none, but never in CI."""
    command = toolchains.folder() / "airflow" / "bin" / "airflow"
    if not command.exists():
        reason = f"no Airflow at {command}; docs/schedulers.md says how to install it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(command)


def runs(folder):
    return list((folder / "artifacts/runs/tiny").glob("[0-9]*/report.json"))


def test_make_runs_every_stage_once(workplace, environment):
    words = ["make", "-f", str(EXAMPLES / "Makefile"), "-j2", "report"]
    done = subprocess.run(words, cwd=workplace, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(runs(workplace)) == 1
    said = done.stdout + done.stderr
    assert [said.index(f"--until {stage}") for stage in STAGES[:3]] == sorted(
        said.index(f"--until {stage}") for stage in STAGES[:3]
    )


def test_airflow_runs_every_stage_and_skips_what_waits_for_a_verdict_that_is_not_ready(
    workplace, environment
):
    command = airflow()
    recipe = workplace / "recipe.toml"
    text = recipe.read_text()
    gate = "[gate]\nmin_accuracy = 1.0\nmax_size_kib = 0.1\n"
    recipe.write_text(re.sub(r"\[gate\]\n(?:[^\[].*\n)*", gate, text))
    assert recipe.read_text() != text
    for words in (("db", "migrate"), ("dags", "test", "edgestill_build")):
        done = subprocess.run(
            [command, *words], cwd=workplace, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    said = done.stdout + done.stderr
    for stage in STAGES:
        assert f"end task task_id={stage}" in said
    assert len(runs(workplace)) == 1
    last = said[said.index("begin task task_id=verdict") if "begin task" in said else 0 :]
    assert "new_state=skipped" in last
