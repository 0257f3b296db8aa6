"""A build that looks for its student first, on a tiny recipe."""

import json

import pytest
import tiny
from edgestill.errors import UsageError
from edgestill.pipeline.api.build import build
from edgestill.pipeline.recipe.architecture import Architecture
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.recipe.search import Search
from edgestill.pipeline.runs.run import open_report
from edgestill.pipeline.search import stages, trials, untrained
from edgestill.pipeline.search.fit import fit

AUTO = {
    "student": {"model": "auto"},
    "search": {"models": ["mlp1"], "widths": [4, 8, 64], "processes": 1, "finalists": 2},
    "compress.variants": ["fp32", "int8-static"],
    "gate": {"min_accuracy": 0.5, "max_size_kib": 4.0},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("auto")
    path, artifacts = tiny.write(folder), folder / "artifacts"
    run = build(path, artifacts=artifacts, overrides=AUTO, progress=False)
    return path, artifacts, run


def test_the_student_that_fits_is_chosen_before_it_is_trained_and_judged_on_test(found):
    _, _, run = found
    search = run.report.search
    assert run.outcome == "ready"
    assert [one.cost.width for one in search.candidates] == [4, 8, 64]
    chosen = next(one for one in search.candidates if one.chosen)
    assert run.report.students[0].width == chosen.cost.width
    assert chosen.measured
    assert chosen.fits
    assert 64 not in {one.cost.width for one in search.candidates if one.fits}
    assert search.ended.endswith("is expected to be READY, with nothing changed")
    assert search.trade is None
    assert search.changes[0] == 'student.model="mlp1"'
    assert run.report.quality.split == "test"


def test_the_recipe_of_its_run_builds_the_same_run_without_a_search(found):
    _, artifacts, run = found
    again = build(run.path / "recipe.toml", artifacts=artifacts, progress=False)
    assert again.path == run.path
    assert again.ran == ()
    assert load(run.path / "recipe.toml").search is None


def test_a_second_search_finds_all_of_it_in_the_store(found):
    path, artifacts, run = found
    again = build(path, artifacts=artifacts, overrides=AUTO, progress=False)
    assert again.path == run.path
    assert again.ran == ()


def test_the_search_scores_on_validation_and_runs_no_file_to_know_its_size(found):
    _, artifacts, run = found
    entries = [json.loads(path.read_text()) for path in artifacts.glob("store/*/entry.json")]
    splits = [one["record"]["split"] for one in entries if one["stage"] == "verify"]
    assert sorted(splits) == ["test", "validation"]
    keys = {one["stage"] for one in entries}
    assert {stages.COSTS.name, stages.UNTRAINED.name} <= keys
    measured = [one for one in entries if one["stage"] == "benchmark"]
    names = [tuple(m["name"] for m in one["record"]["benchmark"]["models"]) for one in measured]
    assert names == [("teacher", "fp32", "int8-static")]
    assert open_report(run.path).search == run.report.search


def test_what_cannot_be_met_ends_not_ready_with_the_budget_that_binds(found):
    path, artifacts, _ = found
    impossible = AUTO | {
        "gate": {"min_accuracy": 0.5, "max_size_kib": 0.5},
        "search": AUTO["search"] | {"ladder": ["int8"]},
    }
    run = build(path, artifacts=artifacts, overrides=impossible, progress=False)
    assert run.outcome == "not ready"
    assert run.report.search.trade.startswith("max_size_kib binds: the nearest, ")
    assert "no rung of the ladder is left" in run.report.search.ended


def test_a_stage_to_stop_after_is_refused(found):
    path, artifacts, _ = found
    with pytest.raises(UsageError, match="a recipe that names its student and has no"):
        fit(load(path, ["search={}"]), artifacts=artifacts, until="verify")
    with pytest.raises(UsageError, match=r"--until: found 'student'.*leave --until out"):
        build(path, artifacts=artifacts, overrides=AUTO, until="student", progress=False)


def test_costs_are_those_of_the_models_that_are_trained(found):
    _, _, run = found
    student = run.report.students[0]
    costs = {one.cost.width: one.cost for one in run.report.search.candidates}
    assert costs[student.width].parameters == student.parameters
    # 6 numbers in, 3 classes out.
    assert costs[64].macs == 6 * 64 + 64 * 3
    assert f"edgestill.{stages.COSTS.run}" == f"{untrained.__name__}:{untrained.weigh.__name__}"


def test_a_recipe_without_a_section_searches_by_its_defaults(found):
    path, _, _ = found
    plain = load(path)
    assert not plain.searches
    assert trials.settings_of(plain) == Search()
    other = trials.with_student(plain, Architecture(model="mlp2", width=4))
    assert (other.student.model, other.student.width) == ("mlp2", 4)
    assert load(path, ['student={ model = "auto" }']).searches
    assert load(path, ["search={}"]).searches
