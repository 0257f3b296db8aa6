"""``edgestill bench --operators`` and ``--predict``: on a terminal, as CSV or as a page.

Console().print(summary(profiled))
"""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..finished.profiled import Profiled, headlines, predicted_lines
from ..judge.operator_types import Kind, by_type, slowest
from ..records import OperatorTime
from ..report import numbers
from .bench_files import Line, text
from .file_names import in_lines, room

_SHOWN = 15
"""Slowest operators that are printed; all are in the JSON."""
_ON_SCREEN = 4
"""Of these, and of types, what one screen has room for."""
_COLUMNS, _FIRST, _SECOND = 80, 26, 26
"""Columns of a terminal, and the most that the names of a table take."""


def page(profiled: Profiled) -> str:
    """One page with charts that needs nothing but itself and runs no script."""
    from ..report import bench_page

    said = [list(headlines(record)) for record in profiled.models]
    predictions = [line for one in profiled.predicted for line in predicted_lines(one)]
    return bench_page.operators_page(
        profiled.models,
        [*(lines[0] for lines in said), *predictions],
        [line for lines in said for line in lines[1:]],
    )


def screen(profiled: Profiled) -> RenderableType:
    """The same with the first of each table."""
    details = _text("details: more types and operators: --verbose", "dim")
    return Group(summary(profiled, most=_ON_SCREEN), details)


def summary(profiled: Profiled, most: int = _SHOWN) -> RenderableType:
    """Two tables a model, by type and of the slowest operators, and what was predicted.

    Args:
        profiled: the models.
        most: operators of each, and as many types.
    """
    parts: list[RenderableType] = []
    for record in profiled.models:
        parts += [_text(line) for line in headlines(record)]
        head = ("type", "how many")
        kinds = by_type(record.operators)[:most]
        parts.append(
            _table(head, [((k.op, str(k.count)), k) for k in kinds], record.roof is not None)
        )
        slow = slowest(record.operators, most)
        lines = [((o.name, _runs_as(o)), o) for o in slow]
        parts.append(_table(("slowest", "runs as"), lines, record.roof is not None))
        if record.roof_missing is not None:
            parts.append(_text(f"no roofline: {record.roof_missing}", "dim"))
    for prediction in profiled.predicted:
        parts += [_text(line) for line in predicted_lines(prediction)]
    return Group(*parts)


def lines(profiled: Profiled) -> list[Line]:
    """For a CSV: a line an operator; of a prediction a line a model."""
    return [
        {
            key: text(value) if isinstance(value, str) else "" if value is None else value
            for key, value in row.items()
        }
        for row in profiled.records()
    ]


def _runs_as(operator: OperatorTime) -> str:
    more = [op for op in operator.fused if op != operator.op]
    return f"{operator.op} ({' '.join(more)})" if more else operator.op


def _table(
    head: tuple[str, str],
    lines: Sequence[tuple[tuple[str, str], OperatorTime | Kind]],
    roofed: bool,
) -> Table:
    """Figures and words of the second column are whole; a name takes the columns that are left."""
    names = ("µs", "share", "MACs", "bytes", "op/B", "Gop/s", *(("roof",) if roofed else ()))
    figures = [_figures(row, roofed) for _, row in lines]
    longest = max(len(word) for (_, second), _ in lines for word in (head[1], *second.split()))
    left = room(_COLUMNS, names, figures, gap=1) - longest - 1
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(head[0], no_wrap=True)
    table.add_column(head[1], min_width=longest, max_width=max(longest, _SECOND))
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for ((first, second), _), cells in zip(lines, figures, strict=True):
        table.add_row(Text(in_lines(first, min(left, _FIRST))), *map(_text, (second, *cells)))
    return table


def _figures(row: OperatorTime | Kind, roofed: bool) -> tuple[str, ...]:
    return (
        f"{row.us:.1f}",
        f"{row.share:.0%}",
        _short(row.macs),
        _short(row.bytes),
        _short(row.intensity),
        _given(row.gop_s, ".3g"),
        *((_given(row.attained, ".0%"),) if roofed else ()),
    )


def _short(value: float | None) -> str:
    """A count in three digits, as ``2.36M``."""
    if value is None:
        return "—"
    factor, name = next(
        (step for step in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= step[0]), (1.0, "")
    )
    return f"{value / factor:.3g}{name}"


def _given(value: float | None, form: str) -> str:
    return "—" if value is None else format(value, form)


def _text(text: str, style: str = "") -> Text:
    return Text(numbers.printable(text), style)
