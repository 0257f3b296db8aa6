"""Templates of pages: names escaped, drawings and our own script as they are.

render("bench.html.jinja", names=["a.onnx"], …)
"""

import re
from typing import Any

import jinja2
from markupsafe import Markup, escape

from . import graph_picture, numbers, svg
from .chart import Chart
from .plot import Plot, Series
from .sections import MARKS, Table
from .words import ON_BUDGET, WORDS

_SHADES = 8
_KEY = re.compile(r"[a-z_]+(?:\.[a-z0-9_]+)+")
_STEPS = re.compile(r"(?<=[._])")
_FIGURE = re.compile(
    r"unknown(?:: .*)?|[\d,]+ of [\d,]+|"
    r"[-+]?[\d.,]+(?:e[-+]\d+)?(?:\s?(?:%|×|[a-zA-Zµ]{1,6}))?(?: lost)?"
)


def render(name: str, **values: Any) -> str:
    """A page of a template of this folder."""
    return _ENVIRONMENT.get_template(name).render(**values)


def ours(text: str) -> Markup:
    """Text that holds nothing of the user's but what is escaped already."""
    return Markup(text)  # noqa: S704 - our script, or a drawing, whose names svg.py escapes


def commands(text: str) -> Markup:
    """A sentence with the commands in it, which stand between backticks, as code."""
    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:  # a backtick of the user's
        return escape(text)
    inside = Markup("<code>{}</code>")
    return Markup("").join(inside.format(p) if at % 2 else p for at, p in enumerate(parts))


def steps(text: str) -> Markup:
    """A recipe's key, which may go on in the next line after each of its words; other text."""
    if not _KEY.fullmatch(text):
        return escape(text)
    return Markup("<wbr>").join(escape(part) for part in _STEPS.split(text))


def right_of(table: Table) -> tuple[bool, ...]:
    """Which columns are aligned right: those of which most cells are figures."""
    columns = zip(*table.rows, strict=True) if table.rows else ([] for _ in table.head)
    return tuple(
        place > 0 and sum(bool(_FIGURE.fullmatch(cell.text)) for cell in column) * 2 > len(column)
        for place, column in enumerate(map(list, columns))
    )


def shade(count: int, total: int) -> int:
    """How dark a count of a matrix is, 0 to 8, by its share of the row."""
    return 0 if not count else max(1, round(_SHADES * count / total))


def panel(plot: Plot, chart: Chart) -> Markup:
    """One panel of a chart."""
    title = plot.title or chart.title
    return ours(svg.panel(plot, f"{title}. {numbers.printable(chart.alternative)}"))


def graph(chart: Chart) -> Markup:
    """The graph of a chart that has one."""
    if chart.graph is None:
        raise ValueError(chart.id)
    words = f"{chart.title}. {numbers.printable(chart.alternative)}"
    return ours(graph_picture.drawn(chart.graph, words))


def swatch(series: Series) -> Markup:
    """The sign of a series in a legend."""
    return ours(svg.swatch(series))


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader(__package__, "."),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
    "commands": commands,
    "printable": numbers.printable,
    "steps": steps,
}
_ENVIRONMENT.globals |= {
    "marks": MARKS,
    "graph": graph,
    "panel": panel,
    "right_of": right_of,
    "shade": shade,
    "swatch": swatch,
    "on_budget": ON_BUDGET,
    "words": WORDS,
}
