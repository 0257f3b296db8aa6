"""Several runs side by side: a column a run, and the keys of their recipes that differ.

    tables(reports)         # 'Runs', 'Keys of the recipes that differ'
    html_page(reports), markdown_page(reports)

Runs are built at different times, maybe on different machines, so no ratio of latencies is formed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...devices.onboard.stats.estimate import Estimate
from ..records import Report
from . import energy, numbers, rows, since, templates
from .markdown import escape, table_text
from .numbers import BYTES, COUNT, MICROJOULES, MILLISECONDS, Unit
from .rows import Row
from .sections import Cell, Table, abreast, brief, row, verdict

APART = (
    "The runs were measured at different times, so a difference of latency, memory or energy may "
    "be the machine's. `edgestill compare` measures two models in turn; `edgestill gate RUN "
    "--baseline OTHER` says whether one run is worse than another."
)


def tables(reports: Sequence[Report]) -> tuple[Table, ...]:
    """A column a run; of many runs several tables.

    Args:
        reports: at least two, in the order of the columns.
    """
    head = ("", *_titles(reports))
    figures = Table("Runs", head, tuple(_figures(reports)))
    keys = Table("Keys of the recipes that differ", ("Key", *head[1:]), tuple(_keys(reports)))
    return (*abreast(figures), *(abreast(keys) if keys.rows else ()))


def html_page(reports: Sequence[Report]) -> str:
    """One page that needs nothing but itself."""
    return templates.render(
        "comparison.html.jinja", names=_titles(reports), about=APART, tables=tables(reports)
    )


def markdown_page(reports: Sequence[Report]) -> str:
    """The same as Markdown."""
    blocks = [f"# {escape(', '.join(dict.fromkeys(one.name for one in reports)))}", escape(APART)]
    for table in tables(reports):
        blocks += [f"## {escape(table.caption)}", table_text(table)]
    return "\n\n".join(blocks) + "\n"


def _titles(reports: Sequence[Report]) -> tuple[str, ...]:
    """Name and time, which together are one run's own."""
    return tuple(f"{one.name}, {one.created[:19].replace('T', ' ')}" for one in reports)


def _figures(reports: Sequence[Report]) -> list[tuple[Cell, ...]]:
    models = [rows.subject(report) for report in reports]
    metrics = list(dict.fromkeys(report.quality.metric for report in reports))
    pairs = list(zip(reports, models, strict=True))

    def line(what: str, of: Callable[[Row], Estimate | None], unit: Unit) -> tuple[Cell, ...]:
        cells = []
        for model in models:
            figure = of(model) if model else None
            cells.append(brief(figure, unit) if figure is not None else Cell("unknown"))
        return row(what, *cells)

    def score_of(metric: str) -> tuple[Cell, ...]:
        unit = numbers.score_unit(metric)
        return row(
            f"{metric} on test",
            *(
                brief(model.score, unit) if model and report.quality.metric == metric else Cell("—")
                for report, model in pairs
            ),
        )

    lost = numbers.lost_unit(metrics[0])
    return [
        row("Verdict", *(verdict(report.verdict.outcome) for report in reports)),
        row("Commit", *(_commit(report) for report in reports)),
        row("Ships, or is nearest", *(model.name if model else "none" for model in models)),
        *map(score_of, metrics),
        *([line("Lost to the teacher", lambda one: one.drop, lost)] if len(metrics) == 1 else []),
        line("File size", _size, BYTES),
        line("Latency p50", lambda one: one.p50_ms, MILLISECONDS),
        line("Latency p90", lambda one: one.p90_ms, MILLISECONDS),
        line("Peak memory", lambda one: one.memory_bytes, BYTES),
        row("Energy", *(_energy(report, model) for report, model in pairs)),
        line("Instructions of a query", _instructions, COUNT),
        row("Target", *(report.measured.target for report in reports)),
        row("Measured on", *(_machine(report) for report in reports)),
        row("Teacher", *(_models(report) for report in reports)),
        row("Test samples", *(f"{report.quality.test_samples:,}" for report in reports)),
        row("edgestill", *(report.edgestill for report in reports)),
    ]


def _size(model: Row) -> Estimate:
    return Estimate.exact(model.variant.bytes, "file size", "bytes")


def _energy(report: Report, model: Row | None) -> Cell:
    """As a report shows it: measured, or a declared proxy over that of the run's own reference."""
    benchmark = report.measured.benchmark
    title, shown = energy.line(benchmark.models, benchmark.ratios)
    found = {one.name: each for one, each in zip(benchmark.models, shown, strict=True)}
    estimate, unit = found.get(model.name if model else "", (None, MICROJOULES))
    if estimate is None or estimate.value is None:
        return Cell("unknown")
    cell = brief(estimate, unit)
    if title == "energy":
        return cell
    of = title.partition(", ")[2]
    return replace(cell, text=f"{cell.text} {of}, declared" if of else f"{cell.text}, declared")


def _instructions(model: Row) -> Estimate | None:
    figure = model.figures.instructions if model.figures else None
    return figure if figure is not None and figure.value is not None else None


def _commit(report: Report) -> str:
    if report.commit is None:
        return "unknown"
    return f"{report.commit.sha[:10]}{' and changes' if report.commit.changed else ''}"


def _machine(report: Report) -> str:
    return f"{report.measured.measured_on}, {report.measured.benchmark.host.cpu}"


def _models(report: Report) -> str:
    return ", ".join(one.model for one in report.teachers)


def _keys(reports: Sequence[Report]) -> list[tuple[Cell, ...]]:
    flat = [since.flat(report.recipe) for report in reports]
    keys = dict.fromkeys(key for one in flat for key in one)
    return [
        row(key, *(one.get(key, "not set") for one in flat))
        for key in keys
        if len({one.get(key) for one in flat}) > 1
    ]
