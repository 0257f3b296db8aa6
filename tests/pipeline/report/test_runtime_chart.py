"""The chart of latencies by runtime."""

import dataclasses

import report_example
import runtimes_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.report import charts
from edgestill.pipeline.report.runtime_chart import charts as by_runtime


def test_the_chart_has_a_trace_a_runtime_and_a_mark_a_variant(tmp_path):
    report = runtimes_example.several()
    drawn = charts.charts(report, tmp_path)
    assert len({chart.id for chart in drawn}) == len(drawn)
    chart = drawn[0]
    assert chart.id == "by-runtime"
    assert {one.name: len(one.points) for one in chart.plots[0].series} == {
        "ONNX Runtime": 3,
        "LiteRT": 3,
        "OpenVINO": 2,
    }
    assert "int8-static in LiteRT: " in chart.alternative
    assert chart.missing == ()


def test_one_runtime_has_no_chart():
    assert list(by_runtime(report_example.report())) == []


def test_what_was_not_timed_is_not_drawn_and_named_with_its_reason():
    report = runtimes_example.several()
    models = tuple(
        dataclasses.replace(one, p50_ms=Estimate.unknown("only on the board"))
        if one.name.endswith("@openvino")
        else one
        for one in report.measured.benchmark.models
    )
    bench = dataclasses.replace(report.measured.benchmark, models=models)
    measured = report.measured.model_copy(update={"benchmark": bench})
    (chart,) = by_runtime(report.model_copy(update={"measured": measured}))
    assert [one.name for one in chart.plots[0].series] == ["ONNX Runtime", "LiteRT"]
    assert chart.missing == (
        "fp32@openvino: only on the board",
        "int8-static@openvino: only on the board",
    )
