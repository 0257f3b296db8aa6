"""Every budgeted figure stands in the table of a terminal and on both pages."""

import io
import re

import pytest
import report_example as example
from edgestill.pipeline.judge.gate import judge
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.report import budgeted, html, markdown, numbers, terminal
from rich.console import Console


def judged(report, **budgets):
    verdict = judge(Gate(**budgets), report.quality, report.measured)
    return report.model_copy(update={"verdict": verdict})


def printed(report):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(terminal.table(report))
    return console.export_text()


ALL = {
    "min_balanced_accuracy": 0.5,
    "min_worst_class_recall": 0.1,
    "min_recall": {"3": 0.1},
    "max_drop_vs_fp32": 0.5,
    "min_agreement": 0.1,
    "max_worst_class_drop": 0.9,
    "max_p99_ms": 900.0,
    "max_instructions": 1e12,
}


def test_what_every_table_has_anyway_is_no_further_line():
    report = judged(
        example.report(), min_accuracy=0.5, min_score=0.5, max_drop_vs_teacher=0.5,
        max_p50_ms=9.0, max_p90_ms=9.0, max_peak_memory_mib=99.0, max_size_kib=1e6,
        max_energy_uj=1e9,
    )  # fmt: skip
    assert budgeted.lines(report) == ()


def test_each_other_budget_is_a_line_with_the_figure_that_was_judged():
    report = judged(example.report(), **ALL)
    lines = {line.name: line for line in budgeted.lines(report)}
    assert list(lines) == [
        "lost to fp32",
        "same answers",
        "lost by the worst class",
        "p99",
        "instructions",
        "balanced accuracy",
        "worst-class recall",
        "recall of '3'",
    ]
    for quality in report.quality.variants:
        found = lines["balanced accuracy"].figures[quality.name]
        assert found == quality.metrics["balanced accuracy"]
    teacher = report.quality.teacher.metrics
    assert lines["balanced accuracy"].figures["teacher"] == teacher["balanced accuracy"]
    assert lines["same answers"].figures["teacher"] is None
    assert lines["balanced accuracy"].of_answers
    assert not lines["p99"].of_answers


def test_the_table_has_them_at_80_columns_with_intervals():
    report = judged(example.report(), **ALL)
    text = printed(report)
    assert max(map(len, text.splitlines())) <= 80
    # Behind the table of the budgets of one model.
    grid = text[re.search(r"\n +teacher ", text).start() : text.rindex("verdict")]
    words = " ".join(grid.split())
    found = report.quality.variants[0].metrics["balanced accuracy"]
    value, interval = numbers.parts(found, numbers.PERCENT)
    assert value in words
    assert interval in words
    assert grid.index("balanced") < grid.index("p50") < grid.index("p99")


@pytest.mark.parametrize(
    ("task", "budgets", "name"),
    [
        ("regression", {"max_rmse": 9.0}, "RMSE"),
        ("regression", {"max_mae": {"width": 9.0}}, "MAE of 'width'"),
        ("multi-label", {"min_micro_f1": 0.1}, "micro-F1"),
        ("embedding", {"min_recall_at_1": 0.1}, "recall@1"),
    ],
)
def test_every_task_shows_its_own_on_all_pages(task, budgets, name, tmp_path):
    report = judged(example.with_task(example.report(), task), **budgets)
    (line,) = budgeted.lines(report)
    assert line.name == name
    shown = numbers.show(line.figures["fp32"], line.unit)
    assert name.split()[0] in printed(report)
    assert f"- {markdown.escape(f'{name}: {shown}')}" in markdown.page(report)
    rows = html.page(report, tmp_path).split('class="budgets"')[1].split("</table>")[0]
    assert numbers.parts(line.figures["fp32"], line.unit)[0] in rows
