"""What a report says of the run before it."""

import dataclasses

import report_example as example
import verdict_examples
from edgestill.pipeline import report as pages
from edgestill.pipeline.report import html, since
from edgestill.pipeline.runs import run as runs


def table(section, caption):
    (found,) = (one for one in section.tables if one.caption.startswith(caption))
    return [[str(cell) for cell in cells] for cells in found.rows]


def faster(report, share):
    """The same run with p50 of fp32 at a share."""
    bench = report.measured.benchmark
    models = tuple(
        dataclasses.replace(
            one,
            p50_ms=dataclasses.replace(
                one.p50_ms,
                value=one.p50_ms.value * share,
                low=one.p50_ms.low * share,
                high=one.p50_ms.high * share,
            ),
        )
        if one.name == "fp32"
        else one
        for one in bench.models
    )
    return example.with_measured(report, benchmark=dataclasses.replace(bench, models=models))


def test_verdicts_recipe_and_figures_stand_side_by_side():
    then = verdict_examples.EXAMPLES["not ready"]().model_copy(
        update={"recipe": {"name": "digits", "seed": 0, "data": {"source": "digits"}}}
    )
    now = verdict_examples.EXAMPLES["ready"]().model_copy(
        update={"recipe": {"name": "digits", "seed": 1, "gate": {"max_p90_ms": 2.0}}}
    )
    found = since.section(faster(now, 0.5), then)
    assert "Then: NOT READY: nothing ships. Now: READY: fp32 ships." in found.paragraphs[0]
    assert table(found, "Keys") == [
        ["seed", "0", "1"],
        ["data.source", '"digits"', "not set"],
        ["gate.max_p90_ms", "not set", "2.0"],
    ]
    figures = {(line[0], line[1]): line[4] for line in table(found, "Figures")}
    assert figures["fp32", "latency p50"] == "apart"
    assert figures["int8-static", "latency p50"] == "the same"
    assert figures["fp32", "file size"] == "the same"


def test_models_of_one_run_alone_are_named():
    then = example.with_name(example.report(), "int8-static", "int4")
    found = since.section(example.report(), then)
    assert "The recipe is the same." in found.paragraphs
    assert table(found, "Models") == [["int4", "only then"], ["int8-static", "only now"]]


def test_a_run_that_was_judged_again_has_the_same_measurement_and_says_so():
    again = since.section(example.report(), example.report())
    assert "Both are verdicts on the same measurement; nothing was measured again." in (
        again.paragraphs
    )
    assert not any("different times" in said for said in again.paragraphs)
    measured = since.section(faster(example.report(), 1.02), example.report())
    assert any("different times" in said for said in measured.paragraphs)


def test_intervals_that_share_a_part_are_not_called_apart():
    found = since.section(faster(example.report(), 1.02), example.report())
    assert [line[4] for line in table(found, "Figures") if line[:2] == ["fp32", "latency p50"]] == [
        "overlap"
    ]


def test_a_page_has_the_section_where_there_is_a_run_before(tmp_path):
    page = html.page(example.report(), tmp_path, example.report())
    assert f"<h2>{since.TITLE}</h2>" in page
    assert since.TITLE not in html.page(example.report(), tmp_path)


def test_the_run_before_is_the_newest_that_can_be_read(tmp_path):
    for name in ("2026-01-01T00", "2026-01-02T00", "2026-01-03T00"):
        (tmp_path / name).mkdir()
        pages.write(example.report().model_copy(update={"created": name}), tmp_path / name)
    assert runs.before(tmp_path / "2026-01-03T00").created == "2026-01-02T00"
    assert runs.before(tmp_path / ".draft-2026-01-04T00").created == "2026-01-03T00"
    assert runs.before(tmp_path / "2026-01-01T00") is None
    (tmp_path / "2026-01-02T00" / "report.json").write_text("{")
    assert runs.before(tmp_path / "2026-01-03T00").created == "2026-01-01T00"
