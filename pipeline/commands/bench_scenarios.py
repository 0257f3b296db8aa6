"""How ``edgestill bench`` shows a scenario: a table a model, by the rows that the scenario states.

Console().print(summary(result, folder))
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.result import Result, Row
from ...devices.scenarios.run import implementation_of
from ...devices.scenarios.table import SCENARIOS
from ..finished.measured import UNITS
from ..report import numbers
from .bench_files import Line, cells
from .bench_latency import inputs_text, measured_on


def lines(result: Result[Any], _: Path) -> list[Line]:
    """For a CSV: a line a model, or where it has several rows of figures a line each."""
    table: list[Line] = []
    for model in result.models:
        whole = {"scenario": result.scenario, **dict(cells(model))}
        values = [getattr(model, field.name) for field in fields(model)]
        parts = [part for value in values if isinstance(value, tuple) for part in value]
        rows = [part for part in parts if is_dataclass(part)]
        table += [{**whole, **dict(cells(row))} for row in rows] or [whole]
    return table


def page(result: Result[Any], _: Path) -> str:
    """One page with charts that needs nothing but itself and runs no script."""
    from ..report import bench_page

    implementation = implementation_of(result.scenario)
    return bench_page.scenario_page(
        result,
        implementation.head,
        {model.name: _texts(implementation.rows(model), numbers.show) for model in result.models},
        (f"{numbers.capital(result.scenario)}: {SCENARIOS[result.scenario].load}",),
        (*filter(None, [implementation.note]), how(result), measured_on(result)),
    )


def summary(result: Result[Any], _: Path) -> RenderableType:
    """The scenario as one table a model, with what a reader should know below."""
    warnings = [Text(f"warning: {text}", style="yellow") for text in result.warnings]
    return Group(*_tables(result, numbers.show), *warnings)


def screen(result: Result[Any]) -> RenderableType:
    """The same with its warnings counted, and without the reasons why intervals are missing."""
    count = len(result.warnings)
    warned = f"{numbers.how_many(count, 'warning')}, " if count else ""
    details = Text(f"details: {warned}why an interval is missing: --verbose", "dim")
    return Group(*_tables(result, _brief), details)


_Shown = Callable[[Estimate, numbers.Unit], str]
"""How a figure is written."""


def _tables(result: Result[Any], shown: _Shown) -> list[RenderableType]:
    implementation = implementation_of(result.scenario)
    parts: list[RenderableType] = []
    for model in result.models:
        parts.append(Text(numbers.printable(model.name), style="bold"))
        parts.append(_table(implementation.head, implementation.rows(model), shown))
    note = [Text(implementation.note, style="dim")] if implementation.note else []
    return [*parts, *note, Text(how(result), style="dim")]


def how(result: Result[Any]) -> str:
    """How it was measured, in a line."""
    return (
        f"{result.scenario}, "
        f"{numbers.how_many(result.processes, 'fresh process', 'fresh processes')} a row, "
        f"{inputs_text(result.settings.feed)}, {result.runtime}"
    )


def _table(head: Sequence[str], rows: Sequence[Row], shown: _Shown) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(head))
    width = max((len(row) for row in rows), default=0)
    for name in (head or [""] * width)[:width]:
        table.add_column(Text(name), overflow="fold")
    for row in _texts(rows, shown):
        table.add_row(*map(Text, row))
    return table


def _texts(rows: Sequence[Row], shown: _Shown) -> list[list[str]]:
    """Every cell in words."""
    return [
        [one if isinstance(one, str) else shown(one, UNITS[one.unit]) for one in row]
        for row in rows
    ]


def _brief(estimate: Estimate, unit: numbers.Unit) -> str:
    """A figure and its interval, without a reason where one of them is missing."""
    if estimate.value is None:
        return "unknown"
    value, interval = numbers.without_reason(estimate, unit)
    return f"{value} ({interval})" if interval else value
