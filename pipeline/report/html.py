"""report.html: one page that needs nothing but itself, from a file or a server, light or dark.

    page(report, run / "records")

jinja escapes every name. The figures travel as JSON in a data block in which ``<``, ``>`` and ``&``
are written as escapes, so that no label can end it; a content security policy allows the page's own
two scripts, by their hashes, and no request at all.
"""

import base64
import hashlib
import json
from pathlib import Path

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..recipe.files import toml
from ..records import Report
from . import (
    budgeted,
    numbers,
    operators,
    pictures,
    provenance,
    results,
    rows,
    runtimes,
    warnings,
    words,
)
from .chart import Chart
from .charts import charts

_PLOTLY_SETTINGS = {"displayModeBar": False, "responsive": True}


def page(report: Report, records: Path) -> str:
    """The report as one HTML document.

    Args:
        report: what to show.
        records: folder of raw latencies (``samples/``) and changed samples (``changed.npz``); what
            it lacks the page says in words.
    """
    drawn = charts(report, records / "samples")
    changed = pictures.read(records / pictures.FILE, report.data, report.verdict.nearest)
    plotly, draw = get_plotlyjs(), _ENVIRONMENT.get_template("draw.js.jinja").render()
    subject, metric = rows.subject(report), report.quality.metric
    return _ENVIRONMENT.get_template("report.html.jinja").render(
        report=report,
        headline=words.headline(report),
        verdict=words.WORDS[report.verdict.outcome],
        subject=subject,
        ratios=words.against_teacher(report, subject.name) if subject else (),
        metric=metric,
        score=numbers.parts(subject.score, numbers.score_unit(metric)) if subject else None,
        drop=numbers.parts(subject.drop, numbers.lost_unit(metric))
        if subject and subject.drop
        else None,
        budgeted=tuple(
            (line.name, *numbers.parts(figure, line.unit))
            for line in budgeted.lines(report)
            if subject and (figure := line.figures[subject.name]) is not None
        ),
        warnings=warnings.first(report),
        disturbed=warnings.of_measurement(report),
        compressed=tuple(filter(None, [runtimes.fastest(report)]))
        + words.first_against_fp32(report),
        predicted=operators.predicted_lines(report),
        gain=words.gain(report),
        files=words.shipped_files(report),
        results=results.sections(report, changed),
        provenance=provenance.sections(report),
        recipe=toml(report.recipe),
        charts=drawn,
        figures=_as_data(drawn),
        policy=_policy(plotly, draw),
        plotly=_ours(plotly),
        draw=_ours(draw),
    )


def _as_data(drawn: tuple[Chart, ...]) -> Markup:
    """The figures as JSON that HTML cannot misread."""
    figures = {chart.id: chart.figure.to_plotly_json() for chart in drawn if chart.figure}
    text = json.dumps({"figures": figures, "settings": _PLOTLY_SETTINGS}, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return _ours(text)


def _policy(*scripts: str) -> str:
    """Nothing may be fetched; only these scripts run. plotly sets styles from script."""
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _ours(text: str) -> Markup:
    """Text that holds nothing of the user's but what is escaped already."""
    return Markup(text)  # noqa: S704 - plotly.js, our script, or JSON without any < > &


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader(__package__, "."),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["printable"] = numbers.printable
