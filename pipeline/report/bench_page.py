"""The page of ``bench --html``: figures with their intervals, and charts of them. No script.

page(measured, curves, rows, sentences, notes)
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ...devices.scenarios.figures import Benchmark, Figures
from ...devices.scenarios.result import Result
from ..records import OperatorsRecord
from . import drawing, numbers, operator_charts, operators, samples, scenario_charts, templates
from .chart import Chart
from .charts import latency_plot
from .percentile_chart import percentiles
from .sections import Cell, Table, abreast


def page(
    measured: Benchmark,
    processes: Mapping[str, Sequence[samples.Latencies]],
    rows: Sequence[tuple[str, Sequence[str]]],
    sentences: Sequence[str],
    notes: Sequence[str],
) -> str:
    """The page of one query after the other.

    Args:
        measured: what was measured.
        processes: raw latencies by model, an array a process.
        rows: what, and a cell a model.
        sentences: who is faster.
        notes: how it was measured.
    """
    names = tuple(model.name for model in measured.models)
    table = Table(
        "A column a model, intervals below the figures",
        ("Figure", *names),
        tuple((Cell(what), *map(_cell, cells)) for what, cells in rows),
    )
    drawn = charts(measured.models, processes)
    return _page(names, (table,), drawn, sentences, notes, measured.warnings)


def scenario_page(
    result: Result[Any],
    head: Sequence[str],
    rows: Mapping[str, Sequence[Sequence[str]]],
    sentences: Sequence[str],
    notes: Sequence[str],
) -> str:
    """The page of another load.

    Args:
        result: what was measured.
        head: titles of the columns; empty: a row is a name and a figure.
        rows: by model.
        sentences: which load.
        notes: how it was measured.
    """
    tables = _with_head(head, rows) if head else _side_by_side(rows)
    drawn = scenario_charts.charts(result)
    return _page(tuple(rows), tables, drawn, sentences, notes, result.warnings)


def operators_page(
    records: Sequence[OperatorsRecord], sentences: Sequence[str], notes: Sequence[str]
) -> str:
    """The page of the time by operator.

    Args:
        records: one a model.
        sentences: what was found, and predicted.
        notes: how it was measured.
    """
    several = len(records) > 1
    drawn = [
        chart
        for number, record in enumerate(records, 1)
        for chart in operator_charts.of_file(record, f"-{number}" if several else "")
    ]
    drawn += [operator_charts.rooflines(records, records[0])]
    tables = [table for record in records for table in operators.tables(record)]
    return _page(tuple(one.name for one in records), tables, drawn, sentences, notes, ())


def _page(
    names: tuple[str, ...],
    tables: Sequence[Table],
    drawn: Sequence[Chart],
    sentences: Sequence[str],
    notes: Sequence[str],
    warnings: Sequence[str],
) -> str:
    return templates.render(
        "bench.html.jinja",
        names=names,
        tables=tables,
        charts=drawn,
        sentences=sentences,
        notes=notes,
        warnings=warnings,
    )


def _with_head(
    head: Sequence[str], rows: Mapping[str, Sequence[Sequence[str]]]
) -> tuple[Table, ...]:
    """A table a model."""
    tables = []
    for name, own in rows.items():
        width = max((len(row) for row in own), default=0)
        padded = (tuple(row) + ("",) * (width - len(row)) for row in own)
        tables.append(
            Table(
                f"{numbers.printable(name)}, intervals below the figures",
                tuple(head[:width]),
                tuple((Cell(what), *map(_cell, cells)) for what, *cells in padded),
            )
        )
    return tuple(tables)


def _side_by_side(rows: Mapping[str, Sequence[Sequence[str]]]) -> tuple[Table, ...]:
    """A column a model; a row that only some of them have is empty in the others."""
    by_model = [{row[0]: row[1] for row in own} for own in rows.values()]
    named = dict.fromkeys(what for own in by_model for what in own)
    return abreast(
        Table(
            "A column a model, intervals below the figures",
            ("Figure", *rows),
            tuple((Cell(what), *(_cell(own.get(what, "—")) for own in by_model)) for what in named),
        )
    )


def charts(
    models: Sequence[Figures], processes: Mapping[str, Sequence[samples.Latencies]]
) -> tuple[Chart, Chart]:
    """Percentiles with their intervals, and every query."""
    looks = {model.name: drawing.look(at) for at, model in enumerate(models, 1)}
    curves = {name: samples.curve(arrays) for name, arrays in processes.items()}
    return (
        percentiles([(model.name, model) for model in models]),
        Chart(
            id="latency",
            title="Latency of every query",
            caption="Lower and flatter is better. Queries of all processes are pooled. A line ends "
            "where fewer than seven queries are slower.",
            plots=(latency_plot(curves, looks),) if curves else (),
            missing=tuple(f"{name}: no raw samples" for name in looks if name not in curves),
            alternative="; ".join(
                f"{name}: {numbers.how_many(curve.queries, 'query', 'queries')}"
                for name, curve in curves.items()
            ),
        ),
    )


def _cell(text: str) -> Cell:
    """A figure with the interval in brackets behind it below the figure."""
    value, bracket, interval = text.partition(" (")
    if bracket and interval.endswith(")") and value and not value.startswith("unknown"):
        return Cell(value, interval.removesuffix(")"))
    return Cell(text)
