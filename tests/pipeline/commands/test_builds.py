"""Commands on recipes and on runs that measure nothing."""

import json
import tomllib

import pytest
from edgestill.errors import MaterialError, UsageError
from edgestill.pipeline.commands import builds, runs
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.commands.verdict import conclude
from edgestill.pipeline.judge.gate import EXIT_CODES


def ran(capsys, command, *words, json_=False):
    command.main([str(w) for w in words], standalone_mode=False, obj=Invocation(json=json_))
    return capsys.readouterr().out


def test_init_writes_a_recipe_once(tmp_path, capsys):
    recipe = tmp_path / "new" / "recipe.toml"
    text = ran(capsys, builds.init, recipe.parent)
    assert text == f"{recipe} written; edit it, then run: edgestill build {recipe}\n"
    assert tomllib.loads(recipe.read_text())["name"] == "my-model"
    with pytest.raises(UsageError, match="found a file that exists, expected a new file"):
        ran(capsys, builds.init, recipe.parent)


@pytest.mark.parametrize("what", ["recipe", "report"])
def test_schema_prints_a_schema(what, capsys):
    assert json.loads(ran(capsys, builds.schema, what))["type"] == "object"


def test_plan_lists_every_stage_as_text_and_as_json(tmp_path, capsys):
    lines = ran(capsys, builds.plan, "--artifacts", tmp_path).splitlines()
    steps = json.loads(ran(capsys, builds.plan, "--artifacts", tmp_path, json_=True))
    assert [line.split()[0] for line in lines] == [step["stage"] for step in steps]
    assert not any(step["cached"] for step in steps)
    assert all("would run" in line for line in lines)


@pytest.mark.parametrize("command", [runs.gate, runs.report, runs.verify])
def test_a_folder_that_is_no_run_is_refused(command, tmp_path, capsys):
    with pytest.raises(MaterialError):
        ran(capsys, command, tmp_path)


def test_a_verdict_sets_the_exit_code_and_is_the_document(built, capsys):
    result, _, _ = built
    invocation = Invocation(json=True)
    conclude(invocation, result.report, result.run)
    document = json.loads(capsys.readouterr().out)
    assert invocation.code == document["exit_code"] == EXIT_CODES[result.report.verdict.outcome]
    assert document["run"] == str(result.run)
