"""Several runtimes side by side: in the page, in Markdown, on a terminal, as JSON."""

import dataclasses
import io
import json

import pytest
import report_example
import runtimes_example
from edgestill.pipeline.recipe.gate import Gate
from edgestill.pipeline.report import (
    charts,
    html,
    markdown,
    results,
    rows,
    runtime_sizes,
    runtimes,
    whole,
    write,
)
from edgestill.pipeline.report.sections import Table, abreast, row
from edgestill.pipeline.report.terminal import table
from edgestill.pipeline.runs.run import open_report
from rich.console import Console


@pytest.fixture(scope="module")
def report():
    return runtimes_example.several()


def in_terminal(report, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(table(report))
    return console.file.getvalue()


def section(report):
    return next((one for one in results.sections(report) if one.title == "Runtimes"), None)


def test_one_runtime_has_no_section_no_chart_and_no_table(tmp_path):
    one = report_example.report()
    assert section(one) is None
    assert runtimes.fastest(one) is None
    assert runtimes.as_json(one) is None
    assert "by-runtime" not in [chart.id for chart in charts.charts(one, tmp_path)]


def test_it_follows_the_budgets_and_has_a_row_a_variant_by_method(report):
    found = results.sections(report)[1]
    assert found.title == "Runtimes"
    assert found.open
    rows = [(str(row[0]), row[1].text) for row in found.tables[0].rows]
    assert rows[:4] == [
        ("fp32", "ONNX Runtime"),
        ("fp32", "LiteRT"),
        ("fp32", "OpenVINO"),
        ("int8-dynamic", "ONNX Runtime"),
    ]
    assert len(rows) == 8
    ships = next(row for row in found.tables[0].rows if str(row[-1]) == "READY (ships)")
    assert (str(ships[0]), ships[1].text) == ("int8-static", "LiteRT")


def test_what_a_format_does_not_carry_stands_with_its_reason(report):
    found = next(one for one in section(report).tables if "does not have" in one.caption)
    assert [str(cell) for cell in found.rows[0]] == [
        "int8-dynamic",
        "openvino",
        "it does not read DynamicQuantizeLinear",
    ]


def test_reasons_of_one_runtime_are_shown_too():
    one = report_example.report()
    missing = runtimes_example.several().variants.not_carried
    variants = one.variants.model_copy(update={"not_carried": missing})
    found = section(one.model_copy(update={"variants": variants}))
    assert [one.caption for one in found.tables] == ["Variants that a format does not have"]


def test_the_fastest_correct_variant_is_named_in_one_sentence(report):
    sentence = runtimes.fastest(report)
    assert sentence.startswith("Fastest correct variant: int8-static in LiteRT, 0.3")
    assert "× the latency of fp32 in ONNX Runtime (" in sentence
    assert sentence.endswith(". It ships.")
    assert sentence in " ".join(in_terminal(report).split())
    assert "Fastest correct variant: int8-static in LiteRT" in markdown.page(report)


def test_where_another_ships_the_sentence_says_why():
    barred = runtimes_example.several(Gate(min_accuracy=0.9, runtimes=("onnx",)))
    assert runtimes.fastest(barred).endswith(
        "It cannot ship: the app does not take litert (gate.runtimes: onnx)."
    )
    small = runtimes_example.several(Gate(min_accuracy=0.9, max_size_kib=1.0))
    assert runtimes.fastest(small).endswith(" It is NOT READY.")
    none = runtimes_example.several(Gate(min_accuracy=0.9999))
    assert runtimes.fastest(none).startswith("No variant is shown to be correct")


def test_another_target_is_named():
    report = runtimes_example.several()
    measured = report.measured.model_copy(update={"on_target": False, "target": "board"})
    elsewhere = report.model_copy(update={"measured": measured})
    assert "on host, which is not the target" in runtimes.fastest(elsewhere)


@pytest.mark.parametrize("gate", [None, Gate(min_accuracy=0.9, runtimes=("openvino",))])
def test_a_terminal_of_80_columns_breaks_no_name(gate):
    text = in_terminal(runtimes_example.several(gate))
    assert max(len(line) for line in text.splitlines()) <= 80
    for name in ("int8-dynamic@litert", "int8-static@openvino", "fp32@openvino"):
        assert any(line.startswith(f"{name} ") for line in text.splitlines())
    assert "(ships)" in text


def test_a_terminal_shows_a_row_a_variant_and_columns_of_three():
    text = in_terminal(runtimes_example.several())
    rows = [line for line in text.splitlines() if line.endswith(("READY", " ships"))]
    assert len([line for line in rows if line.startswith("int8-static@litert ")]) == 1
    heads = [line.split() for line in text.splitlines() if line.split()[:1] == ["teacher"]]
    assert heads[0] == ["teacher", "fp32", "(ships)"]  # its name stands in the line above


def test_a_terminal_marks_what_cannot_ship():
    text = in_terminal(runtimes_example.several(Gate(min_accuracy=0.9, runtimes=("onnx",))))
    lines = [line for line in text.splitlines() if line.startswith("int8-static@litert ")]
    assert any(line.endswith("READY*") for line in lines)
    assert "* cannot ship: the app does not take litert (gate.runtimes: onnx)" in text


def test_a_name_too_long_for_a_line_is_broken_before_its_format():
    whole = report_example.report()
    text = json.dumps(runtimes_example.several(None, whole).model_dump(mode="json"))
    long = type(whole).model_validate_json(
        text.replace('"int8-static@litert"', '"int8-static-of-mine@a-microcontroller"')
    )
    lines = in_terminal(long).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("int8-static-of-mine "))
    assert lines[at + 1].startswith("@a-microcontroller")


