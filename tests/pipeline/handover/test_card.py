"""The model card: the report's own figures, and no name that Markdown obeys."""

import re

import pytest
import run_example
import runtimes_example
from edgestill.pipeline.handover import card
from edgestill.pipeline.handover.manifest import parse
from edgestill.pipeline.handover.snippets import SNIPPETS, Written
from edgestill.pipeline.report import markdown
from run_example import hostile

WRITTEN = tuple(Written(snippet, ("models/fp32.onnx",)) for snippet in SNIPPETS)
CELL = re.compile(r"\| ([^|]*\d[^|]*) (?=\|)")


@pytest.fixture
def manifest(folder):
    return parse((folder / "bundle.json").read_bytes(), "here")


def figures(page):
    """The cells with a number below the headings of figures and budgets."""
    found = page.partition("## Figures")[2].partition("## Preprocessing")[0]
    return [cell for line in found.splitlines() for cell in CELL.findall(f"{line} |")]


def test_every_figure_stands_in_the_report(manifest):
    report = run_example.report()
    found = figures(card.page(report, manifest, WRITTEN))
    page = markdown.page(report)
    assert len(found) > 20
    assert [cell for cell in found if cell not in page] == []


def test_the_width_is_that_of_a_family_and_none_of_a_function_of_the_users(manifest):
    report = run_example.report()
    student = report.variants.student
    assert f"{student.model}, width {student.width:,}" in card.page(report, manifest, WRITTEN)
    own = student.model_copy(update={"model": "net:student"})
    variants = report.variants.model_copy(update={"student": own})
    page = card.page(report.model_copy(update={"variants": variants}), manifest, WRITTEN)
    assert "| Student | net:student |" in page


def test_only_the_teacher_and_what_is_in_the_bundle_have_figures(manifest):
    page = card.page(run_example.report(), manifest, WRITTEN)
    assert "| Figure | teacher | fp32 |" in page
    assert "int8-dynamic" not in page.partition("## Figures")[2]


def test_what_is_not_run_is_said_to_be(manifest):
    page = card.page(run_example.report(), manifest, WRITTEN)
    for snippet in SNIPPETS:
        state = "tested" if snippet.run else "not run"
        assert (
            f"| snippets/{snippet.file} | {snippet.language} | models/fp32.onnx | {state} |" in page
        )


def test_hostile_names_bring_no_markup_and_no_line(manifest):
    plain = card.page(run_example.report(), manifest, WRITTEN)
    page = card.page(hostile(run_example.report()), manifest, WRITTEN)
    body = page.split("\n---\n", 1)[1]
    assert body.count("\n") == plain.split("\n---\n", 1)[1].count("\n")
    assert not re.search(r"(?<!\\)<|(?<!\\)\]\(|://|\u202e|\x1b", body)
    columns = [len(re.findall(r"(?<!\\)\|", line)) for line in body.splitlines()]
    assert set(columns) == {len(re.findall(r"(?<!\\)\|", line)) for line in plain.splitlines()}


def test_many_labels_are_not_all_listed(manifest):
    labels = tuple(f"class {number}" for number in range(1000))
    report = run_example.report()
    data = report.data.model_copy(update={"labels": labels})
    page = card.page(report.model_copy(update={"data": data}), manifest, WRITTEN)
    assert "class 19 and 980 more" in page
    assert "class 20" not in page


def test_a_package_without_golden_outputs_is_said(manifest):
    first = manifest.packages[0].model_copy(update={"golden": None})
    changed = manifest.model_copy(update={"packages": (first, *manifest.packages[1:])})
    page = card.page(run_example.report(), changed, ())
    assert "Without golden outputs, as nothing here runs them: models/fp32.onnx." in page


def test_the_budgets_are_those_of_the_bundle_where_there_are_several_runtimes_too(manifest):
    """The report then begins with another section."""
    page = card.page(runtimes_example.several(None, run_example.report()), manifest, WRITTEN)
    budgets = page.partition("## Figures")[2]
    assert "### fp32: READY" in budgets
    assert "### int8" not in budgets
