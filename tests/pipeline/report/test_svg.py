"""Plots as SVG: whole documents, every name escaped, every mark where its numbers are."""

import re
import xml.etree.ElementTree as ET

import pytest
from edgestill.pipeline.report import drawing, svg
from edgestill.pipeline.report.plot import Axis, Look, Plot, Point, Series

HOSTILE = "</title></svg><script>alert(1)</script>"


def plot(*points, kind="marks", look=None, **axes):
    series = Series(HOSTILE, look or drawing.look(1), points, kind=kind)
    return Plot((series,), axes.get("x", Axis("time, ms")), axes.get("y", Axis("score")))


def test_a_name_of_the_users_is_text_wherever_it_stands():
    drawn = svg.panel(plot(Point(1.0, 2.0, told=HOSTILE), x=Axis(HOSTILE)), HOSTILE)
    root = ET.fromstring(drawn)
    assert {element.tag for element in root.iter()} <= {
        "svg",
        "g",
        "path",
        "text",
        "title",
        "polygon",
    }
    assert root.get("aria-label") == HOSTILE
    assert root.find(".//title").text == HOSTILE


@pytest.mark.parametrize("symbol", ["circle", "diamond", "square", "triangle", "cross", "star"])
def test_every_symbol_is_drawn_around_its_point(symbol):
    drawn = svg.panel(plot(Point(1.0, 2.0), look=Look(1, symbol, "")), "one mark")
    mark = re.search(r'<g class="mark">(.*?)</g>', drawn)[1]
    assert mark.startswith(("<circle", "<rect", "<polygon"))
    numbers = [float(n) for n in re.findall(r"[\d.]+", mark)]
    assert min(numbers) > 0.0
    assert max(numbers) < svg.WIDTH


def test_larger_figures_lie_to_the_right_and_above():
    drawn = svg.panel(plot(Point(1.0, 2.0), Point(3.0, 5.0), look=Look(0, "circle", "")), "")
    (x1, y1), (x2, y2) = (
        map(float, found) for found in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)
    )
    assert x1 < x2
    assert y1 > y2


def test_a_line_of_steps_goes_across_before_it_goes_up():
    drawn = svg.panel(plot(Point(1.0, 1.0), Point(2.0, 3.0), kind="steps"), "")
    assert re.search(r'class="line" d="M[\d.]+ [\d.]+H[\d.]+V[\d.]+"', drawn)


def test_a_bar_is_as_long_as_its_figure_and_an_interval_has_two_feet():
    points = (Point(2.0, 0.0, x_ends=(1.5, 2.5), text="2 MiB"), Point(4.0, 1.0))
    drawn = svg.panel(
        plot(*points, kind="bars", x=Axis("MiB", span=(0.0, 5.0)), y=drawing.lines(["a", "b"])), ""
    )
    short, long = (float(width) for width in re.findall(r'width="([\d.]+)"', drawn))
    assert long == pytest.approx(2 * short, abs=0.2)
    assert drawn.count('class="whisker"') == 1
    assert "2 MiB" in drawn


def test_what_has_no_place_on_a_logarithmic_axis_is_left_out():
    drawn = svg.panel(plot(Point(0.0, 1.0), Point(1.0, 2.0), x=Axis("ms", log=True)), "")
    assert drawn.count('class="point"') == 1


def test_a_legend_has_a_sign_of_the_same_look():
    dashed = Series("a", Look(3, "square", "7 4"), (), kind="line")
    assert 'stroke-dasharray="7 4"' in svg.swatch(dashed)
    assert "c3" in svg.swatch(dashed)
    assert "<rect" in svg.swatch(Series("a", Look(3, "square", ""), ()))
