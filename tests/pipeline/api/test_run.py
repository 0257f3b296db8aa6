"""A run: on one screen, judged again, handed over, its report opened."""

import json
import shutil
import webbrowser
from pathlib import Path

import edgestill
import pytest
import report_example
import run_example
from edgestill.errors import EdgestillError, MaterialError, RecipeError, UsageError
from edgestill.pipeline.api.bundle import Bundled
from edgestill.pipeline.api.load_run import load_run
from edgestill.pipeline.api.run import Run
from run_example import NASTY, hostile, write_run


@pytest.fixture
def run(built, tmp_path):
    folder = tmp_path / "artifacts" / "runs" / "tiny" / "one"
    shutil.copytree(built[0].run, folder)
    return load_run(folder)


def test_a_run_on_disk_has_its_verdict_figures_and_files(run):
    assert run.ready
    assert (run.outcome, run.exit_code, run.verdict.ship) == ("ready", 0, run.report.verdict.ship)
    assert run.variants == ("fp32", "int8-dynamic", "int8-static")
    assert run["fp32"].score.value > 0.5
    assert run["teacher"].p50_ms.value > 0
    assert run.file("fp32").is_file()
    assert run.file() == run.file(run.verdict.ship)
    assert {file.suffix for file in run.files} >= {".onnx", ".txt"}
    assert run.report_path.is_file()
    with pytest.raises(KeyError, match=r"found 'int8-statik', .*; did you mean 'int8-static'"):
        run["int8-statik"]
    with pytest.raises(EdgestillError):
        run["nothing"]
    with pytest.raises(MaterialError, match=r"no report\.json"):
        load_run(run.path / "records")


def test_other_budgets_are_judged_without_measuring(run):
    judged = run.gate({"max_size_kib": 0.01})
    assert (judged.outcome, judged.exit_code, judged.files) == ("not ready", 1, ())
    assert judged.path.parent == run.path.parent
    assert judged.path != run.path
    assert run.gate().path == run.path
    with pytest.raises(KeyError, match="nothing ships"):
        judged.file()
    with pytest.raises(RecipeError, match="max_sise_kib"):
        run.gate({"max_sise_kib": 1})


def test_its_document_is_that_of_the_command(run):
    document = run.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document.keys() == {"run", "exit_code", "next_command", "report"}
    assert document["report"]["name"] == "tiny"


def test_a_bundle_is_written_of_what_ships(run, tmp_path):
    bundled = run.bundle(tmp_path / "b")
    assert isinstance(bundled, Bundled)
    assert (tmp_path / "b" / "bundle.json").is_file()
    assert "READY" in repr(bundled).split("\n")[0]
    assert bundled.to_dict()["packages"] == bundled.records()
    with pytest.raises(UsageError, match="something there already"):
        edgestill.bundle(run, tmp_path / "b")
    with pytest.raises(UsageError, match="choose another out="):
        edgestill.bundle(run.path, tmp_path / "b")


def test_the_report_is_opened_in_a_browser(run, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    assert run.open_report()
    assert opened == [run.report_path.resolve().as_uri()]


@pytest.mark.parametrize("outcome", ["ready", "not ready", "undecided"])
def test_it_fits_a_screen_with_intervals_and_the_verdict(outcome):
    report = report_example.report()
    ship = report.verdict.ship if outcome == "ready" else None
    verdict = report.verdict.model_copy(update={"outcome": outcome, "ship": ship})
    run = Run(Path("artifacts/runs/digits/2026"), report.model_copy(update={"verdict": verdict}))
    lines = repr(run).split("\n")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(outcome.upper())
    assert " to " in repr(run)
    assert lines[-1] == "report: artifacts/runs/digits/2026/report.html"
    assert "budgets of" in repr(run)
    assert "--verbose" not in repr(run)
    page = run._repr_html_()
    assert page.startswith(f"<div><p><strong>{outcome.upper()}: ")
    if ship:
        assert ship in lines[0]
        assert next(line for line in lines if line.startswith(ship)).endswith("ships")
        assert "<br>met: " in page


def test_no_name_is_obeyed_in_a_notebook(tmp_path):
    whole = hostile(run_example.report())
    run = Run(write_run(tmp_path / "run", whole), whole)
    page = run._repr_html_()
    assert "<script" not in page
    assert "\x1b" not in page + repr(run)
    assert NASTY not in page


def test_a_data_frame_has_a_row_a_model(run):
    pytest.importorskip("pandas")
    frame = run.to_dataframe().set_index("name")
    assert list(frame.index) == ["teacher", "fp32", "int8-dynamic", "int8-static"]
    assert frame.loc["fp32", "p50_ms"] == run["fp32"].p50_ms.value
    assert frame["ships"].sum() == 1
    assert {"score_low", "score_high", "bytes", "outcome"} <= set(frame.columns)
