"""The page with every field of report.json."""

import re

import pytest
import tool_scripts
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.records import Check, Report, SearchRecord


@pytest.fixture(scope="module")
def page():
    return tool_scripts.load("docs_report")


def test_every_field_of_every_record_has_a_row(page):
    text = page.report_page()
    parts = dict(re.findall(r"^## (\w+)$\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert next(iter(parts)) == "Report"
    for record in (Report, Check, SearchRecord):
        for field in record.model_fields:
            assert f"| `{field}` |" in parts[record.__name__]
    assert "| `missing` | text or null |" in parts["Estimate"]


def test_what_a_field_says_is_what_stands_below_it_or_in_the_docstring(page):
    check = {name: told for name, _, told in page.fields_of(Check)}
    assert check["figure"] == "In the budget's own unit."
    estimate = {name: told for name, _, told in page.fields_of(Estimate)}
    assert estimate["value"].startswith("the point estimate")


def test_every_link_leads_to_a_table_of_the_page(page):
    text = page.report_page()
    headings = {name.lower() for name in re.findall(r"^## (\w+)$", text, re.M)}
    assert set(re.findall(r"\(#(\w+)\)", text)) <= headings
    assert Report in page.records_of(Report)
