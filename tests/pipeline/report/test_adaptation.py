"""The section of an adaptation: steps and samples to the same score, a chart, one line."""

import io

import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge.adaptation_steps import share_of
from edgestill.pipeline.records import (
    AdaptationRecord,
    FewerSamples,
    Reached,
    ShorterTraining,
    StartRecord,
    StepScore,
)
from edgestill.pipeline.report import adaptation, html, markdown, terminal

START = StartRecord(weights_sha256="ab" * 32, tune="partly", head="linear", trained_parameters=90)


def report(steps=(12, 20), difference=None, shorter=()):
    """The example of a report, whose students started from weights."""
    whole = report_example.report()
    grid = tuple(StepScore(step=step, score=0.5 + step / 1000) for step in (1, 10, 100, 400))
    student = whole.students[0].model_copy(update={"start": START, "steps": grid})
    scratch = student.model_copy(update={"start": None})
    reached = tuple(Reached(seed=s, target=0.9, steps=n) for s, n in enumerate(steps))
    made = AdaptationRecord(
        start=START,
        metric="accuracy",
        total_steps=400,
        batch_size=32,
        samples=900,
        scratch=(scratch,),
        reached=reached,
        steps_share=share_of(reached, 400),
        adapted_score=(0.97,) * len(steps),
        scratch_score=(0.95,) * len(steps),
        difference=difference or Estimate(0.02, 0.01, 0.03, "mean over seeds", 2, kind="measured"),
        fewer=(
            FewerSamples(
                share=0.25, samples=225, validation_scores=(0.9, 0.8), test_scores=(0.9, 0.9),
                reaches=1,
            ),
        ),
        shorter=tuple(
            ShorterTraining(
                share=share, steps=round(400 * share), validation_scores=(0.9, 0.8),
                test_scores=(0.9, 0.9), reaches=reaches,
                difference=Estimate(share, -0.1, 0.3, "mean over seeds", 2, kind="measured"),
            )
            for share, reaches in shorter
        ),
    )  # fmt: skip
    variants = whole.variants.model_copy(update={"student": student, "teacher": None})
    quality = whole.quality.model_copy(update={"teacher": None, "gain": None})
    return whole.model_copy(
        update={
            "students": (student,), "adaptation": made, "teachers": (), "targets": None,
            "plain_students": (), "variants": variants, "quality": quality,
        }
    )  # fmt: skip


def test_the_sentence_has_the_steps_the_share_and_the_score_after_all_of_them():
    whole = report()
    said = adaptation.sentence(whole.adaptation, whole)
    assert (
        "needs 15 steps to reach the validation accuracy that the same student, trained from "
        "random weights, has after 400 steps"
    ) in said
    assert "97 % and 95 %" in said
    assert "the adapted one is better" in said


def test_no_difference_is_claimed_where_none_is_shown():
    whole = report(difference=Estimate(0.01, -0.01, 0.03, "", 2, kind="measured"))
    assert "an interval that contains 0" in adaptation.sentence(whole.adaptation, whole)
    whole = report(difference=Estimate(-0.02, -0.03, -0.01, "", 2, kind="measured"))
    assert "the adapted one is worse" in adaptation.sentence(whole.adaptation, whole)


def test_a_score_that_is_never_reached_is_said_and_is_no_zero():
    whole = report(steps=(12, None))
    said = adaptation.sentence(whole.adaptation, whole)
    assert said.startswith(
        "The adapted student does not reach the validation accuracy that the same student, "
        "trained from random weights, has after 400 steps: "
    )
    assert adaptation.brief(whole.adaptation) == (
        "adapted: 400 steps do not reach the validation accuracy that as many from random weights "
        "give"
    )
    section = adaptation.section(whole.adaptation, whole)
    assert [str(cell) for cell in section.tables[0].rows[1]][2:5] == ["never"] * 3


def test_the_section_has_a_row_a_seed_and_a_row_a_share():
    whole = report()
    section = adaptation.section(whole.adaptation, whole)
    assert section.title == adaptation.TITLE
    assert "90 of" in section.paragraphs[0]
    first, _, fewer = section.tables
    assert [str(row[2]) for row in first.rows] == ["12", "20"]
    assert [str(row[3]) for row in first.rows] == ["384", "640"]
    assert str(fewer.rows[0][-1]) == "1 of 2"
    assert "fitted" not in section.paragraphs[0]


def test_a_last_layer_that_was_fitted_is_said_with_what_it_took():
    whole = report()
    start = START.model_copy(update={"head_samples": 4096, "head_steps": 8})
    made = whole.adaptation.model_copy(update={"start": start})
    section = adaptation.section(made, whole)
    assert [str(row[3]) for row in section.tables[0].rows] == ["4,224", "4,480"]
    said = section.paragraphs[0]
    assert said.endswith(
        "Before the first step the new layer was fitted on the features of 4,096 labelled "
        "samples; this counts as 8 steps."
    )


def test_the_shortest_complete_schedule_that_is_enough_in_every_seed_is_said():
    whole = report(shorter=((0.05, 0), (0.1, 1), (0.2, 2), (0.5, 2)))
    said = adaptation.sentence(whole.adaptation, whole)
    assert "A complete schedule of 80 steps (20 %) gives it that in every seed." in said
    table = adaptation.section(whole.adaptation, whole).tables[2]
    assert [str(row[0]) for row in table.rows] == ["20", "40", "80", "200"]
    assert [str(row[-1]) for row in table.rows] == ["0 of 2", "1 of 2", "2 of 2", "2 of 2"]
    assert (
        "After 80 steps its accuracy on test minus that of random weights after all 400 is "
        "20.0 points (-10.0 to 30.0)."
    ) in said
    assert [str(row[-2].text) for row in table.rows][2].startswith("20.0 points")


def test_schedules_that_are_too_short_are_said_and_none_is_named_where_none_was_tried():
    whole = report(shorter=((0.05, 0), (0.1, 1)))
    said = adaptation.sentence(whole.adaptation, whole)
    assert "No complete schedule of up to 40 steps gives it that in every seed." in said
    assert "After 40 steps its accuracy on test" in said
    assert "complete schedule" not in adaptation.sentence(report().adaptation, report())
    assert "adapt --steps" in adaptation.section(report().adaptation, report()).paragraphs[2]


def test_the_chart_has_a_line_a_seed_of_either_start():
    whole = report()
    chart = adaptation.chart(whole.adaptation, whole)
    assert [series.name for series in chart.plots[0].series] == ["adapted", "from random weights"]
    assert chart.plots[0].x.log


def test_every_page_has_it_and_none_has_a_teacher(tmp_path):
    from rich.console import Console

    whole = report()
    page, text = html.page(whole, tmp_path), markdown.page(whole)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(terminal.table(whole))
    for one in (page, text, console.export_text()):
        assert "from random weights" in one.replace("\n", " ")
        assert "Against the teacher" not in one
    assert 'id="adaptation"' in page
