"""Several runs side by side."""

from dataclasses import replace

import run_example
import verdict_examples
from edgestill.pipeline.report import comparison

READY = verdict_examples.EXAMPLES["ready"]()
MISSED = verdict_examples.EXAMPLES["not ready"]()


def lines(table):
    return {str(row[0]): [str(cell) for cell in row[1:]] for row in table.rows}


def test_a_column_a_run_with_verdict_figures_and_keys_that_differ():
    figures, keys = comparison.tables([READY, MISSED])
    found = lines(figures)
    assert found["Verdict"] == ["READY", "NOT READY"]
    assert found["File size"] == ["81.2 KiB", "81.2 KiB"]
    assert lines(keys) == {
        "gate.max_p90_ms": ["2.0", "0.02"],
        "gate.max_size_kib": ["128.0", "32.0"],
    }


def test_runs_of_one_recipe_have_no_keys_that_differ():
    assert len(comparison.tables([READY, READY])) == 1


def test_many_runs_are_several_tables():
    figures = comparison.tables([READY] * 10)
    assert [len(table.head) for table in figures] == [6, 6]


def test_names_are_data_on_both_pages():
    nasty = run_example.hostile(READY)
    page = comparison.html_page([nasty, READY])
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in comparison.markdown_page([nasty, READY])


def test_scores_of_two_metrics_stand_in_rows_of_their_own():
    quality = MISSED.quality.model_copy(update={"metric": "mAP"})
    other = MISSED.model_copy(update={"quality": quality})
    figures = lines(comparison.tables([READY, other])[0])
    assert figures["mAP on test"][0] == figures["accuracy on test"][1] == "—"
    assert "Lost to the teacher" not in figures


def test_energy_is_told_as_a_report_tells_it():
    declared = lines(comparison.tables([READY, MISSED])[0])["Energy"]
    assert declared[0] == "0.0469 of teacher, declared (0.0329 to 0.0704)"
    benchmark = READY.measured.benchmark
    alone = replace(benchmark, models=benchmark.models[1:2], ratios=())
    measured = READY.measured.model_copy(update={"benchmark": alone})
    report = READY.model_copy(update={"measured": measured})
    assert lines(comparison.tables([report, READY])[0])["Energy"][0].startswith("3.74 µJ, declared")
