"""What a build with a search would do, before it does."""

import json

import tiny
from edgestill.pipeline.api.plan import plan
from edgestill.pipeline.commands import builds
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.recipe.files import load
from edgestill.pipeline.search import plan as search_plan

AUTO = ('student={ model = "auto" }', 'search={ finalist_share = 0.5, ladder = ["qat"] }')


def test_candidates_short_trainings_and_the_ladder_are_told_and_nothing_is_run(tmp_path):
    path = tiny.write(tmp_path)
    planned = plan(path, artifacts=tmp_path / "none", overrides=AUTO)
    assert planned.would_run == ("data", "teacher", "targets")
    assert {one.model for one in planned.search.candidates} == {"mlp1", "mlp2", "mlp3"}
    assert (planned.search.finalists, planned.search.short_epochs) == (3, 6)
    told = planned.searched()
    assert told[0].startswith("33 candidates (mlp1, mlp2, mlp3; widths 16 to 512)")
    assert told[1] == "the 3 largest that fit are trained for 6 of 12 epochs"
    assert told[2] == "where a budget is missed, qat; none is begun after 60 minutes"
    assert "33 candidates" in repr(planned)
    assert not (tmp_path / "none").exists()


def test_a_student_that_is_named_has_all_its_stages_and_the_ladder(tmp_path):
    recipe = load(tiny.write(tmp_path), ["search={ ladder = [] }"])
    steps, search = search_plan.plan(recipe, tmp_path)
    assert steps[-1].stage == "benchmark"
    assert search.candidates == ()
    assert list(search.sentences()) == []


def test_the_command_prints_it_as_text_and_as_json(tmp_path, capsys):
    path = tiny.write(tmp_path)
    words = [str(path), "--artifacts", str(tmp_path), "--set", AUTO[0], "--set", AUTO[1]]
    builds.plan.main(words, standalone_mode=False, obj=Invocation(json=False))
    assert "search     33 candidates" in capsys.readouterr().out
    builds.plan.main(words, standalone_mode=False, obj=Invocation(json=True))
    last = json.loads(capsys.readouterr().out)[-1]
    assert last["stage"] == "search"
    assert last["candidates"][0] == {"model": "mlp1", "width": 16}
