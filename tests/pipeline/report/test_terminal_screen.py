"""The verdict on one screen: what decided it stands there at 80 columns and 24 lines."""

import io
import re

import pytest
import report_example as example
import runtimes_example
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.report import first_screen, numbers, words
from edgestill.pipeline.report.terminal_screen import budgets, screen
from rich.console import Console

LINES = 22
"""Of 24: below it stand the path of the report and the prompt."""
REPORTS = {
    "ready": example.report,
    "several runtimes": runtimes_example.several,
    "some cannot ship": lambda: runtimes_example.several(Gate(min_accuracy=0.9, runtimes=("ort",))),
    "missed": lambda: runtimes_example.several(Gate(min_accuracy=0.9999)),
    "texts": lambda: example.with_task(example.report(), "embedding"),
}


def shown(report, columns=80, lines=LINES, **how):
    console = Console(file=io.StringIO(), width=columns, **how)
    console.print(screen(report, columns=columns, lines=lines))
    return console.file.getvalue()


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("name", REPORTS)
def test_it_fits_one_screen_and_breaks_no_word(name, columns):
    report = REPORTS[name]()
    text = shown(report, columns)
    lines = text.splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= columns
    words = set(" ".join(lines).split())
    for model in report.variants.variants[:3]:
        assert model.name in words or model.name.split("@")[0] in words


@pytest.mark.parametrize("name", REPORTS)
def test_every_budget_that_decided_has_its_figure_its_interval_and_its_verdict(name):
    report = REPORTS[name]()
    checks = first_screen.checks_of(report)
    assert checks
    rows = shown(report, 140).splitlines()
    for check in checks[:6]:
        value, interval = numbers.without_reason(
            check.figure, numbers.budget_unit(check.key, report.quality)
        )
        word = {"ready": "met", "not ready": "missed", "undecided": "undecided"}[check.outcome]
        parts = (numbers.budget(check, report.quality), value, interval or "exact", word)
        assert any(all(part in row for part in parts) for row in rows), parts


def test_what_is_not_met_stands_first_with_how_far_it_is_away():
    text = shown(runtimes_example.several(Gate(min_accuracy=0.9999)))
    head = text.splitlines()[0]
    assert re.match(r"NOT READY: accuracy on test is [\d.]+ points .* outside its budget", head)
    assert "missed" in text


def test_models_beyond_the_screen_are_counted_and_the_one_in_question_is_there():
    report = runtimes_example.several()
    text = shown(report, lines=16)
    assert re.search(r"… and \d more", text)
    assert report.verdict.nearest in text
    assert len(text.splitlines()) <= 16


def test_a_log_has_every_model():
    report = runtimes_example.several()
    text = shown(report, lines=1000)
    assert all(f"{one.name} " in text for one in report.variants.variants)


def test_a_verdict_has_its_colour_on_a_terminal_alone():
    plain = shown(example.report())
    assert "\x1b" not in plain
    coloured = shown(example.report(), force_terminal=True, color_system="standard")
    assert "\x1b[1;32mREADY: fp32 ships" in coloured
    without = shown(example.report(), force_terminal=True, no_color=True)
    assert "\x1b[1;32m" not in without


def test_warnings_are_counted_and_where_all_of_it_is():
    report = example.report()
    last = shown(report).splitlines()[-1]
    assert last.startswith("details: ")
    assert last.endswith("in the report or --verbose")
    count = len(report.measured.benchmark.warnings)
    assert (f"{count} warning" in last) is bool(count)


def test_a_name_reaches_no_terminal_as_an_escape_code():
    report = example.report()
    hostile = report.model_copy(
        update={"verdict": report.verdict.model_copy(update={"why": "a\x1b[31m \u202e b"})}
    )
    assert "\x1b" not in shown(hostile)
    assert "\u202e" not in shown(hostile)


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("name", REPORTS)
def test_no_figure_interval_or_verdict_of_a_budget_is_cut(name, columns):
    report = REPORTS[name]()
    nearest = f"{'long-' * 6}{report.verdict.nearest}"
    renamed = report.verdict.model_copy(
        update={
            "nearest": nearest,
            "variants": tuple(
                one.model_copy(update={"name": nearest})
                if one.name == report.verdict.nearest
                else one
                for one in report.verdict.variants
            ),
        }
    )
    checks = first_screen.checks_of(report)[:6]
    tables, _ = budgets(report.model_copy(update={"verdict": renamed}), columns)
    console = Console(file=io.StringIO(), width=columns)
    console.print(*tables)
    rows = console.file.getvalue().splitlines()
    assert max(map(len, rows)) <= columns
    for check in checks:
        value, interval = numbers.without_reason(
            check.figure, numbers.budget_unit(check.key, report.quality)
        )
        parts = (
            numbers.budget(check, report.quality),
            value,
            interval or "exact",
            words.ON_BUDGET[check.outcome],
        )
        assert any(all(f"{part} " in f"{row} " for part in parts) for row in rows), parts


def test_a_figure_that_was_predicted_or_measured_elsewhere_says_so():
    report = example.report()
    measured = report.measured.model_copy(update={"target": "pixel-big", "on_target": False})
    away = report.model_copy(update={"measured": measured})
    text = shown(away, 140)
    assert "Target pixel-big; measured on" in text
    assert "which is not the target" in text
    assert f"on {measured.measured_on} " in text
    assert "which is not the target" not in shown(report, 140)


def test_what_distillation_gave_stands_there_where_there_is_room():
    report = example.report()
    assert "Accuracy gained by distillation: " in shown(report, lines=40)


@pytest.mark.parametrize("lines", range(18, 30))
@pytest.mark.parametrize("name", REPORTS)
def test_it_is_no_longer_than_there_is_room(name, lines):
    assert len(shown(REPORTS[name](), lines=lines).splitlines()) <= lines
