"""A real search of a tiny recipe: its folder, its recipes, and going on after a stop."""

import json
import tomllib

import edgestill
import pytest
import tiny
from edgestill.errors import RecipeError, UsageError
from edgestill.pipeline.api.frontier import Frontier
from edgestill.pipeline.api.search import search as plain_search
from edgestill.pipeline.records import FrontierRecord
from edgestill.pipeline.runs import searches

pytestmark = pytest.mark.slow

NARROW = {
    "search": {"models": ["mlp1"], "widths": [4, 64], "processes": 1, "choices": ["student"]},
    "compress.variants": ["fp32", "int8-static"],
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    path, artifacts = tiny.write(folder), folder / "artifacts"
    given = {"artifacts": artifacts, "overrides": NARROW, "progress": False}
    return path, given, edgestill.search(path, trials=1, **given)


def test_its_folder_has_the_record_a_page_and_a_recipe_for_each_point(found):
    _, _, frontier = found
    assert isinstance(frontier, Frontier)
    assert edgestill.search.__wrapped__ is plain_search
    record = FrontierRecord.model_validate_json((frontier.path / searches.RECORD).read_bytes())
    assert record == frontier.record
    assert "<title>edgestill search: tiny" in frontier.page_path.read_text(encoding="utf-8")
    assert frontier.points
    for place, point in enumerate(frontier.points, 1):
        tree = tomllib.loads(frontier.recipe_of(place).read_text(encoding="utf-8"))
        assert tree["compress"]["variants"] == [point.file]
    assert not list(frontier.path.parent.glob(".draft*"))


def test_a_point_is_built_without_training_its_student_again(found):
    _, given, frontier = found
    run = edgestill.build(frontier.recipe_of(1), artifacts=given["artifacts"], progress=False)
    # The student without the teacher, which a verdict is held against, is the one that was trained.
    assert run.ran.count("student") == 1
    assert "teacher" not in run.ran
    point = frontier.points[0]
    student = run.report.students[0]
    explored = frontier.record.explored_of(point)
    assert (student.model, student.width) == (
        explored.settings["student.model"],
        explored.settings["student.width"],
    )


def test_a_further_call_goes_on_and_what_was_explored_is_in_the_store(found):
    path, given, frontier = found
    events = []
    again = edgestill.search(path, trials=2, **{**given, "progress": events.append})
    assert len(again.record.explored) == 2
    assert again.record.explored[0].settings == frontier.record.explored[0].settings
    assert again.record.explored[0].score == frontier.record.explored[0].score
    assert any("1 choice was explored before" in event.text for event in events)
    assert "teacher" not in {event.stage for event in events}
    assert again.path != frontier.path


def test_a_result_is_one_screen_a_table_and_a_document(found):
    _, _, frontier = found
    lines = repr(frontier).split("\n")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "validation" in repr(frontier)
    assert f"{frontier.path.name}/recipes\n" in repr(frontier)
    assert "edgestill build RECIPES/01.toml" in repr(frontier)
    assert f"The search ended because {frontier.record.ended}." in repr(frontier)
    missed = {miss.key for point in frontier.points for miss in point.misses}
    assert all(key in repr(frontier) for key in missed)
    assert "<table>" in frontier._repr_html_()
    assert len(frontier.to_dataframe()) == len(frontier.record.points)
    json.dumps(frontier.to_dict(), allow_nan=False)


def test_an_interruption_keeps_what_was_found(found, tmp_path):
    path, given, _ = found

    def stop(event):
        if event.kind == "begin" and event.stage == "verify":
            raise KeyboardInterrupt

    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    (artifacts / "store").symlink_to(given["artifacts"] / "store")
    more = {**NARROW, "distill.epochs": 10}
    with pytest.raises(KeyboardInterrupt):
        edgestill.search(path, trials=1, artifacts=artifacts, overrides=more, progress=stop)
    (kept,) = (artifacts / "searches" / "tiny").glob("20*/search.json")
    record = FrontierRecord.model_validate_json(kept.read_bytes())
    assert record.interrupted
    assert record.ended == "it was interrupted"
    assert not any(point.whole for point in record.frontier)


def test_what_is_not_there_is_refused_before_anything_runs(found):
    path, given, _ = found
    with pytest.raises(UsageError, match="against: found 'speed'"):
        edgestill.search(path, against="speed", **given)
    with pytest.raises(RecipeError, match="teacher"):
        edgestill.search({"name": "r", "data": {"source": "digits"}}, **given)
