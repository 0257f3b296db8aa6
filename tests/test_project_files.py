"""CITATION.cff, the issue forms and the workflows are what the readers of such files take."""

import re
from datetime import date
from pathlib import Path

import pytest
import yaml
from edgestill.version import __version__

ROOT = Path(__file__).resolve().parents[1]
GITHUB = ROOT / ".github"
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_citation_has_what_the_schema_1_2_0_asks_for_and_our_version():
    citation = read(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["version"] == __version__
    assert isinstance(citation["date-released"], date)
    assert citation["license"] in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert citation["authors"]
    assert all(author["name"] for author in citation["authors"])


def test_there_are_forms_for_bugs_and_features():
    assert [path.stem for path in FORMS] == ["bug", "feature"]
    assert read(GITHUB / "ISSUE_TEMPLATE" / "config.yml") == {"blank_issues_enabled": True}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_has_what_github_asks_for(path):
    form = read(path)
    assert {"name", "description", "body"} <= set(form) <= {"name", "description", "body", "labels"}
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w-]+", one) for one in ids)
    for part in form["body"]:
        assert part["type"] in {"markdown", "input", "textarea", "dropdown", "checkboxes"}
        assert part["attributes"]["value" if part["type"] == "markdown" else "label"]
        options = part["attributes"].get("options", [])
        assert bool(options) == (part["type"] in {"dropdown", "checkboxes"})
        assert len({str(option) for option in options}) == len(options)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_major_version_and_every_job_ends(path):
    workflow = read(path)
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 45
        for step in job["steps"]:
            if "uses" in step:
                assert re.search(r"@(v\d+|release/v\d+)$", step["uses"])


def release():
    return read(GITHUB / "workflows" / "release.yml")


def test_a_release_is_checked_and_tested_before_it_is_built_and_built_before_it_is_published():
    jobs = release()["jobs"]
    assert list(jobs) == ["notes", "test", "build", "pypi", "github"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "notes": None,
        "test": "notes",
        "build": "test",
        "pypi": "build",
        "github": "pypi",
    }
    # YAML 1.1 reads the key `on` as true.
    assert release()[True] == {"push": {"tags": ["v*.*.*"]}}


def test_no_job_of_a_release_may_do_more_than_it_must():
    workflow = release()
    assert workflow["permissions"] == {"contents": "read"}
    rights = {name: job.get("permissions", {}) for name, job in workflow["jobs"].items()}
    write = {
        name: {key for key, value in one.items() if value == "write"}
        for name, one in rights.items()
    }
    assert write == {
        "notes": set(),
        "test": set(),
        "build": {"id-token", "attestations"},
        "pypi": {"id-token"},
        "github": {"contents"},
    }
    assert workflow["jobs"]["pypi"]["environment"] == "pypi"


def test_every_script_that_a_workflow_runs_exists():
    for path in WORKFLOWS:
        for script in re.findall(
            r"\S+/\S+\.(?:py|sh)\b|\.ci/run", path.read_text(encoding="utf-8")
        ):
            assert (ROOT / script).exists(), script