def test_the_first_page_has_one_sentence_against_fp32(report):
    text = in_terminal(report)
    assert text.count(" against fp32: ") == 1
    assert "int8-static@litert against fp32: " in text


def test_the_first_element_of_a_charts_name_is_where_it_is_drawn(report, tmp_path):
    page = html.page(report, tmp_path)
    for chart in charts.charts(report, tmp_path):
        assert page.index(f' id="{chart.id}"') == page.index(f'<figure id="{chart.id}"') + 7


def test_models_of_several_runtimes_look_different(report, tmp_path):
    tradeoff = next(one for one in charts.charts(report, tmp_path) if one.id == "tradeoff")
    looks = [(one.look.symbol, one.look.colour) for one in tradeoff.plots[0].series]
    assert len(set(looks)) == len(looks) == 9


def test_a_program_gets_the_same_table(report):
    found = json.loads(json.dumps(runtimes.as_json(report)))
    assert found["fastest"] == "int8-static@litert"
    assert [one["name"] for one in found["variants"]][3:5] == ["fp32@litert", "int8-static@litert"]
    ships = found["variants"][4]
    assert (ships["variant"], ships["runtime"]) == ("int8-static", "LiteRT")
    assert ships["p50_over_fp32"]["high"] < 0.5
    assert found["not_carried"][0]["format"] == "openvino"


def with_libraries(report, **sizes):
    models = []
    for one in report.measured.benchmark.models:
        format_ = one.name.partition("@")[2] or "onnx"
        size = sizes.get(format_)
        models.append(dataclasses.replace(one, library_bytes=size, libraries=("a.so", "b.so", "c")))
    bench = dataclasses.replace(report.measured.benchmark, models=tuple(models))
    return report.model_copy(
        update={"measured": report.measured.model_copy(update={"benchmark": bench})}
    )


def test_the_size_of_a_runtime_stands_beside_its_smallest_file(report):
    (found,) = runtime_sizes.tables(with_libraries(report, onnx=2**20, litert=2**21))
    assert [row[0].text for row in found.rows] == ["ONNX Runtime", "LiteRT"]
    onnx, litert = ([str(cell) for cell in row] for row in found.rows)
    assert onnx[1:3] == ["1 MiB (a.so and 2 more)", "37.1 KiB (int8-static)"]
    assert onnx[4] == "unknown: no figure of its makers"
    assert litert[3] == "2.04 MiB"
    assert litert[4].startswith("374 KiB (tensorflow-lite.aar for arm64-v8a")


def test_without_a_list_of_libraries_there_is_no_table(report):
    assert runtime_sizes.tables(report) == []


def test_the_table_of_runtimes_is_in_report_json_as_in_the_json_of_a_command(report, tmp_path):
    write(report, tmp_path)
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved == whole(report).model_dump(mode="json")
    assert saved["runtimes"] == json.loads(json.dumps(runtimes.as_json(report)))
    assert len(saved["runtimes"]["variants"]) == 8
    # It is made of the rest: what is read has it no more, and a run is the same as before.
    assert open_report(tmp_path).runtimes is None
    assert open_report(tmp_path).verdict == report.verdict
    assert whole(report_example.report()).runtimes is None


def test_tables_of_many_models_are_cut_into_some_of_equal_width(report):
    models = [one.name for one in rows.models(report)]
    assert len(models) == 9
    found = next(one for one in results.sections(report) if one.title == "Teacher and variants")
    cut = [one for one in found.tables if one.caption.startswith("The teacher and each variant")]
    assert [len(one.head) - 1 for one in cut] == [4, 5]
    assert [name for one in cut for name in one.head[1:]] == models
    assert [one.caption[-6:] for one in cut] == ["1 of 2", "2 of 2"]
    for one in cut:
        assert {len(cells) for cells in one.rows} == {len(one.head)}
        assert [str(cells[0]) for cells in one.rows] == [str(cells[0]) for cells in cut[0].rows]
    few = Table("few", ("Figure", "a"), (row("x", "1"),))
    assert abreast(few) == (few,)
