"""Groups in a report: which split has which, and how models answer those of test."""

import report_example as example
from edgestill.pipeline.records import GroupScore
from edgestill.pipeline.report import groups, markdown, numbers, provenance, warnings


def with_groups(count):
    """A report whose test has some groups, the last ones the worst."""
    report = example.report()
    names = [f"site {i}" for i in range(count)]
    listed = {"train": {"base": 100}, "test": dict.fromkeys(names, 5)}
    data = report.data.model_copy(
        update={"groups": listed, "asked": {"test": 0.2}, "warnings": ("test is far",)}
    )
    scores = tuple(
        GroupScore(name=name, samples=5, scores={"teacher": 0.9, "fp32": i / count})
        for i, name in enumerate(names)
    )
    quality = report.quality.model_copy(
        update={"groups": scores, "remarks": ("validation is far",)}
    )
    return report.model_copy(update={"data": data, "quality": quality})


def test_groups_of_each_split_are_listed_with_what_was_asked():
    (table,) = groups.of_splits(with_groups(2).data)
    rows = [[str(cell) for cell in row] for row in table.rows]
    assert rows[0][0] == "train"
    assert rows[0][2:] == ["the rest", "1", "base (100)"]
    assert rows[1][2:] == ["20 %", "2", "site 0 (5), site 1 (5)"]
    assert list(groups.of_splits(example.report().data)) == []


def test_scores_by_group_are_shown_the_worst_first_and_capped_with_the_rest_counted():
    assert groups.section(example.report().quality) is None
    few = groups.section(with_groups(2).quality)
    assert [str(cell) for cell in few.tables[0].rows[1]] == ["site 1", "5", "90 %", "50 %"]
    many = groups.section(with_groups(130).quality)
    assert len(many.tables[0].rows) == groups.MOST_SCORES
    assert any("In report.json only: 80 groups with better scores" in p for p in many.paragraphs)
    (listed,) = groups.of_splits(with_groups(130).data)
    assert str(listed.rows[1][4]).endswith("and 110 more, in report.json")


def test_a_figure_in_the_unit_of_the_labels_has_its_name():
    assert numbers.amount(3.1, numbers.figure_unit("RMSE", "USD")) == "3.10 USD"
    assert numbers.amount(3.1, numbers.figure_unit("RMSE", "")) == "3.10"
    assert numbers.amount(0.31, numbers.figure_unit("accuracy", "USD")) == "31 %"
    quality = example.report().quality.model_copy(
        update={"label_unit": "USD", "task": "regression"}
    )
    assert numbers.amount(3.1, numbers.budget_unit("max_rmse", quality)) == "3.10 USD"


def test_the_task_of_a_regression_names_numbers_and_units():
    data = example.report().data.model_copy(
        update={"task": "regression", "labels": ("price", "area"), "units": ("USD", "m²")}
    )
    report = example.report().model_copy(update={"data": data})
    sections_of = {section.title: section for section in provenance.sections(report)}
    facts = [str(cell) for row in sections_of["Data"].tables[0].rows for cell in row]
    assert "regression of price (USD), area (m²)" in facts
    assert data.unit == ""
    assert data.model_copy(update={"units": ("m", "m")}).unit == "m"


def test_warnings_of_data_and_scores_stand_on_the_first_page():
    report = with_groups(2)
    assert warnings.first(report)[:2] == ("test is far", "validation is far")
    page = markdown.page(report)
    assert page.index("validation is far") < page.index("## Budgets")
    assert "## Scores by group" in page
