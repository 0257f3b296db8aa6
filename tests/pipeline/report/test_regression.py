"""What is said of a run against a baseline, on a terminal, in a page of a job and in JUnit."""

import io
import xml.etree.ElementTree as ET
from dataclasses import replace

import verdict_examples
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge import regression as judged
from edgestill.pipeline.judge.against import Against, Pair
from edgestill.pipeline.judge.regression import Limits, Side
from edgestill.pipeline.report import junit, regression, step_summary, terminal_regression
from rich.console import Console

REPORT = verdict_examples.judged()
FIGURES = REPORT.measured.benchmark.models[1]
SCORE = Estimate(0.97, 0.95, 0.99, "m", 450, None, "share", "measured")


def found(*, size=1000, lost=(0.0, -0.004, 0.005), latency=None, missing=None):
    now = Side(size, "b", SCORE, FIGURES)
    then = Side(1000, "a", SCORE, FIGURES)
    drop = Estimate(*lost, "paired difference", 450, None, "share", "measured")
    changes = judged.changes(now, then, Limits(), lost=drop, latency=latency)
    pair = Pair("fp32", "fp32", "onnx", changes, judged.outcome_of(changes), "paired by sample")
    if missing:
        pair = replace(pair, changes=(), outcome="undecided", missing=missing)
    return Against("digits, built yesterday", "0123456789abcdef", Limits(), (pair,), 0.9967)


def said(against):
    section = regression.section(against, REPORT)
    tables = [str(cell) for table in section.tables for row in table.rows for cell in row]
    return " ".join([*section.paragraphs, *section.points, *tables])


def test_no_regression_names_what_it_was_compared_with_and_how_often_that_is_wrong():
    text = said(found())
    assert text.startswith("no regression: against digits, built yesterday")
    assert "commit 0123456789" in text
    assert "wrong in at most 0.5 % of comparisons (scores at 99.67 % confidence)" in text
    assert "Latency p50: measured apart, at two times: not judged." in text


def test_a_regression_leads_with_what_is_worse_and_how_to_see_what_differs():
    text = said(found(size=1140))
    assert text.startswith("REGRESSION: file size is 1.140 times, at most 1.020 times is allowed")
    assert "edgestill report --compare BASELINE RUN" in text


def test_what_cannot_be_told_says_how_many_samples_would_tell_and_which_limit_is_met():
    text = said(found(lost=(0.002, -0.012, 0.018)))
    assert text.startswith(
        "CANNOT TELL: accuracy is 0.2 points lost (-1.2 to 1.8), at most 1 point"
    )
    # ((1.8 - 0.2) / (1 - 0.2))² = 4 times 450
    assert "about 1,800 test samples decide it instead of 450 if the figure stays" in text
    assert "`--max-score-drop 1.8` is met" in text


def test_a_rise_of_the_score_is_told_as_gained():
    text = said(found(lost=(-0.073, -0.12, -0.03)))
    assert "7.3 points gained (3.0 to 12.0)" in text
    assert "-7.3" not in text


def test_scores_of_other_samples_are_not_compared_and_the_next_step_is_told():
    other = found()
    drop = Estimate.unknown("test has other samples")
    changes = judged.changes(
        Side(1, "b", SCORE, FIGURES),
        Side(1, "a", SCORE, FIGURES),
        Limits(),
        lost=drop,
        latency=None,
    )
    pair = replace(
        other.pairs[0], changes=changes, outcome="undecided", paired="not compared: test has other"
    )
    text = said(replace(other, pairs=(pair,)))
    assert text.startswith("CANNOT TELL: accuracy is not compared (test has other samples)")
    assert "build the baseline's recipe on this run's data" in text


def test_an_open_latency_names_the_limit_that_is_met():
    slower = Estimate(1.02, 0.99, 1.08, "in turn", 20, None, "ratio", "measured")
    text = said(found(latency=slower))
    assert "latency p50 is 1.020 times (0.990 to 1.080), at most 1.050 times is allowed" in text
    assert "Latency p50 is open; `--max-latency-growth 8%` is met." in text


def test_a_model_that_the_baseline_lacks_is_told():
    text = said(found(missing="the baseline has no fp32"))
    assert text.startswith("CANNOT TELL: the baseline has no fp32")


def test_a_terminal_shows_it_in_80_columns():
    console = Console(file=io.StringIO(), width=80)
    console.print(terminal_regression.shown(found(size=1140), REPORT, verbose=True))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("REGRESSION: file size")
    row = next(line for line in lines if line.startswith("File size"))
    assert row.split()[-1] == "REGRESSION"


def test_the_page_of_a_job_has_verdict_budgets_and_baseline_and_escapes_names():
    nasty = REPORT.model_copy(update={"name": "a|b<script>"})
    text = step_summary.page(nasty, found(size=1140))
    assert text.startswith("## ✓ a\\|b&#60;script&#62;: READY: fp32 ships")
    assert "| File size | at most 128 KiB |" in text
    assert "### Against the baseline" in text
    assert "REGRESSION" in text
    assert "Against the baseline" not in step_summary.page(REPORT)


def test_the_page_of_a_job_says_what_next_where_nothing_ships():
    text = step_summary.page(verdict_examples.EXAMPLES["not ready"]())
    assert "```sh\nedgestill build recipe.toml --set student.width=4\n```" in text


def test_junit_has_a_case_a_figure_and_skips_what_is_not_judged():
    root = ET.fromstring(junit.document(REPORT, found(size=1140)))
    suite = root.findall("testsuite")[-1]
    assert suite.get("name") == "fp32 against the baseline's fp32"
    kinds = {case.get("name"): [part.tag for part in case] for case in suite.findall("testcase")}
    assert kinds == {
        "size": ["failure"],
        "score": ["system-out"],
        "instructions": ["skipped"],
        "latency": ["skipped"],
    }
    assert suite.find(".//failure").get("type") == "not ready"
    assert (root.get("failures"), suite.get("tests")) == ("1", "4")


def test_junit_fails_where_there_is_nothing_to_compare_with():
    root = ET.fromstring(junit.document(REPORT, found(missing="gone")))
    assert root.findall("testsuite")[-1].find(".//failure").get("type") == "undecided"
