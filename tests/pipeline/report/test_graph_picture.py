"""The picture of a graph: a box an operator, darker the slower; none where it cannot be read."""

import re
from xml.etree import ElementTree

import operators_example as example
import pytest
import report_example
from edgestill.pipeline.commands import bench_operators
from edgestill.pipeline.finished.profiled import Profiled
from edgestill.pipeline.report import charts, graph_chart, graph_picture, html, templates
from edgestill.pipeline.report.graph_picture import picture_of

SVG = "{http://www.w3.org/2000/svg}"


def drawing(operators, words="words"):
    text = graph_picture.drawn(picture_of(operators), words)
    return ElementTree.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))


def test_a_box_names_operator_type_and_share_and_the_slowest_is_the_darkest():
    made = example.operators([(), (0,), (0, 1)], ["a", "b", "c"], [10.0, 30.0, 0.0])
    picture = picture_of(made)
    assert [box.title for box in picture.boxes] == ["a", "b", "c"]
    assert [box.detail for box in picture.boxes] == ["Conv · 25.0%", "Conv · 75.0%", "Conv · 0.0%"]
    assert [box.shade for box in picture.boxes] == [3, 8, 0]
    assert picture.boxes[1].told == "b: Conv, 30.0 µs (75.0%)"
    assert picture.edges == ((0, 1), (0, 2), (1, 2))
    assert picture.folded == 0


def test_the_drawing_has_all_boxes_and_edges_inside_of_its_frame():
    root = drawing(example.residual().operators)
    picture = picture_of(example.residual().operators)
    _, _, width, height = map(float, root.get("viewBox").split())
    assert len(root.findall(f"{SVG}g")) == len(picture.boxes) == 11
    edges = [one for one in root.findall(f"{SVG}path") if one.get("class") == "edge"]
    assert len(edges) == len(picture.edges)
    for one in root.iter(f"{SVG}rect"):
        left, top = float(one.get("x")), float(one.get("y"))
        assert 0 <= left <= width - float(one.get("width"))
        assert 0 <= top <= height - float(one.get("height"))
    numbers = [float(n) for one in edges for n in re.findall(r"[\d.]+", one.get("d"))]
    assert max(numbers) <= max(width, height)
    assert root.get("role") == "img"


def test_names_are_data_and_long_ones_keep_their_end():
    name = "<script>alert(1)</script>.encoder.layers.11.attention.output.dense"
    text = graph_picture.drawn(picture_of(example.operators([()], [name])), '"><script>')
    assert "<script" not in text
    (box,) = picture_of(example.operators([()], [name])).boxes
    assert box.title == "…tention.output.dense"
    assert name in box.told


def test_operators_of_one_box_are_counted_by_type():
    us = [100.0 if at == 0 else 0.001 for at in range(90)]
    made = example.operators([() if at == 0 else (at - 1,) for at in range(90)], us=us)
    picture = picture_of(made)
    assert [box.many for box in picture.boxes] == [False, True]
    assert picture.boxes[1].title == "89 operators"
    assert "n1 to n89: 89 × Conv" in picture.boxes[1].told
    assert picture.folded == 89
    caption = graph_chart.chart(example.record(made)).caption
    assert "stand for several operators: 89 operators in all" in caption


def test_what_is_too_wide_or_not_recorded_is_not_drawn_and_said_to_be():
    wide = example.record(example.operators([(), *[(0,)] * 12]))
    found = graph_chart.chart(wide)
    assert found.graph is None
    assert "the time of each is in the list of nodes" in found.missing[0]
    older = [one.model_copy(update={"after": None}) for one in example.residual().operators]
    assert "did not record" in graph_chart.chart(example.record(older)).missing[0]
    with pytest.raises(ValueError, match="graph"):
        templates.graph(found)


def test_the_page_of_a_bench_has_the_charts_of_every_file_under_ids_of_their_own():
    records = (example.residual(), example.residual().model_copy(update={"name": "<b>int8</b>"}))
    page = bench_operators.page(Profiled(records, ()))
    ids = re.findall('<figure id="([^"]+)"', page)
    assert len(set(ids)) == len(ids) == 7
    assert "<script" not in page
    assert "<b>int8" not in page
    assert page.count("<table") == 4
    assert "11 operators" in page
    (one,) = re.findall(
        '<figure id="(graph[^"]*)"', bench_operators.page(Profiled(records[:1], ()))
    )
    assert one == "graph"


def test_a_report_has_the_graph_before_the_list_of_nodes(tmp_path):
    report = example.reported(report_example.report())
    ids = [chart.id for chart in charts.charts(report, tmp_path)]
    assert ids.index("graph") == ids.index("nodes") - 1
    page = html.page(report, tmp_path)
    assert page.count('class="graph"') == 1
    assert "layers.0.conv1: Conv" in page
    assert len(page) < 400_000
