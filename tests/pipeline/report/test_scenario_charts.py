"""The page of ``bench --scenario … --html``: charts of every load, drawn from its figures."""

import dataclasses
from pathlib import Path

import markupsafe
import pytest
import scenario_examples
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.devices.scenarios.table import SCENARIOS
from edgestill.pipeline.commands import bench_scenarios
from edgestill.pipeline.report import percentile_chart
from edgestill.pipeline.report.scenario_charts import charts

BY_ID = {
    "multi-stream": ("percentiles",),
    "offline": ("throughput", "batches"),
    "server": ("percentiles", "queue", "utilisation"),
    "threads": ("by-threads", "speed-up"),
    "cold-start": ("cold-start",),
    "sustained": ("course", "clock"),
    "loadgen": ("loops",),
}


def drawn(scenario):
    return {chart.id: chart for chart in charts(scenario_examples.result(scenario))}


def points_of(chart, name):
    """Of the marks, which have the intervals, else of the line."""
    series = [one for one in chart.plots[0].series if one.name == name]
    return series[-1].points or series[0].points


def test_every_scenario_has_charts_and_words_for_who_cannot_see_them():
    assert set(BY_ID) == set(SCENARIOS) - {"single-stream"}
    for scenario, ids in BY_ID.items():
        found = drawn(scenario)
        assert tuple(found) == ids
        for chart in found.values():
            assert chart.plots
            assert all(name in chart.alternative for name in scenario_examples.MEDIANS_MS)


def test_a_curve_has_the_figure_and_interval_of_every_batch():
    (model, _) = scenario_examples.result("offline").models
    throughput = drawn("offline")["throughput"]
    for point, row in zip(points_of(throughput, model.name), model.batches, strict=True):
        assert (point.x, point.y) == (row.batch, row.samples_per_s.value)
        assert point.y_ends == (row.samples_per_s.low, row.samples_per_s.high)
    assert [text for _, text in throughput.plots[0].x.ticks] == ["1", "2", "4", "8"]


def test_a_rate_that_cannot_be_sustained_is_above_the_line_and_has_no_percentiles():
    found = drawn("server")
    assert found["percentiles"].missing == tuple(
        f"fp32.onnx, {name}: {scenario_examples.UNSUSTAINED}" for name in ("p50", "p90", "p99")
    )
    busy, full = found["utilisation"].plots[0].series
    assert [point.x > 100.0 for point in busy.points] == [True, False]
    assert {point.x for point in full.points} == {100.0}
    queue = found["queue"]
    assert len(points_of(queue, "fp32.onnx")) == 9
    assert len(points_of(queue, "int8.onnx")) == 10
    assert queue.missing == ("fp32.onnx: no query of 1 tenths was answered",)


def test_a_long_course_is_a_line_without_marks_and_no_clock_has_no_chart():
    result = scenario_examples.result("sustained")
    (course, clock) = charts(result)
    line, marks = course.plots[0].series[:2]
    assert len(line.points) == 60
    assert marks.points == ()
    assert clock.plots[0].series[0].points[0].y == 1800.0
    unread = [
        dataclasses.replace(
            model, windows=tuple(dataclasses.replace(one, mhz=None) for one in model.windows)
        )
        for model in result.models
    ]
    assert [c.id for c in charts(dataclasses.replace(result, models=tuple(unread)))] == ["course"]


def test_five_figures_of_a_model_stand_on_its_line_and_not_on_the_next():
    (chart,) = drawn("cold-start").values()
    for series in chart.plots[0].series:
        assert [round(point.y) for point in series.points] == [0, 1]


def test_an_unknown_figure_is_left_out_and_named():
    models = [("a", scenario_examples.latency(1.0)), ("b", scenario_examples.latency(2.0))]
    unknown = dataclasses.replace(models[1][1], p50_ms=Estimate.unknown("it died"))
    chart = percentile_chart.percentiles([models[0], ("b", unknown)])
    assert chart.missing == ("b, p50: it died",)
    assert len(chart.plots[0].series[0].points) == 1
    assert len(chart.plots[0].series[1].points) == 2


@pytest.mark.parametrize("scenario", sorted(BY_ID))
def test_a_page_has_its_charts_its_figures_and_no_script(scenario):
    result = scenario_examples.result(scenario)
    first = dataclasses.replace(result.models[0], name="<script>alert(1)</script>")
    result = dataclasses.replace(result, models=(first, *result.models[1:]))
    page = bench_scenarios.page(result, Path())
    assert "<script" not in page
    assert page.count("<svg viewBox") == len(BY_ID[scenario])
    assert str(markupsafe.escape(SCENARIOS[scenario].load)) in page
    assert "9 fresh processes a row" in page
    assert len(page) < 60_000


def test_columns_stand_side_by_side_where_rows_have_the_same_names():
    page = bench_scenarios.page(scenario_examples.result("server"), Path())
    assert page.count("<caption>") == 1
    assert bench_scenarios.page(scenario_examples.result("offline"), Path()).count("<caption>") == 2


def test_a_scenario_of_which_nothing_is_known_is_a_table():
    result = dataclasses.replace(scenario_examples.result("cold-start"), scenario="toy")
    assert charts(result) == ()
