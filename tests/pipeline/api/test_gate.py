"""A run against an earlier one, from Python: the answer, its limits, its screen."""

import json
import shutil
from dataclasses import replace

import edgestill
import pytest
from edgestill.errors import MaterialError, RecipeError, UsageError
from edgestill.pipeline.api import gate as gating
from edgestill.pipeline.api.gate import Gated, gate
from edgestill.pipeline.finished.screen import COLUMNS, LINES


@pytest.fixture
def run(built, tmp_path):
    folder = tmp_path / "artifacts" / "runs" / "tiny" / "2026-01-02T00-00-00-000000Z"
    shutil.copytree(built[0].run, folder)
    return edgestill.load_run(folder)


def smaller(run, folder):
    """What a build server kept of a run whose files were half as large, with other stages."""
    report = run.report
    files = []
    for one in report.variants.variants:
        packages = [
            replace(each, model=replace(each.model, bytes=each.model.bytes // 2, sha256="0"))
            for each in one.packages
        ]
        files.append(one.model_copy(update={"packages": tuple(packages)}))
    variants = report.variants.model_copy(update={"variants": tuple(files)})
    folder.mkdir()
    path = folder / "report.json"
    path.write_text(report.model_copy(update={"variants": variants}).model_dump_json())
    return path


def test_the_public_names_are_these():
    assert edgestill.gate.__wrapped__ is gate
    assert edgestill.Gated is Gated


@pytest.mark.parametrize("named", ["run", "folder", "name"])
def test_a_run_is_no_worse_than_itself(run, named, tmp_path):
    given = {"run": run, "folder": str(run.path), "name": "tiny"}[named]
    found = gate(given, run, artifacts=tmp_path / "artifacts", progress=False)
    assert (found.regression, found.outcome, found.exit_code) == (False, "ready", 0)
    assert found.run.path == run.path
    assert {row["what"] for row in found.records()} >= {"size", "score"}
    assert repr(found).startswith("no regression: the baseline is this run itself")


def test_a_larger_file_is_a_regression_until_the_limit_allows_it(run, tmp_path):
    then = smaller(run, tmp_path / "kept")
    found = gate(run, then, progress=False)
    assert (found.regression, found.exit_code) == (True, 1)
    assert found.run.ready
    size = next(row for row in found.records() if row["what"] == "size")
    assert size["outcome"] == "not ready"
    assert size["change"] == pytest.approx(2.0, rel=0.01)
    allowed = gate(run, then, max_size_growth=1.5, max_score_drop=1.0, progress=False)
    assert next(row for row in allowed.records() if row["what"] == "size")["outcome"] == "ready"


def test_budgets_that_fail_are_not_saved_by_a_baseline(run):
    found = gate(run, run, budgets={"max_size_kib": 0.01}, progress=False)
    assert (found.regression, found.run.ready, found.exit_code) == (False, False, 1)
    with pytest.raises(RecipeError, match="max_sise_kib"):
        gate(run, run, budgets={"max_sise_kib": 1}, progress=False)


def test_what_cannot_be_told_is_neither(run, tmp_path):
    report = run.report
    task = report.model_copy(
        update={"quality": report.quality.model_copy(update={"metric": "another"})}
    )
    (tmp_path / "kept").mkdir()
    kept = tmp_path / "kept" / "report.json"
    kept.write_text(task.model_dump_json())
    found = gate(run, kept, progress=False)
    assert (found.regression, found.outcome, found.exit_code) == (None, "undecided", 5)
    assert found.records() == []
    assert "the baseline's score is another" in repr(found)


def test_the_document_is_json_and_the_screen_fits(run, tmp_path):
    found = gate(run, smaller(run, tmp_path / "kept"), progress=False)
    document = found.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document.keys() == {"run", "exit_code", "next_command", "report", "baseline"}
    assert document["baseline"]["outcome"] == "not ready"
    lines = repr(found).split("\n")
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    assert lines[0].startswith("REGRESSION: file size")
    assert "<table>" in found._repr_html_()


@pytest.mark.parametrize("value", [-0.01, float("nan"), float("inf")])
def test_a_limit_that_is_none_is_refused_by_its_name(run, value):
    with pytest.raises(UsageError, match="max_score_drop"):
        gate(run, run, max_score_drop=value, progress=False)


def test_a_baseline_that_is_none_is_refused(run, tmp_path):
    with pytest.raises(MaterialError, match="no run called"):
        edgestill.gate(run, tmp_path / "nothing", progress=False)
    with pytest.raises(UsageError, match="baseline"):
        gate(run, 3, progress=False)


def test_of_a_name_the_newest_run_of_another_build_is_the_baseline(run, tmp_path):
    with pytest.raises(MaterialError, match="no other run of"):
        gating.baseline_of(run, run.path.parent)
    other = run.path.with_name("2026-01-01T00-00-00-000000Z")
    shutil.copytree(run.path, other)
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["keys"] = dict.fromkeys(manifest["keys"], "0" * 64)
    (other / "manifest.json").write_text(json.dumps(manifest))
    assert gating.baseline_of(run, run.path.parent, tmp_path).folder == other
