"""What a report says of distillation and of static int8 with and without it."""

import pytest
import report_example as example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.records import Int8Drops
from edgestill.pipeline.report import distillation, html, markdown, terminal
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
