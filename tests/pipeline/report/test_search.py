"""How the recipe of a run was found, as a report tells it."""

import io

import report_example
import verdict_examples
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.records import (
    CandidateRecord,
    Cost,
    RungRecord,
    SearchRecord,
    Shortfall,
)
from edgestill.pipeline.report import (
    changes,
    first_screen,
    markdown,
    next_step,
    results,
    search,
    search_chart,
)
from edgestill.pipeline.report.terminal_screen import screen
from rich.console import Console


def candidate(width, p50, *, measured=True, fits=True, **more):
    kind = "measured" if measured else "predicted"
    p50 = Estimate(p50, None, None, "", 5, "few processes", "ms", kind)
    cost = Cost(model="resnet8", width=width, parameters=100 * width, macs=1000 * width**2)
    return CandidateRecord(
        cost=cost,
        variant="int8-static",
        figures={"max_p90_ms": p50, "max_size_kib": Estimate.exact(3.0 * width, "", "KiB")},
        measured=measured,
        fits=fits,
        misses=() if fits else (miss(),),
        **more,
    )


def miss(key="max_p90_ms"):
    return Shortfall(key=key, budget=2.0, value=3.0, needed=1.9, excess=0.55)


RECORD = SearchRecord(
    candidates=(
        candidate(8, 1.0, short_score=0.91),
        candidate(12, 1.5, short_score=0.93, chosen=True),
        candidate(16, 3.0, fits=False),
        candidate(32, 9.0, measured=False, fits=False),
    ),
    rungs=(
        RungRecord(
            name="as it is",
            kept=True,
            nearest="int8-static",
            score=Estimate(0.93, 0.9, 0.95, "", 100, kind="measured"),
            misses=(miss("max_drop_vs_fp32"),),
            seconds=61.0,
        ),
        RungRecord(name="calibration", changes=('compress.calibration="mse"',), seconds=7.0),
        RungRecord(name="mixed", changes=("compress.variants=[]",), kept=True, fits=True),
        RungRecord(name="runtime", skipped="nothing is named"),
        RungRecord(name="qat", skipped="nothing is named"),
    ),
    changes=("student.width=12",),
    ended="int8-mixed is expected to be READY",
    seconds=200.0,
)


def report(outcome="ready", **changed):
    whole = verdict_examples.EXAMPLES[outcome]()
    return whole.model_copy(update={"search": RECORD.model_copy(update=changed)})


def test_without_a_search_nothing_is_told():
    whole = report_example.report()
    assert search.section(whole) is None
    assert search.lead(whole) is None
    assert list(search_chart.charts(whole)) == []
    assert first_screen.of(whole).search is None


def test_the_first_screen_says_how_the_recipe_was_found():
    told = first_screen.of(report()).search
    assert told == (
        "Found by a search: resnet8 of width 12 was chosen of 4 candidates (3 measured, 2 inside "
        "the budgets of resources); the ladder changed mixed; int8-mixed is expected to be READY, "
        "after 3 min 20 s."
    )
    assert "Found by a search: resnet8 of width 12" in markdown.page(report())
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(screen(report(), columns=80, lines=22))
    assert "Found by a search" in console.export_text()


def test_candidates_stand_with_their_figures_the_largest_first():
    table = search.section(report()).tables[0]
    assert [row[1].text for row in table.rows] == ["32", "16", "12", "8"]
    by_title = dict(zip(table.head, table.rows[2], strict=True))
    assert by_title["Student"].text == "resnet8, chosen"
    assert by_title["Figures"].text == "measured"
    assert by_title["Inside"].text == "yes"
    assert by_title["Score on validation, short training"].text == "0.9300"
    assert dict(zip(table.head, table.rows[0], strict=True))["Figures"].text == "predicted"


def test_what_was_tried_stands_with_what_it_gave_and_what_was_not_with_its_reason():
    section = search.section(report())
    table = section.tables[1]
    assert [row[0].text for row in table.rows] == ["as it is", "calibration", "mixed"]
    first = dict(zip(table.head, table.rows[0], strict=True))
    assert first["Took"].text == "1 min 01 s"
    assert "where a verdict takes at most" in first["It misses"].text
    assert [row[5].text for row in table.rows] == ["yes", "no", "yes"]
    assert section.points == ("Not tried: runtime, qat: nothing is named.",)
    assert search.TITLE in [one.title for one in results.sections(report())]


def test_a_verdict_that_nothing_brought_says_what_binds_and_names_no_rung_that_was_tried():
    whole = report("not ready", trade="max_size_kib binds: the nearest misses it")
    assert changes.of(whole)[0] == "max_size_kib binds: the nearest misses it."
    before = next_step.of(verdict_examples.EXAMPLES["not ready"]())
    tried = RungRecord(name=before.rung, changes=("a=1",))
    after = next_step.of(report("not ready", rungs=(*RECORD.rungs, tried)))
    assert before.rung is not None
    assert after.rung != before.rung


def test_the_chart_has_every_candidate_and_the_budget_that_most_of_them_miss():
    (chart,) = search_chart.charts(report())
    assert search_chart.tightest(RECORD.candidates) == "max_p90_ms"
    (plot,) = chart.plots
    marks = [point for series in plot.series if series.kind == "marks" for point in series.points]
    assert len(marks) == 4
    assert {"inside, measured", "outside, measured", "outside, predicted", "budget"} == {
        series.name for series in plot.series
    }
    assert "resnet8 of width 12, the student: 1.50 ms, measured" in chart.alternative
    assert search_chart.tightest(()) is None
