"""The page of ``bench --html``: charts of what was measured, and no script."""

import dataclasses

import measured_example
import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.report import bench_page


@pytest.fixture(scope="module")
def measured():
    return measured_example.benchmark()


@pytest.fixture(scope="module")
def processes(measured):
    return {model.name: measured_example.samples(model.name) for model in measured.models}


def test_percentiles_have_a_mark_a_model_with_its_interval(measured, processes):
    percentiles, queries = bench_page.charts(measured.models, processes)
    (plot,) = percentiles.plots
    assert [one.name for one in plot.series] == ["p50", "p90", "p99"]
    for at, model in enumerate(measured.models):
        point = plot.series[0].points[at]
        assert point.x == model.p50_ms.value
        assert point.x_ends == (model.p50_ms.low, model.p50_ms.high)
    assert [one.name for one in queries.plots[0].series] == list(processes)


def test_what_was_not_measured_is_named_with_its_reason(measured, processes):
    first, *rest = measured.models
    first = dataclasses.replace(first, p99_ms=Estimate.unknown("too few processes"))
    left = {name: processes[name] for name in list(processes)[1:]}
    percentiles, queries = bench_page.charts([first, *rest], left)
    assert percentiles.missing == (f"{first.name}, p99: too few processes",)
    assert queries.missing == (f"{first.name}: no raw samples",)


def test_the_page_runs_no_script_and_escapes_names(measured, processes):
    name = "<script>alert(1)</script>"
    first, *rest = measured.models
    models = (dataclasses.replace(first, name=name), *rest)
    renamed = {name: processes[first.name]} | {
        k: v for k, v in processes.items() if k != first.name
    }
    page = bench_page.page(
        dataclasses.replace(measured, models=models),
        renamed,
        [("p50", ["1.00 ms (0.90 to 1.10)", "unknown: why (so)", "2 ms", "3 ms"])],
        ["b takes 2.00× the latency of a (1.90 to 2.10)"],
        ["a note"],
    )
    assert "<script" not in page
    assert page.count("<svg viewBox") == 2
    assert "1.00 ms" in page
    assert '<small class="short">0.90 to 1.10</small>' in page
    assert "unknown: why (so)" in page
    assert len(page) < 120_000
