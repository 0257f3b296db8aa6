"""Which classes are taken for which, as the pages tell it."""

import numpy as np
import report_example as example
from edgestill.pipeline.report import confusion, html, markdown, results, templates


def with_counts(report, counts):
    variants = tuple(
        one.model_copy(update={"confusion": counts}) for one in report.quality.variants
    )
    quality = report.quality.model_copy(update={"variants": variants})
    return report.model_copy(update={"quality": quality})


def test_the_matrix_has_every_test_sample_and_agrees_with_the_accuracy():
    report = example.report()
    matrix = confusion.section(report).matrix
    counts = np.array(matrix.counts)
    assert counts.sum() == report.quality.test_samples
    right = np.trace(counts) / counts.sum()
    assert right == report.quality.variants[0].score.value
    assert matrix.labels == report.data.labels


def test_pairs_stand_from_the_most_frequent_down_with_the_teachers_count():
    counts = ((8, 2, 0), (1, 9, 0), (5, 0, 5))
    report = with_counts(example.report(labels=("a", "b", "c")), counts)
    teacher = report.quality.teacher.model_copy(update={"confusion": ((9, 1, 0),) * 3})
    quality = report.quality.model_copy(update={"teacher": teacher})
    pairs, classes = confusion.section(report.model_copy(update={"quality": quality})).tables
    assert [[str(cell) for cell in cells] for cells in pairs.rows] == [
        ["c", "a", "5", "50 %", "9"],
        ["a", "b", "2", "20 %", "1"],
        ["b", "a", "1", "10 %", "9"],
    ]
    assert [str(cells[-1]) for cells in classes.rows] == ["b (2)", "a (1)", "a (5)"]
    assert [str(cells[4]) for cells in classes.rows] == ["14", "11", "5"]


def test_a_page_has_the_matrix_with_shades_and_markdown_the_pairs(tmp_path):
    report = example.report()
    page = html.page(report, tmp_path)
    matrix = page.split('<table class="matrix">')[1].split("</table>")[0]
    assert matrix.count("<tr>") == 11
    assert matrix.count('scope="row"') == 10
    assert "n h8 right" in matrix
    assert "takes for something else most often" in markdown.page(report)


def test_a_run_of_an_older_version_or_another_task_has_no_section():
    older = with_counts(example.report(), None)
    assert confusion.section(older) is None
    assert confusion.TITLE not in [one.title for one in results.sections(older)]
    assert confusion.section(example.with_task(example.report(), "regression")) is None


def test_a_shade_is_a_share_of_its_row_and_none_of_nothing():
    assert [templates.shade(count, 100) for count in (0, 1, 50, 100)] == [0, 1, 4, 8]
    assert templates.shade(0, 0) == 0
