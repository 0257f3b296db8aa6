"""docs/ci: the workflows to copy, whose steps run here in order as a build server runs them."""

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import tiny
import yaml

ROOT = Path(__file__).resolve().parents[1]
GITHUB = yaml.safe_load((ROOT / "docs/ci/github.yml").read_text())
GITLAB = yaml.safe_load((ROOT / "docs/ci/gitlab.yml").read_text())
STEPS = GITHUB["jobs"]["model"]["steps"]
INSTALL = "pip install 'edgestill[train]'"


@pytest.fixture
def checkout(built, tmp_path):
    """A repository with a recipe, an installed edgestill, and a store that was cached."""
    tiny.write(tmp_path)
    shutil.copytree(built[2] / "store", tmp_path / "artifacts" / "store")
    binaries = tmp_path / ".bin"
    binaries.mkdir()
    command = binaries / "edgestill"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgestill "$@"\n')
    command.chmod(0o755)
    return tmp_path


def variables(checkout, **more):
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB")}
    path = f"{checkout / '.bin'}{os.pathsep}{inherited['PATH']}"
    return {**inherited, "PATH": path, "NAME": "tiny", "RECIPE": "recipe.toml", **more}


def github(checkout, *, ref="refs/heads/main"):
    """Run the workflow's own steps as a runner does; returns the code of each by its name."""
    codes, failed = {}, False
    more = {"GITHUB_STEP_SUMMARY": str(checkout / "summary.md")}
    for step in STEPS:
        if "run" not in step or step["run"] == INSTALL:
            continue
        condition = step.get("if", "success()")
        runs = condition == "always()" or not failed
        if "github.ref" in condition:
            runs = runs and f"== '{ref}'" in condition
        if runs:
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=checkout,
                env=variables(checkout, **more),
                capture_output=True,
                text=True,
                timeout=900,
            )
            codes[step["name"]] = done.returncode
            failed = failed or done.returncode != 0
    return codes


def recipe(checkout, old, new):
    path = checkout / "recipe.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.slow
def test_the_steps_of_github_build_gate_and_keep_a_baseline_and_stop_a_regression(checkout):
    codes = github(checkout)
    assert codes == {"Build": 0, "Gate": 0, "Report": 0, "The next baseline": 0}
    assert (checkout / "baseline" / "report.json").is_file()
    assert (checkout / "report.html").stat().st_size > 10_000
    assert "Against the baseline" not in (checkout / "summary.md").read_text()
    # A pull request that changes nothing is no worse, and keeps no baseline.
    codes = github(checkout, ref="refs/pull/1/merge")
    assert codes == {"Build": 0, "Gate": 0, "Report": 0}
    assert "no regression" in (checkout / "summary.md").read_text()
    # One that doubles the student's width ships a larger file.
    recipe(checkout, 'model = "mlp1"\nwidth = 8', 'model = "mlp1"\nwidth = 64')
    codes = github(checkout, ref="refs/pull/2/merge")
    assert codes == {"Build": 0, "Gate": 1, "Report": 0}
    suites = ET.parse(checkout / "junit.xml").getroot()
    failed = [
        case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None
    ]
    assert "size" in failed
    assert "REGRESSION: file size" in (checkout / "summary.md").read_text()


@pytest.mark.slow
def test_a_missed_budget_fails_the_gate_and_not_the_build(checkout):
    recipe(checkout, "max_size_kib = 100", "max_size_kib = 0.1")
    assert github(checkout) == {"Build": 0, "Gate": 1, "Report": 0}
    said = (checkout / "summary.md").read_text()
    assert re.search(r"edgestill gate artifacts/runs/\S+ --set gate\.max_size_kib=", said)


@pytest.mark.slow
def test_what_is_no_verdict_ends_the_build(checkout):
    recipe(checkout, 'source = "npz:tiny.npz"', 'source = "npz:gone.npz"')
    codes = github(checkout)
    assert codes["Build"] == 3
    assert "Gate" not in codes


def test_the_steps_of_github_that_are_actions_are_pinned_to_a_version_and_paths_agree():
    uses = [step["uses"] for step in STEPS if "uses" in step]
    assert all("@v" in one for one in uses)
    paths = [step["with"]["path"] for step in STEPS if "cache" in step.get("uses", "")]
    assert paths == ["artifacts/store", "baseline", "baseline"]
    assert [step["run"] for step in STEPS if step.get("name") == "Install"] == [INSTALL]
    assert GITHUB["permissions"] == {"contents": "read"}


def gitlab(checkout, branch):
    """Run the job's script as a runner does: one shell that stops at the first failure."""
    job = GITLAB["model"]
    assert job["before_script"] == [INSTALL]
    script = "\n".join(["set -eo pipefail", *job["script"]])
    names = {"CI_COMMIT_BRANCH": branch, "CI_DEFAULT_BRANCH": "main"}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        cwd=checkout,
        env=variables(checkout, **names),
        capture_output=True,
        text=True,
        timeout=900,
    )
    return done.returncode


@pytest.mark.slow
def test_the_script_of_gitlab_does_the_same(checkout):
    assert gitlab(checkout, "main") == 0
    assert (checkout / "baseline" / "report.json").is_file()
    recipe(checkout, 'model = "mlp1"\nwidth = 8', 'model = "mlp1"\nwidth = 64')
    assert gitlab(checkout, "") == 1
    job = GITLAB["model"]
    assert (checkout / job["artifacts"]["reports"]["junit"]).is_file()
    assert all((checkout / path).is_file() for path in job["artifacts"]["paths"])
    assert job["allow_failure"] == {"exit_codes": [5]}
    assert [one["paths"] for one in job["cache"]] == [["artifacts/store"], ["baseline"]]
