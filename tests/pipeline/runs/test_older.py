"""Reports of schema 2.0, read as reports of today."""

import json

import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.runs.older import upgraded
from schema_2 import aged


def old_report():
    content = aged(json.loads(report_example.report().model_dump_json()))
    content["recipe"] = {"gate": {"max_energy_uj": 1e9, "max_size_kib": 1e9}}
    return content


def test_estimates_of_an_old_report_get_the_kind_and_unit_they_have_today():
    today, report = report_example.report(), upgraded(old_report())
    same = ("load_ms", "first_inference_ms", "peak_memory_bytes", "energy_uj", "footprint")
    for old, new in zip(
        report.measured.benchmark.models, today.measured.benchmark.models, strict=True
    ):
        assert {key: getattr(old, key) for key in same} == {key: getattr(new, key) for key in same}
    assert report.measured.benchmark.ratios == today.measured.benchmark.ratios
    assert {one.energy_uj.kind for one in report.measured.benchmark.models} == {"declared"}
    assert report.quality.variants[0].score.kind == "measured"


def test_the_percentiles_of_an_old_report_are_not_those_of_all_processes_and_decide_nothing():
    today, report = report_example.report(), upgraded(old_report())
    for old, new in zip(
        report.measured.benchmark.models, today.measured.benchmark.models, strict=True
    ):
        assert (old.p50_ms.value, old.p50_ms.low) == (new.p50_ms.value, None)
        assert old.p90_ms.value is None
        assert "single processes only" in old.p99_ms.missing
        # What schema 2.0 called p90 was MLPerf's estimate.
        assert old.early_stopping_p90_ms.value == new.p90_ms.value
        assert (old.early_stopping_p90_ms.unit, old.early_stopping_p90_ms.kind) == (
            "ms",
            "measured",
        )


def test_declared_energy_of_an_old_report_decides_no_budget():
    verdict = upgraded(old_report()).verdict
    assert verdict.outcome == "undecided"
    checks = {check.key: check for check in verdict.variants[0].checks}
    assert checks["max_energy_uj"].outcome == "undecided"
    assert checks["max_size_kib"].outcome == "ready"


def test_the_quality_of_an_old_report_decides_no_budget():
    """Its intervals were at 95 %, whatever could have shipped, and its metrics had none."""
    content = old_report()
    content["recipe"] = {"gate": {"min_accuracy": 0.5, "max_drop_vs_fp32": 0.9}}
    report = upgraded(content)
    today = report_example.report().quality.variants[0]
    fp32 = report.quality.variants[0]
    assert (fp32.score.value, fp32.score.low) == (today.score.value, None)
    assert fp32.metrics["macro-F1"].value == today.metrics["macro-F1"].value
    assert fp32.metrics["macro-F1"].low is None
    assert fp32.fidelity is not None
    assert fp32.fidelity.worst_drop.low is None
    assert report.verdict.outcome == "undecided"
    checks = {check.key: check for check in report.verdict.variants[0].checks}
    assert "narrower than a verdict takes today" in checks["min_accuracy"].why


def test_an_old_report_does_not_show_that_a_model_beats_a_constant_answer():
    content = old_report() | {"recipe": {"gate": {"max_size_kib": 1e9}}}
    verdict = upgraded(content).verdict
    assert verdict.outcome == "undecided"
    checks = {check.key: check for check in verdict.variants[0].checks}
    assert checks["max_size_kib"].outcome == "ready"
    for metric in ("accuracy", "balanced_accuracy"):
        check = checks[f"above_constant.min_{metric}"]
        assert check.outcome == "undecided"
        assert "did not compare it with a constant answer" in check.why


def test_a_figure_without_a_stated_kind_decides_nothing():
    assert Estimate(1.0, 0.5, 1.5, "measured: it says so", 9).kind == "unknown"


def test_both_files_of_an_old_variant_are_its_packages():
    report = upgraded(old_report())
    onnx, mobile = report.variants.variants[0].packages
    assert (onnx.format, mobile.format) == ("onnx", "ort")
    assert mobile.model == report_example.packages("fp32")[1].model
    assert [file.name for file in mobile.beside] == ["models/operators.config"]
    today = report_example.report().quality.files
    assert [one.packages for one in report.quality.files] == [one.packages for one in today]
    assert report.verdict.variants[0].packages[1].outcome == "undecided"
