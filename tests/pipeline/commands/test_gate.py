"""``edgestill gate`` against another run: exit codes, files for build servers, refusals."""

import json
import os
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import command_line
import pytest
from edgestill.pipeline.commands.gate import Amount


@pytest.fixture
def edgestill(tmp_path):
    """Runs the command in a folder of its own; a step summary of the caller's is none of it."""

    def run(*words, summary=None):
        variables = {key: value for key, value in os.environ.items() if "GITHUB" not in key}
        if summary is not None:
            variables["GITHUB_STEP_SUMMARY"] = str(summary)
        return command_line.edgestill(*words, cwd=tmp_path, env=variables)

    return run


@pytest.fixture
def run(built, tmp_path):
    """A copy of the run alone, where the command looks for it: other tests leave more beside it."""
    copy = tmp_path / "artifacts" / "runs" / "tiny" / built[0].run.name
    return Path(shutil.copytree(built[0].run, copy))


@pytest.fixture
def smaller(run, tmp_path):
    """A report as if the file had been a tenth smaller, kept as a build server would."""
    document = json.loads((run / "report.json").read_text())
    for variant in document["variants"]["variants"]:
        model = variant["packages"][0]["model"]
        model.update(bytes=int(model["bytes"] * 0.9), sha256="0" * 64)
    kept = tmp_path / "main.json"
    kept.write_text(json.dumps(document))
    return kept


@pytest.mark.parametrize("text", ["2", "2%", " 2 % ", "2.0"])
def test_an_amount_has_its_unit_or_none(text):
    assert Amount("%", "PERCENT").convert(text, None, None) == 0.02


def test_a_run_that_is_no_worse_passes_and_says_so(edgestill, run):
    done = edgestill("gate", "tiny", "--baseline", run)
    assert done.returncode == 0, done.stderr
    assert "no regression: the baseline is this run itself" in done.stdout


def test_a_larger_file_fails_the_build_in_every_output(edgestill, run, smaller, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("of an earlier step\n")
    words = ("gate", run, "--baseline", smaller, "--max-score-drop", "100")
    done = edgestill(*words, "--junit", "out/junit.xml", "--json", summary=summary)
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 1
    assert document["baseline"]["outcome"] == "not ready"
    assert document["report"]["verdict"]["outcome"] == "ready"
    (failure,) = ET.parse(tmp_path / "out" / "junit.xml").iter("failure")
    assert failure.get("message").startswith("file size: then")
    text = summary.read_text()
    assert text.startswith("of an earlier step\n## ✓ tiny: READY")
    assert "REGRESSION: file size is" in text


def test_a_limit_that_allows_it_passes_and_what_is_not_known_is_exit_5(edgestill, run, smaller):
    words = ("gate", run, "--baseline", smaller, "--max-size-growth", "20%")
    assert edgestill(*words, "--max-score-drop", "100").returncode == 0
    done = edgestill(*words)
    assert done.returncode == 5
    text = " ".join(done.stdout.split())
    assert "CANNOT TELL: accuracy is" in text
    assert "not paired: the answers of one run are not kept beside its report" in text


def test_the_same_file_is_told_alike_on_the_terminal_and_on_the_page_of_a_job(edgestill, run):
    done = edgestill("gate", "tiny", "--baseline", run, "--summary", "page.md")
    page = (run.parents[3] / "page.md").read_text()
    said = "the same file, byte for byte, so it is no worse in anything."
    assert said in " ".join(done.stdout.split())
    assert said in page
    assert "Latencies of two builds" not in page


def test_budgets_that_fail_are_not_saved_by_a_baseline(edgestill, run):
    done = edgestill("gate", run, "--set", "gate.max_size_kib=0.1", "--baseline", run)
    assert done.returncode == 1
    assert "no regression" in done.stdout


def test_a_name_means_its_newest_run_of_another_build(edgestill, run, smaller):
    done = edgestill("gate", "tiny", "--baseline", "tiny")
    assert done.returncode == 3
    assert done.stderr.startswith(
        "error: --baseline: no other run of 'tiny': its only run is the one that is compared; name"
    )
    assert "did you mean" not in done.stderr
    older = run.parent / "2020-01-01T00-00-00-000000Z"
    older.mkdir()
    shutil.copy(smaller, older / "report.json")
    done = edgestill("gate", "tiny", "--baseline", "tiny", "--max-score-drop", "100")
    assert done.returncode == 1


def test_a_summary_is_written_without_a_baseline_too(edgestill, run, tmp_path):
    done = edgestill("gate", run, "--summary", "page.md")
    assert done.returncode == 0
    assert "Against the baseline" not in (tmp_path / "page.md").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--baseline", "nowhere"), 3, "no run called 'nowhere'"),
        (("--measure",), 2, "--baseline OTHER with it"),
        (("--max-size-growth", "2%"), 2, "--baseline OTHER with it"),
        (("--baseline", "tiny", "--max-size-growth", "-1"), 2, "no percent of at least 0"),
        (("--baseline", "tiny", "--max-score-drop", "nan"), 2, "no points of at least 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(edgestill, run, words, code, said):
    done = edgestill("gate", run, *words)
    assert done.returncode == code
    assert said in done.stderr
