"""What a verdict says to try first: one command, which the parser takes, on every page."""

import html as html_module
import json
import re
import shlex
import xml.etree.ElementTree as ET

import pytest
import report_example as example
import verdict_examples
from edgestill.pipeline.recipe.files import bundled, load
from edgestill.pipeline.report import (
    changes,
    commands,
    first_screen,
    html,
    junit,
    markdown,
    next_step,
    step_summary,
    whole,
    write,
)

MISSED = {
    "size, where int8 is made already": ({"max_size_kib": 20.0}, "weights"),
    "score above the teacher's": ({"min_accuracy": 0.999}, "teacher"),
    "time by a third": ({"max_p50_ms": 0.02}, "runtime"),
}


def test_what_ships_needs_no_next_step():
    assert next_step.of(verdict_examples.EXAMPLES["ready"]()) is None


@pytest.mark.parametrize("case", MISSED)
def test_a_missed_budget_names_the_cheapest_rung_that_can_mend_it(case):
    budgets, rung = MISSED[case]
    report = verdict_examples.judged(**budgets)
    step = next_step.of(report)
    assert report.verdict.outcome == "not ready"
    assert step.rung == rung
    assert step.overrides


@pytest.mark.parametrize("example_of", sorted(set(verdict_examples.EXAMPLES) - {"ready"}))
def test_the_command_is_one_that_the_recipe_takes(example_of):
    step = next_step.of(verdict_examples.EXAMPLES[example_of]())
    program, verb, what, *options = shlex.split(step.command)
    overrides = [text for option, text in zip(options[::2], options[1::2], strict=True)]
    assert (program, what) in {("edgestill", "recipe.toml"), ("edgestill", "RUN")}
    assert verb == {"recipe.toml": "build", "RUN": "gate"}[what]
    assert load(bundled("digits"), overrides) != load(bundled("digits"))


def test_a_budget_that_is_named_as_met_is_met():
    report = verdict_examples.EXAMPLES["undecided"]()
    step = next_step.of(report)
    key, _, value = shlex.split(step.command)[-1].removeprefix("gate.").partition("=")
    assert verdict_examples.judged(**{key: float(value)}).verdict.outcome == "ready"


def test_where_no_step_helps_the_budgets_that_would_be_met_are_named_and_are():
    report = verdict_examples.judged(min_accuracy=0.999, max_size_kib=2.0)
    step = next_step.of(report)
    assert step.text.startswith("No single step is known to meet all budgets")
    texts = shlex.split(step.command)[4::2]
    budgets = dict(text.removeprefix("gate.").split("=") for text in texts)
    met = verdict_examples.judged(**{key: float(value) for key, value in budgets.items()})
    assert met.verdict.outcome == "ready"


def test_what_the_app_does_not_take_is_one_command_away():
    report = verdict_examples.judged(runtimes=("ort",))
    step = next_step.of(report)
    assert step.command == 'edgestill gate RUN --set \'gate.runtimes=["ort", "onnx"]\''
    assert step.text in changes.of(report)


def test_more_test_samples_are_drawn_where_there_are_enough_of_them():
    report = verdict_examples.judged(max_drop_vs_teacher=0.027)
    data = report.data.model_copy(update={"asked": {"test": 0.25}})
    report = report.model_copy(update={"data": data})
    assert next_step.of(report).command == "edgestill build recipe.toml --set data.test=0.47"


def test_a_recipe_of_another_version_names_no_rung_and_says_so():
    report = verdict_examples.EXAMPLES["not ready"]()
    step = next_step.of(report.model_copy(update={"recipe": {"name": "old", "unheard": 1}}))
    assert "this version does not read the recipe of this run" in step.text
    assert step.rung is None


def test_every_page_says_it_once(tmp_path):
    report = verdict_examples.EXAMPLES["not ready"]()
    step = next_step.of(report)
    page = html.page(report, tmp_path)
    assert page.count(step.text) == page.count(step.command) == 1
    text = markdown.page(report)
    assert text.count(markdown.escape(step.text)) == text.count(step.command) == 1
    assert json.loads(whole(report).model_dump_json())["next_step"]["command"] == step.command
    assert first_screen.of(report).changes[0] == step.text


def test_junit_says_it_in_the_failures_of_the_variant_that_is_nearest():
    report = verdict_examples.EXAMPLES["not ready"]()
    suites = ET.fromstring(junit.document(report)).iter("testsuite")
    told = {
        suite.get("name"): {next_step.of(report).command in f.get("message") for f in failures}
        for suite in suites
        if (failures := list(suite.iter("failure")))
    }
    assert told.pop(report.verdict.nearest) == {True}
    assert all(said == {False} for said in told.values())


@pytest.mark.parametrize("example_of", ["not ready", "undecided"])
def test_on_a_page_the_command_has_the_folder_of_the_run_and_says_where_it_works(
    example_of, tmp_path
):
    report = verdict_examples.EXAMPLES[example_of]()
    run = tmp_path / "artifacts" / "runs" / "digits" / "2026-12-01T00-00-00-000000Z"
    run.mkdir(parents=True)
    write(report, run)
    placed = commands.located(
        next_step.of(report).command, "artifacts/runs/digits/2026-12-01T00-00-00-000000Z"
    )
    for name in ("report.html", "report.md", "junit.xml"):
        text = html_module.unescape((run / name).read_text("utf-8"))
        assert placed in text
        assert "From the folder that holds artifacts/:" in text.replace("\\", "")
        assert str(tmp_path) not in text
        assert not re.search(r"edgestill (gate RUN|build recipe\.toml)", text)
    assert placed in step_summary.page(report, run=run)


def test_a_draft_is_drawn_with_the_place_that_it_will_have(tmp_path):
    report = verdict_examples.EXAMPLES["not ready"]()
    draft, run = (tmp_path / "out" / "runs" / "digits" / name for name in (".draft-1", "1"))
    draft.mkdir(parents=True)
    write(report, draft, place=run)
    assert "out/runs/digits/1/recipe.toml" in (draft / "report.md").read_text("utf-8")


def test_a_command_is_located_by_whole_words():
    run = "artifacts/runs/my recipe.toml/1"
    assert shlex.split(commands.located(commands.build("name=RUN"), run)) == [
        "edgestill", "build", f"{run}/recipe.toml", "--set", "name=RUN",
    ]  # fmt: skip
    assert shlex.split(commands.located(commands.gate(), run)) == ["edgestill", "gate", run]


def test_an_end_of_an_interval_is_rounded_outwards():
    quality = example.report().quality
    for check in verdict_examples.judged().verdict.variants[0].checks:
        budget = commands.met_by(check, quality)
        if budget is not None:
            value = float(budget.partition("=")[2])
            worst = check.figure.high if "max_" in check.key else check.figure.low
            assert value >= worst if "max_" in check.key else value <= worst
            assert value == pytest.approx(worst, rel=0.01)
