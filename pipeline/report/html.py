"""report.html: one page that needs nothing but itself, from a file or a server, light or dark.

    page(report, run / "records")

jinja escapes every name; drawings escape their own. A content security policy allows the page's one
script, by its hash, and no request at all.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..recipe.files import toml
from ..records import Report
from . import (
    adaptation,
    commands,
    first_screen,
    lost,
    operators,
    pictures,
    provenance,
    results,
    runtimes,
    search,
    since,
    templates,
    warnings,
    words,
)
from .chart import Chart
from .charts import charts
from .sections import Section

CHARTS = "Charts"
_BESIDE: Mapping[str, str] = {
    "by-runtime": runtimes.TITLE,
    "classes": lost.TITLE,
    "operators": operators.TITLE,
    "nodes": operators.TITLE,
    "roofline": operators.TITLE,
    "curves": "Training",
    "candidates": search.TITLE,
    "adaptation": adaptation.TITLE,
}
"""The section that a chart stands in, where that is not the one of charts."""


def page(
    report: Report, records: Path, earlier: Report | None = None, run: Path | None = None
) -> str:
    """The report as one HTML document.

    Args:
        report: what to show.
        records: folder of raw latencies (``samples/``) and changed samples (``changed.npz``); what
            it lacks the page says in words.
        earlier: the run of this name before it; None: there is none.
        run: folder of the run, for the command to try next; None: not known.
    """
    drawn = charts(report, records / "samples")
    changed = pictures.read(records / pictures.FILE, report.data, report.verdict.nearest)
    script = templates.render("page.js.jinja")
    found = results.sections(report, changed)
    overview = (results.SIDE_BY_SIDE, results.VARIANTS)
    at = next(i for i, one in enumerate(found) if one.title in overview) + 1
    sections = (
        *found[:at],
        Section(CHARTS, open=True),
        *([since.section(report, earlier)] if earlier else []),
        *found[at:],
        *provenance.sections(report, run),
    )
    screen = first_screen.of(report)
    return templates.render(
        "report.html.jinja",
        report=report,
        headline=words.headline(report),
        screen=screen,
        next_command=commands.on_page(screen.command, run) if screen.command else None,
        warnings=warnings.first(report),
        disturbed=warnings.of_measurement(report),
        beside=tuple(filter(None, [runtimes.fastest(report), words.shipped_files(report)]))
        + words.first_against_fp32(report)
        + operators.predicted_lines(report),
        sections=sections,
        charts_in=lambda section: _charts_in(section, drawn),
        recipe=toml(report.recipe),
        policy=_policy(script),
        script=templates.ours(script),
        slug=slug,
    )


def slug(section: Section) -> str:
    """The name of a section in addresses."""
    return section.title.lower().replace(" ", "-")


def _charts_in(section: Section, drawn: Sequence[Chart]) -> tuple[Chart, ...]:
    return tuple(one for one in drawn if _BESIDE.get(one.id, CHARTS) == section.title)


def _policy(script: str) -> str:
    """Nothing may be fetched; only this script runs. Bars have their places as styles."""
    return (
        f"default-src 'none'; script-src 'sha256-{_sha256(script)}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
