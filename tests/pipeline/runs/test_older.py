"""Reports of schema 2.0, read as reports of today."""

import json

import report_example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.runs.older import upgraded

ADDED = {"kind", "unit"}
"""Fields that estimates of schema 2.0 did not have."""


def aged(content):
    """The same content as schema 2.0 had it."""
    if isinstance(content, list):
        return [aged(item) for item in content]
    if not isinstance(content, dict):
        return content
    new = ADDED if content.keys() >= {"value", "method", "missing"} else set()
    return {key: aged(value) for key, value in content.items() if key not in new}


def old_report():
    content = aged(json.loads(report_example.report().model_dump_json()))
    measured = content.pop("measured")
    content |= {key: measured[key] for key in ("benchmark", "operators", "predicted")}
    content["recipe"] = {"gate": {"max_energy_uj": 1e9, "max_size_kib": 1e9}}
    return content | {"schema_version": "2.0"}


def test_estimates_of_an_old_report_get_the_kind_and_unit_they_have_today():
    today, report = report_example.report(), upgraded(old_report())
    assert report.measured.benchmark == today.measured.benchmark
    assert {one.energy_uj.kind for one in report.measured.benchmark.models} == {"declared"}
    assert report.quality.variants[0].score.kind == "measured"


def test_declared_energy_of_an_old_report_decides_no_budget():
    verdict = upgraded(old_report()).verdict
    assert verdict.outcome == "undecided"
    checks = {check.key: check for check in verdict.variants[0].checks}
    assert checks["max_energy_uj"].outcome == "undecided"
    assert checks["max_size_kib"].outcome == "ready"


def test_a_figure_without_a_stated_kind_decides_nothing():
    assert Estimate(1.0, 0.5, 1.5, "measured: it says so", 9).kind == "unknown"
