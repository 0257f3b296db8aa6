"""``edgestill history`` and ``edgestill report --compare`` on real runs."""

import json
from functools import partial

import command_line
import pytest
from edgestill.pipeline.commands.history import history


@pytest.fixture
def edgestill(own_build, tmp_path):
    return partial(command_line.edgestill, cwd=tmp_path)


def test_runs_stand_in_a_table_and_too_few_are_told(edgestill, tmp_path):
    done = edgestill("history", "--csv", "runs.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tiny: ")
    assert "not enough runs to tell, 1 of the 10" in " ".join(done.stdout.split())
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 2
    document = json.loads(edgestill("history", "tiny", "--json").stdout)
    assert [entry["outcome"] for entry in document["entries"]] == ["ready"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("history", "other"), 3, "no run that can be read"),
        (("history", "tiny", "--variant", "x"), 3, "no run with a variant 'x'"),
        (("report", "--compare", "tiny"), 2, "two or more"),
        (("report", "tiny", "tiny"), 2, "--compare"),
        (("report", "--compare", "tiny", "tiny", "--out", "a.txt"), 2, ".html or .md"),
    ],
)
def test_what_cannot_be_shown_is_refused(edgestill, words, code, said):
    done = edgestill(*words)
    assert done.returncode == code
    assert said in done.stderr


def test_runs_stand_side_by_side_on_a_terminal_and_on_pages(edgestill, tmp_path):
    done = edgestill("report", "--compare", "tiny", "tiny")
    assert done.returncode == 0, done.stderr
    assert "Ships, or is nearest" in done.stdout
    for name in ("a.html", "a.md"):
        assert edgestill("report", "--compare", "tiny", "tiny", "--out", name).returncode == 0
        assert "File size" in (tmp_path / name).read_text()


def test_its_help_says_how_often_chance_is_taken_for_a_change():
    assert "at most 1 % of histories" in " ".join(history.help.split())
