"""Commands on recipes and on runs that measure nothing."""

import json
import tomllib
from pathlib import Path

import pytest
import report_example
from edgestill.errors import MaterialError, UsageError
from edgestill.pipeline.api.load_run import load_run
from edgestill.pipeline.api.stopped import Stopped
from edgestill.pipeline.commands import builds, gate, runs
from edgestill.pipeline.commands.shared import Invocation
from edgestill.pipeline.commands.verdict import conclude, conclude_stage
from edgestill.pipeline.engine.stage import Made
from edgestill.pipeline.judge.gate import EXIT_CODES
from edgestill.pipeline.stages import VERIFY


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


def test_where_no_recipe_is_named_one_that_lies_there_is_said_not_to_be_read(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    builds.plan.main([], standalone_mode=False, obj=Invocation(json=True))
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)
    Path("recipe.toml").write_text("name = 'mine'\n", "utf-8")
    builds.plan.main([], standalone_mode=False, obj=Invocation())
    assert capsys.readouterr().err == (
        "recipe: the bundled demo; recipe.toml of this folder is not read: name it to take it\n"
    )


@pytest.mark.parametrize("command", [gate.gate, runs.report, runs.verify])
def test_a_folder_that_is_no_run_is_refused(command, tmp_path, capsys):
    with pytest.raises(MaterialError):
        ran(capsys, command, tmp_path)


def stopped(capsys, quality, *, json_):
    invocation = Invocation(json=json_)
    made = Made(VERIFY, "key", quality, Path("store/key"))
    conclude_stage(invocation, Stopped.after(made, ("verify",)))
    return invocation.code, capsys.readouterr().out


def test_a_build_until_verify_says_what_is_wrong_with_each_variant(capsys):
    quality = report_example.report().quality
    code, text = stopped(capsys, quality, json_=False)
    assert (code, text) == (0, "verify: store/key\n")
    fp32 = quality.variants[0].model_copy(update={"checker": "broken"})
    quality = quality.model_copy(update={"variants": (fp32, *quality.variants[1:])})
    code, text = stopped(capsys, quality, json_=False)
    assert code == 1
    assert "fault of fp32: onnx.checker: broken" in text
    assert "fault of int8-static: made from fp32, which onnx.checker: broken" in text
    code, text = stopped(capsys, quality, json_=True)
    document = json.loads(text)
    assert (code, document["exit_code"]) == (1, 1)
    assert set(document["wrong"]) == {variant.name for variant in quality.variants}


def test_a_fault_of_one_variant_leaves_the_others_to_the_gate(capsys):
    quality = report_example.report().quality
    last = quality.variants[-1].model_copy(update={"checker": "broken"})
    quality = quality.model_copy(update={"variants": (*quality.variants[:-1], last)})
    code, text = stopped(capsys, quality, json_=False)
    assert code == 0
    assert f"fault of {last.name}" in text


def test_a_verdict_sets_the_exit_code_and_is_the_document(built, capsys):
    result, _, _ = built
    invocation = Invocation(json=True)
    conclude(invocation, load_run(result.run), verbose=False)
    document = json.loads(capsys.readouterr().out)
    assert invocation.code == document["exit_code"] == EXIT_CODES[result.report.verdict.outcome]
    assert document["run"] == str(result.run)
