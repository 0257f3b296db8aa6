"""What single sections of a report say, without a page around them."""

from dataclasses import replace

import pytest
import report_example as example
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.pipeline.judge.operator_types import Kind
from edgestill.pipeline.records import Commit, OperatorTime
from edgestill.pipeline.report import (
    compression,
    energy,
    html,
    memory,
    numbers,
    operator_charts,
    operators,
    provenance,
    rows,
    sections,
    words,
)


def test_a_cell_joins_a_figure_and_its_interval_and_a_verdict_keeps_its_outcome():
    cell = sections.figure(Estimate(2.0, 1.5, 2.5, "m", 9), numbers.MILLISECONDS)
    assert str(cell) == "2.00 ms (1.50 to 2.50)"
    assert sections.verdict("ready") == sections.Cell("READY", outcome="ready")
    assert sections.verdict(None).text == "not judged"
    assert sections.row("a", cell)[0] == sections.Cell("a")
    assert sections.pairs("t", ("What", "Value"), [("a", "b")]).rows == (sections.row("a", "b"),)


def test_rows_join_quality_figures_and_verdict_by_name_and_say_what_is_absent():
    report = example.report()
    by_name = {row.name: row for row in rows.models(report)}
    assert next(iter(by_name)) == "teacher"
    assert by_name["teacher"].drop is None
    assert rows.subject(report).name == report.verdict.nearest
    bench = replace(report.measured.benchmark, models=())
    unmeasured = rows.models(example.with_measured(report, benchmark=bench))[1]
    assert unmeasured.p50_ms.missing == "not measured in this run"
    assert unmeasured.score.value is not None
    assert rows.ratio(report, "fp32").over == "teacher"
    assert rows.ratio(report, "fp32", "nobody") is None


def test_energy_is_in_microjoules_only_where_every_model_was_measured():
    report = example.report()
    bench = report.measured.benchmark
    declared = Estimate(1.0, 0.5, 2.0, "declared", 0, kind="declared", unit="uJ")
    counted = Estimate(2.0, 1.9, 2.1, "counter", 9, kind="measured", unit="uJ")
    all_counted = [replace(model, energy_uj=counted) for model in bench.models]
    assert energy.line(all_counted, bench.ratios)[0] == "energy"
    mixed = [replace(all_counted[0], energy_uj=declared), *all_counted[1:]]
    name, shown = energy.line(mixed, bench.ratios)
    assert name == "energy proxy, of teacher"
    assert shown[0][0] is energy.REFERENCE
    assert energy.line(mixed, ())[0] == "energy proxy"
    assert "counter" in energy.methods(mixed, energy.line(mixed, ())[1])


def test_memory_has_no_lines_where_no_model_was_measured_so_and_reasons_where_one_was_not():
    report = example.report()
    models = [replace(model, footprint=None) for model in report.measured.benchmark.models]
    assert memory.lines(models) == ()
    assert "do not add up" in memory.NOTE


def test_compression_has_a_row_for_each_compressed_variant_and_bytes_for_all():
    report = example.report()
    section = compression.section(report)
    effects, files = section.tables[:2]
    compressed = [v.name for v in report.variants.variants if v.changed_nodes]
    assert [row[0].text for row in effects.rows] == compressed
    assert [row[0].text for row in files.rows] == [v.name for v in report.variants.variants]
    assert report.variants.plan.device in section.paragraphs[0]


def test_operators_that_were_not_timed_are_said_not_to_be():
    report = example.with_measured(example.report(), operators=(), predicted=())
    assert operators.section(report).paragraphs == ("Operators were not timed in this run.",)
    assert operators.predicted_lines(report) == ()
    cells = operators.predicted_cells(report, ["fp32"])
    assert [cell.text for cell in cells] == ["not predicted"]


def test_operator_types_beyond_a_dozen_share_one_bar_and_no_roof_gives_no_chart():
    kinds = [
        Kind(f"Op{i}", 1, 1.0, 0.05, None, None, 0, None, None)
        for i in range(operator_charts.BARS + 3)
    ]
    plot = operator_charts.shares(kinds)
    assert len(plot.series[0].points) == len(plot.y.ticks) == operator_charts.BARS + 1
    assert plot.y.ticks[-1][1] == "3 other types"
    assert plot.series[0].points[-1].x == pytest.approx(15.0)
    assert operator_charts.roofline(()) is None


def test_nodes_stand_in_the_order_of_execution_and_of_many_the_slowest_have_bars():
    many = [node(f"n{i}", float(i % 50)) for i in range(operator_charts.NODES + 20)]
    plot = operator_charts.nodes(many)
    names = [name for _, name in plot.y.ticks]
    assert len(names) == operator_charts.NODES + 1
    assert names[-1] == "20 other nodes"
    order = [int(name.split()[0][1:]) for name in names[:-1]]
    assert order == sorted(order)
    assert sum(point.x for point in plot.series[0].points) == pytest.approx(100.0)
    few = operator_charts.nodes(many[:2])
    assert [name for _, name in few.y.ticks] == ["n0 (Conv)", "n1 (Conv)"]


def node(name, us):
    total = sum(i % 50 for i in range(operator_charts.NODES + 20))
    return OperatorTime(
        name=name,
        op="Conv",
        family="Conv",
        fused=(),
        calls=1.0,
        us=us,
        share=us / total,
        type="float",
        macs=None,
        operations=None,
        parameters=0,
        bytes=None,
        roof_us=None,
    )


@pytest.mark.parametrize(("changed", "said"), [(False, ""), (True, " with changes")])
def test_a_report_names_the_commit_that_it_was_built_from(changed, said, tmp_path):
    commit = Commit(sha="9efe359" + "0" * 33, changed=changed)
    report = example.report().model_copy(update={"commit": commit})
    page = html.page(report, tmp_path)
    assert f"by edgestill 0.1.0, commit 9efe359000{said}</span>" in page
    libraries = next(one for one in provenance.sections(report) if one.title == "Versions")
    assert str(libraries.tables[0].rows[-1][1]).startswith(commit.sha)
    assert ", commit" not in html.page(example.report(), tmp_path)


def test_samples_without_a_label_stand_below_those_of_the_splits():
    report = example.report()
    data = report.data.model_copy(update={"unlabelled": 1800})
    for found, last in ((data, "without a label"), (report.data, "all")):
        of = report.model_copy(update={"data": found})
        section = next(one for one in provenance.sections(of) if one.title == "Data")
        samples = next(table for table in section.tables if table.caption.startswith("Samples"))
        assert samples.rows[-1][0].text == last
    assert "1,800" in words.gain(report.model_copy(update={"data": data}))
