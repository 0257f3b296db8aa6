"""Runs by what a user names them."""

import json
import shutil
from pathlib import Path

import edgestill
import pytest
import run_example
import verdict_examples
from click.testing import CliRunner
from edgestill.errors import MaterialError
from edgestill.pipeline.api import export as exporting
from edgestill.pipeline.commands.runs import report
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.finished.compare import model_of
from edgestill.pipeline.runs import latest
from edgestill.pipeline.runs.locate import located, names, run_folder, run_or_file, same_build
from edgestill.pipeline.runs.run import MANIFEST

OLD, NEW = "2026-11-29T08-00-00-000000Z", "2026-11-30T08-00-00-000000Z"


@pytest.fixture
def artifacts(tmp_path):
    """Two runs of one name, and a run that is being written."""
    folder = tmp_path / "artifacts"
    runs = folder / "runs" / "digits"
    for stamp in (OLD, NEW):
        run_example.write_run(runs / stamp, verdict_examples.judged(run_example.report()))
        write_keys(runs / stamp, stamp)
    shutil.copytree(runs / NEW, runs / ".draft-2027-01-01T00-00-00-000000Z")
    return folder


def write_keys(run, key):
    manifest = json.loads((run / MANIFEST).read_text())
    (run / MANIFEST).write_text(json.dumps({**manifest, "keys": {"verify": key}}))


def test_a_run_is_found_by_its_folder_its_report_its_name_and_the_folder_of_its_name(artifacts):
    runs = artifacts / "runs" / "digits"
    for named in (runs / NEW, runs / NEW / "report.json", runs):
        assert located(named, artifacts=artifacts).folder == runs / NEW
    assert located(runs.relative_to(runs.parent), artifacts=artifacts).folder == runs / NEW


def test_the_newest_other_run_is_taken_where_one_is_not_meant(artifacts):
    runs = artifacts / "runs" / "digits"
    found = located(runs, but=lambda run: run.name == NEW)
    assert found.folder == runs / OLD
    with pytest.raises(MaterialError, match=r"no other run of .*: all 2 are of the one build"):
        located(runs, but=lambda _: True)


def test_a_run_that_was_judged_again_is_not_the_one_that_was_built_last(artifacts):
    runs = artifacts / "runs" / "digits"
    latest.point(runs / OLD)
    assert located(runs).folder == located(runs / "latest").folder == runs / OLD
    assert located(runs, but=lambda run: run.name == OLD).folder == runs / NEW


def test_a_report_that_was_kept_under_another_name_is_read(artifacts, tmp_path):
    kept = tmp_path / "main.json"
    shutil.copy(artifacts / "runs" / "digits" / OLD / "report.json", kept)
    assert located(kept).report.name == "digits"


def test_what_is_no_run_is_refused_with_the_names_there_are(artifacts, tmp_path):
    assert names(artifacts) == ["digits"]
    with pytest.raises(MaterialError, match="did you mean 'digits'"):
        located(Path("digit"), artifacts=artifacts)
    with pytest.raises(MaterialError, match=r"--baseline: .*names with runs below .*: digits"):
        located(Path("x"), artifacts=artifacts, where="--baseline")
    other = tmp_path / "other.json"
    other.write_text("{}")
    with pytest.raises(MaterialError, match="not a report of this version"):
        located(other)


def test_one_build_judged_by_several_budgets_is_the_same_build(artifacts):
    runs = artifacts / "runs" / "digits"
    assert same_build(runs / NEW, runs / NEW)
    assert not same_build(runs / NEW, runs / OLD)
    write_keys(runs / OLD, NEW)
    assert same_build(runs / NEW, runs / OLD)
    (runs / OLD / MANIFEST).unlink()
    assert not same_build(runs / NEW, runs / OLD)


def test_a_run_of_a_name_is_found_wherever_a_model_may_stand(artifacts, tmp_path):
    newest = artifacts / "runs" / "digits" / NEW
    assert run_or_file(Path("digits"), artifacts=artifacts) == newest
    assert run_or_file(newest, artifacts=artifacts) == newest
    for file in (tmp_path / "there.onnx", Path("missing.onnx")):
        assert run_or_file(file, artifacts=artifacts) == file
    with pytest.raises(MaterialError, match="did you mean 'digits'"):
        run_or_file(Path("digit"), artifacts=artifacts)


def test_a_folder_without_runs_is_given_back_for_its_reader_to_refuse(artifacts, tmp_path):
    (tmp_path / "empty").mkdir()
    assert run_folder(tmp_path / "empty", artifacts=artifacts) == tmp_path / "empty"
    assert run_folder(artifacts / "runs" / "digits" / NEW / "report.json").name == NEW


def test_every_command_that_takes_a_run_takes_its_name(artifacts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    newest = artifacts.relative_to(tmp_path) / "runs" / "digits" / NEW
    assert edgestill.load_run("digits").path == newest
    assert model_of(Path("digits")).parent == newest / "variants"
    assert edgestill.bundle("digits").path.name == "digits-bundle"
    assert edgestill.verify("digits-bundle").kind == "bundle"
    assert edgestill.verify("digits").path == newest
    done = CliRunner().invoke(report, ["digits"], obj=Invocation())
    assert done.output.strip() == str(newest / "report.html")
    opened = []

    def open_run(run, *_):
        opened.append(run)
        raise MaterialError("enough")

    monkeypatch.setattr(exporting, "open_run", open_run)
    with pytest.raises(MaterialError, match="enough"):
        exporting.export("digits", "ort", progress=False)
    assert opened == [newest]
