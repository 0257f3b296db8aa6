"""A variant that the app does not take is marked wherever its verdict stands."""

import xml.etree.ElementTree as ET

import runtimes_example
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.report import budget_table, junit, results

REASON = "the app does not take litert (gate.runtimes: onnx)"


def report(**budgets):
    return runtimes_example.several(Gate(**(budgets or {"min_accuracy": 0.9}), runtimes=("onnx",)))


def test_its_budgets_stand_below_the_reason():
    whole = report()
    found = {
        one.name: budget_table.of_variant(one, whole.quality) for one in whole.verdict.variants
    }
    assert found["int8-static@litert"].caption == "int8-static@litert: READY, cannot ship"
    assert [str(cell) for cell in found["int8-static@litert"].rows[0]] == [
        "taken by the app",
        "no",
        "yes",
        "cannot ship",
        REASON,
    ]
    assert found["fp32"].caption == "fp32: READY"


def test_the_table_of_budgets_marks_it_and_says_why_once_for_all():
    section = budget_table.section(report())
    told = {str(cells[0]): str(cells[1]) for cells in section.tables[0].rows}
    assert told["int8-static@litert"] == "READY (cannot ship)"
    assert told["fp32"] == "READY"
    assert [point for point in section.points if REASON in point] == [
        f"fp32@litert, int8-static@litert, int8-dynamic@litert: cannot ship: {REASON}"
    ]


def test_its_verdict_beside_the_others_says_so():
    side = next(s for s in results.sections(report()) if s.title == "Teacher and variants")
    halves = [table for table in side.tables if "each variant" in table.caption]
    said = {
        name: str(verdict)
        for table in halves
        for name, verdict in zip(table.head, table.rows[0], strict=True)
    }
    assert said["int8-static@litert"] == "READY (cannot ship)"
    assert said["fp32"] == "READY"


def test_a_build_server_sees_why_nothing_ships():
    """All budgets of the only READY variant are met, so its suite would be green without."""
    root = ET.fromstring(junit.document(report(max_p50_ms=0.02)))
    suite = next(one for one in root if one.get("name") == "int8-static@litert")
    failures = [one.get("message") for one in suite.iter("failure")]
    assert failures == [REASON]


def test_a_build_server_is_green_where_another_variant_ships():
    root = ET.fromstring(junit.document(report()))
    assert root.get("failures") == "0"
    assert f"not ready: {REASON}" in {one.get("message") for one in root.iter("skipped")}
