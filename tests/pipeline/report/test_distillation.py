"""What a report says of distillation and of static int8 with and without it."""

import pytest
import report_example as example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.records import Int8Drops
from edgestill.pipeline.report import distillation, html, markdown, terminal, training_chart
from rich.console import Console


def with_drops(value, low, high, seeds=1):
    """A report whose students lose 1 and 2 points, and more by seed."""
    difference = Estimate(value, low, high, "paired", 450, kind="measured")
    numbers = range(seeds)
    drops = Int8Drops(
        seeds=tuple(numbers),
        distilled_drop=tuple(0.01 + 0.01 * n for n in numbers),
        plain_drop=tuple(0.02 + 0.01 * n for n in numbers),
        distilled_changed=tuple(7 + n for n in numbers),
        plain_changed=tuple(9 + n for n in numbers),
        difference=difference,
    )
    report = example.report()
    quality = report.quality.model_copy(update={"int8_drops": drops})
    return report.model_copy(update={"quality": quality})


@pytest.mark.parametrize(
    ("ends", "seeds", "said"),
    [
        ((-0.01, -0.02, 0.01), 1, "Distillation is not shown to make the student harder or easier"),
        ((0.02, 0.01, 0.03), 1, "With one seed, distillation made the student harder to quantize"),
        ((-0.02, -0.03, -0.01), 3, "Distillation made the student easier to quantize"),
        ((0.02, None, None), 1, "Whether distillation made the student harder to quantize is not"),
        ((None, None, None), 1, "Whether distillation made the student harder to quantize is not"),
    ],
)
def test_harder_or_easier_is_said_only_where_the_interval_shows_it(ends, seeds, said):
    assert distillation.harder_to_quantize(with_drops(*ends, seeds)).startswith(said)


def test_the_sentence_has_both_drops_and_the_answers_that_changed():
    said = distillation.harder_to_quantize(with_drops(-0.01, -0.02, 0.01, 2))
    assert "the drops differ by -1.0 points (-2.0 to 1.0)" in said
    assert "the distilled student loses 1.5 points (15 of 900 answers changed) of accuracy" in said
    assert "without the teacher 2.5 points (19 of 900 answers changed)" in said
    assert "2 seeds, paired" in said


def test_every_page_has_the_sentence_and_the_section_a_line_a_seed(tmp_path):
    report = with_drops(-0.01, -0.02, 0.01, 3)
    console = Console(width=2000)
    with console.capture() as shown:
        console.print(terminal.table(report))
    for page in (shown.get(), markdown.page(report), html.page(report, tmp_path)):
        assert "is not shown to make the student harder or easier to quantize" in page
    gained, lost = distillation.section(report).tables
    assert [str(cell) for cell in lost.rows[2]] == ["2", "3 points", "4 points", "9", "11"]
    assert len(lost.head) == len(lost.rows[0]) == 5
    assert [str(cell) for cell in gained.rows[0]] == ["0", "97.6 %", "96.9 %"]


def test_a_run_without_the_comparison_says_nothing_of_it():
    report = example.report()
    assert distillation.harder_to_quantize(report) is None
    section = distillation.section(report)
    assert (len(section.paragraphs), len(section.tables)) == (1, 1)
    quality = report.quality.model_copy(update={"gain": None})
    alone = distillation.section(report.model_copy(update={"quality": quality}))
    assert alone.tables == ()
    assert alone.paragraphs[0].startswith("Without labels")


def with_unlabelled(value, low, high, seeds=3):
    """A report whose student is also compared with one of labelled samples alone."""
    report = example.report()
    gain = report.quality.gain.model_copy(
        update={
            "seeds": tuple(range(seeds)),
            "distilled_score": (0.73,) * seeds,
            "plain_score": (0.66,) * seeds,
            "labelled_score": (0.67,) * seeds,
            "by_unlabelled": Estimate(value, low, high, "paired", seeds, kind="measured"),
        }
    )
    trained = report.plain_students[0].model_copy(update={"distilled": True})
    return report.model_copy(
        update={
            "data": report.data.model_copy(update={"unlabelled": 1800}),
            "quality": report.quality.model_copy(update={"gain": gain}),
            "labelled_students": (trained,),
        }
    )


@pytest.mark.parametrize(
    ("ends", "seeds", "said"),
    [
        ((0.06, 0.05, 0.07), 3, "Samples without a label gained accuracy: 6.0 points"),
        ((-0.06, -0.07, -0.05), 3, "Samples without a label cost accuracy: -6.0 points"),
        ((0.06, 0.05, 0.07), 1, "With one seed, samples without a label gained accuracy"),
        ((0.06, -0.05, 0.17), 3, "Samples without a label: no difference shown, 6.0 points"),
        ((0.06, None, None), 3, "Samples without a label: no difference shown, 6.0 points"),
        ((None, None, None), 3, "Samples without a label: no difference shown, unknown"),
    ],
)
def test_what_samples_without_a_label_gave_is_said(ends, seeds, said):
    found = distillation.by_unlabelled(with_unlabelled(*ends, seeds))
    assert found.startswith(said)
    assert "73 % with the teacher's answers to all 2,790 samples of train, 67 %" in found
    assert "990 labelled ones alone, for as many steps" in found


def test_the_control_of_labelled_samples_is_wherever_the_plain_one_is(tmp_path):
    report = with_unlabelled(0.06, 0.05, 0.07)
    said = distillation.by_unlabelled(report)
    console = Console(width=4000)
    with console.capture() as shown:
        console.print(terminal.table(report))
    assert said in shown.get()
    page = markdown.page(report)
    assert page.count("Samples without a label gained accuracy") == 2
    assert "| student taught on labelled samples |" in page
    assert "Samples without a label gained accuracy" in html.page(report, tmp_path)
    (table,) = distillation.section(report).tables
    assert "with its answers to labelled samples alone" in table.head[2]
    assert [str(cell) for cell in table.rows[0]] == ["0", "73 %", "67 %", "66 %"]
    names = {one.name for one in training_chart.chart(report).plots[0].series}
    assert "student taught on labelled samples" in names


def test_without_that_control_nothing_is_said_of_it(tmp_path):
    report = example.report()
    assert distillation.by_unlabelled(report) is None
    assert "taught on labelled" not in html.page(report, tmp_path)
    (table,) = distillation.section(report).tables
    assert len(table.head) == 3
