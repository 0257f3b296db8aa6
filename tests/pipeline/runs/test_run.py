"""A run on disk: what is in it, what differs from its manifest, and how it is judged again."""

import shutil

import pytest
from edgestill.errors import MaterialError, RecipeError, UsageError
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.runs import flow_result, rejudge, run


@pytest.fixture
def copied(built, tmp_path):
    """A copy of a run that a test may change."""
    folder = tmp_path / built[0].run.name
    shutil.copytree(built[0].run, folder)
    return folder


def test_a_run_as_it_was_written_differs_in_nothing(copied):
    assert run.differences(copied) == []
    assert run.open_report(copied).verdict.outcome == "ready"
    assert not run.is_old(copied)


def test_a_changed_a_missing_and_an_unknown_file_are_named(copied):
    (copied / "report.md").write_text("other")
    (copied / "junit.xml").unlink()
    (copied / "new.txt").write_text("new")
    assert sorted(run.differences(copied)) == [
        "junit.xml is missing",
        "new.txt is not in the manifest",
        "report.md changed",
    ]


def test_a_folder_without_a_report_is_no_run(tmp_path):
    with pytest.raises(MaterialError, match=r"no report\.json"):
        run.open_report(tmp_path)
    with pytest.raises(MaterialError, match=r"manifest\.json"):
        run.manifest_of(tmp_path)


def test_every_package_of_what_ships_is_in_models(built):
    done = built[0]
    ship = next(v for v in done.report.variants.variants if v.name == done.report.verdict.ship)
    for package in ship.packages:
        shipped = done.run / "models" / f"{done.report.name}-{ship.name}{package.suffix}"
        assert shipped.read_bytes() == (done.run / "variants" / package.model.name).read_bytes()
        for file in package.beside:
            assert (done.run / "models" / file.name).is_file()


def test_only_budgets_may_be_changed_when_a_run_is_judged_again(copied):
    assert rejudge.budgets(copied, None, ["gate.max_size_kib=1"]).max_size_kib == 1
    with pytest.raises(UsageError, match="a key below gate"):
        rejudge.budgets(copied, None, ["data.test=0.5"])


def test_a_run_is_judged_again_for_an_app_that_takes_fewer_formats(copied):
    before = run.open_report(copied).verdict
    gate = rejudge.budgets(copied, None, ['gate.runtimes=["ort"]'])
    judged, report = rejudge.judge_again(copied, gate)
    assert judged != copied
    assert (before.outcome, report.verdict.outcome) == ("ready", "undecided")
    assert "the app takes only its .ort file: undecided" in report.verdict.why


def test_an_app_that_takes_a_format_which_the_run_lacks_is_refused(copied):
    gate = Gate(min_accuracy=0.5, runtimes=("litert",))
    with pytest.raises(RecipeError, match="formats that the run has: onnx, ort"):
        rejudge.judge_again(copied, gate)


def test_the_keys_of_a_run_are_those_of_its_stages(built):
    keys = run.keys_of(run.manifest_of(built[0].run))
    single = {"data", "targets", "variants", "verify", "benchmark"}
    assert single <= keys.keys()
    assert {"teacher-0", "student-0", "plain-0"} <= keys.keys()
    assert single <= set(flow_result.Flow.__slots__) | {"verify", "benchmark"}
