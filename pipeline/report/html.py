"""report.html: one page that needs nothing but itself, from a file or a server, light or dark.

    page(report, run / "records")

jinja escapes every name; drawings escape their own. A content security policy allows the page's one
script, by its hash, and no request at all.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from ..recipe.files import toml
from ..records import Report
from . import (
    first_screen,
    lost,
    numbers,
    operators,
    pictures,
    provenance,
    results,
    runtimes,
    svg,
    warnings,
    words,
)
from .chart import Chart
from .charts import charts
from .plot import Plot, Series
from .sections import MARKS, Section, Table

CHARTS = "Charts"
_SHADES = 8
_BESIDE: Mapping[str, str] = {
    "by-runtime": runtimes.TITLE,
    "classes": lost.TITLE,
    "operators": operators.TITLE,
    "nodes": operators.TITLE,
    "roofline": operators.TITLE,
    "curves": "Training",
}
"""The section that a chart stands in, where that is not the one of charts."""
_FIGURE = re.compile(r"(?:unknown|[-+]?[\d.,]+(?:\s?(?:%|×|[a-zA-Zµ]{1,6}))?(?: lost)?)(?:: .*)?")


def page(report: Report, records: Path) -> str:
    """The report as one HTML document.

    Args:
        report: what to show.
        records: folder of raw latencies (``samples/``) and changed samples (``changed.npz``); what
            it lacks the page says in words.
    """
    drawn = charts(report, records / "samples")
    changed = pictures.read(records / pictures.FILE, report.data, report.verdict.nearest)
    script = _ENVIRONMENT.get_template("page.js.jinja").render()
    found = results.sections(report, changed)
    at = next(i for i, one in enumerate(found) if one.title == results.SIDE_BY_SIDE) + 1
    sections = (*found[:at], Section(CHARTS, open=True), *found[at:], *provenance.sections(report))
    return _ENVIRONMENT.get_template("report.html.jinja").render(
        report=report,
        headline=words.headline(report),
        screen=first_screen.of(report),
        warnings=warnings.first(report),
        disturbed=warnings.of_measurement(report),
        beside=tuple(filter(None, [runtimes.fastest(report), words.shipped_files(report)]))
        + words.first_against_fp32(report)
        + operators.predicted_lines(report),
        sections=sections,
        charts_in=lambda section: _charts_in(section, drawn),
        recipe=toml(report.recipe),
        policy=_policy(script),
        script=_ours(script),
    )


def slug(section: Section) -> str:
    """The name of a section in addresses."""
    return section.title.lower().replace(" ", "-")


def _charts_in(section: Section, drawn: Sequence[Chart]) -> tuple[Chart, ...]:
    return tuple(one for one in drawn if _BESIDE.get(one.id, CHARTS) == section.title)


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


def _policy(script: str) -> str:
    """Nothing may be fetched; only this script runs. Bars have their places as styles."""
    return (
        f"default-src 'none'; script-src 'sha256-{_sha256(script)}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _ours(text: str) -> Markup:
    """Text that holds nothing of the user's but what is escaped already."""
    return Markup(text)  # noqa: S704 - our script, or a drawing, whose names svg.py escapes


def panel(plot: Plot, chart: Chart) -> Markup:
    """One panel of a chart."""
    title = plot.title or chart.title
    return _ours(svg.panel(plot, f"{title}. {numbers.printable(chart.alternative)}"))


def swatch(series: Series) -> Markup:
    """The sign of a series in a legend."""
    return _ours(svg.swatch(series))


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader(__package__, "."),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["printable"] = numbers.printable
_ENVIRONMENT.globals |= {
    "marks": MARKS,
    "panel": panel,
    "right_of": right_of,
    "shade": shade,
    "slug": slug,
    "swatch": swatch,
    "words": words.WORDS,
}
