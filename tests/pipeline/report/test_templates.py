"""What templates ask of Python: which columns are figures, and drawings as they are."""

import pytest
from edgestill.pipeline.report import templates
from edgestill.pipeline.report.chart import Chart
from edgestill.pipeline.report.plot import Axis, Look, Plot, Point, Series
from edgestill.pipeline.report.sections import Table, row
from edgestill.pipeline.report.templates import commands, steps


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (("97.6 %", "98.1 %"), True),
        (("31.0 µs", "unknown: not measured"), True),
        (("0.074×", "1.46×", "reference"), True),
        (("1,024", "-0.3 points"), True),
        (("9 of 9", "2.4e-06"), True),
        (("READY", "1 ms"), False),
        (("a name", "another"), False),
        (("models/digits-fp32.onnx", "3f2a"), False),
    ],
)
def test_a_column_that_is_mostly_figures_is_aligned_right(cells, right):
    table = Table("t", ("Model", "Figure"), tuple(row("m", cell) for cell in cells))
    assert templates.right_of(table) == (False, right)


def test_an_empty_table_has_no_column_of_figures():
    assert templates.right_of(Table("t", ("a", "b"), ())) == (False, False)


def test_a_drawing_is_not_escaped_again_and_the_words_in_it_are_once():
    series = Series("a", Look(1, "circle", ""), (Point(1.0, 1.0),))
    plot = Plot((series,), Axis(), Axis())
    drawn = templates.panel(plot, Chart("i", "a < b", "", (plot,), (), "c & d"))
    assert drawn.startswith("<svg ")
    assert 'aria-label="a &lt; b. c &amp; d"' in drawn
    assert templates.swatch(series).startswith("<svg ")


def test_a_command_in_a_sentence_is_code_and_the_rest_is_escaped():
    assert commands("`edgestill compare` of <b> & `x`") == (
        "<code>edgestill compare</code> of &lt;b&gt; &amp; <code>x</code>"
    )
    assert commands("a class called `<b>") == "a class called `&lt;b&gt;"


def test_a_key_breaks_between_its_words_alone():
    assert steps("gate.max_p50_ms") == "gate.<wbr>max_<wbr>p50_<wbr>ms"
    assert steps("recipes/01.toml") == "recipes/01.toml"
    assert steps("0.04") == "0.04"
    assert steps("<b>.x_y") == "&lt;b&gt;.x_y"
