"""A result on one screen: text of 80 columns and 24 lines, and the same as a small table in HTML.

    >>> print(text(Screen("2 files", ("file", "size"), (("a.onnx", "3 KiB"), ("b.onnx", "1 KiB")))))
    2 files
    file    size
    a.onnx  3 KiB
    b.onnx  1 KiB

Names of files and models are data: control characters are replaced, and HTML is escaped.
"""

import html as escaping
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from ...devices.onboard.stats.estimate import Estimate
from ..report import numbers

COLUMNS = 80
LINES = 24
_GAP = "  "
_SENTENCE_LINES = 3
_NAME = 20
"""Characters of a name that are shown before intervals go on a line of their own."""
_LEAST = 8
_WARNINGS = 3
_MORE = "to_dataframe() has all"
_COMMAND = re.compile(r"`[^`]+`")
_NO_BREAK = "\x00"
"""Stands for a space at which no line ends; no printable text has it."""

Cell = str | tuple[str, str | None]
"""Text, or a figure and its interval."""
Grid = list[list[tuple[str, ...]]]
"""The lines of each cell."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What there is to show of a result, the most important first.

    Attributes:
        title: the result in a line.
        head: of the table's columns.
        rows: of the table.
        above: sentences between title and table.
        below: sentences below the table.
        paths: files and folders, by what they are; a long one is cut at its beginning.
    """

    title: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    paths: tuple[tuple[str, str], ...] = ()


def warned(warnings: Sequence[str]) -> tuple[str, ...]:
    """The first warnings, and how many more there are."""
    more = len(warnings) - _WARNINGS
    told = tuple(f"warning: {warning}" for warning in warnings[:_WARNINGS])
    return (*told, f"and {numbers.how_many(more, 'more warning')}") if more > 0 else told


def cell(estimate: Estimate, unit: numbers.Unit) -> Cell:
    """A figure and its interval; ``unknown`` where there is none, without the reason."""
    if estimate.value is None:
        return "unknown"
    return numbers.without_reason(estimate, unit)


def text(screen: Screen) -> str:
    """The screen as plain text; rows that do not fit are counted."""
    above = [_cut(numbers.printable(screen.title), COLUMNS), *_sentences(screen.above)]
    below = [*_sentences(screen.below), *(path_line(what, path) for what, path in screen.paths)]
    below = below[: LINES - len(above)]
    return "\n".join([*above, *_table(screen, LINES - len(above) - len(below)), *below])


def _table(screen: Screen, most: int) -> list[str]:
    """The head and as many rows as there are lines for."""
    if not screen.rows:
        return []
    head = tuple(map(numbers.printable, screen.head))
    rows = [tuple(map(_printable, row)) for row in screen.rows]
    grid: Grid = [[(_joined(one),) for one in row] for row in rows]
    widths = _widths(head, grid)
    if widths[0] - _over(widths) < min(widths[0], _NAME):
        grid = [[_stacked(one) for one in row] for row in rows]
        widths = _widths(head, grid)
    widths[0] = max(min(widths[0], _LEAST), widths[0] - _over(widths))
    lines = [_line(head, widths)] if any(head) else []
    for number, row in enumerate(grid):
        height = max(map(len, row))
        last = number == len(grid) - 1
        if len(lines) + height + (not last) > most:
            return [*lines, f"… and {len(grid) - number} more; {_MORE}"][:most]
        parts = zip_longest(*row, fillvalue="")
        lines += [_line(part, widths) for part in parts]
    return lines


def _over(widths: Sequence[int]) -> int:
    """By how much a line would be too long."""
    return max(0, sum(widths) + len(_GAP) * (len(widths) - 1) - COLUMNS)


def _widths(head: Sequence[str], grid: Grid) -> list[int]:
    columns = zip(*grid, strict=True)
    return [
        max(len(title), *(len(part) for one in column for part in one))
        for title, column in zip(head, columns, strict=True)
    ]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    line = _GAP.join(
        _cut(one, width).ljust(width) for one, width in zip(cells, widths, strict=True)
    )
    return _cut(line.rstrip(), COLUMNS)


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"


def _printable(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return numbers.printable(cell)
    value, interval = cell
    return numbers.printable(value), interval and numbers.printable(interval)


def _joined(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    value, interval = cell
    return f"{value} ({interval})" if interval else value


def _stacked(cell: Cell) -> tuple[str, ...]:
    if isinstance(cell, str):
        return (cell,)
    value, interval = cell
    return (value, interval) if interval else (value,)


def _sentences(sentences: Sequence[str]) -> list[str]:
    """Lines of sentences; a path, and a command between backticks, stays whole to be copied."""
    wrapped: list[str] = []
    for sentence in sentences:
        whole = _COMMAND.sub(_unbroken, numbers.printable(sentence))
        lines = textwrap.wrap(
            whole,
            COLUMNS,
            max_lines=_SENTENCE_LINES,
            placeholder=" …",
            break_on_hyphens=False,
            break_long_words=False,
        )
        wrapped += [line.replace(_NO_BREAK, " ") for line in lines]
    return wrapped


def _unbroken(command: re.Match[str]) -> str:
    """A command as one word, where it fits a line."""
    text = command[0]
    return text.replace(" ", _NO_BREAK) if len(text) <= COLUMNS else text


def near(path: Path) -> str:
    """A path as it is typed from the current folder, where it lies below that."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def path_line(what: str, path: str) -> str:
    """A path in one line, cut at its beginning."""
    shown, room = numbers.printable(path), COLUMNS - len(what) - 2
    return f"{what}: {shown if len(shown) <= room else f'…{shown[-room + 1 :]}'}"


def html(screen: Screen) -> str:
    """The screen as a fragment of HTML: no script, no style of its own, every text escaped."""
    parts = [f"<p><strong>{_html(screen.title)}</strong></p>"]
    parts += _paragraph(map(_html, screen.above))
    if screen.rows:
        head = "".join(f'<th scope="col">{_html(title)}</th>' for title in screen.head)
        rows = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in screen.rows)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    paths = (f"{_html(what)}: <code>{_html(path)}</code>" for what, path in screen.paths)
    parts += _paragraph((*map(_html, screen.below), *paths))
    return f"<div>{''.join(parts)}</div>"


def _paragraph(lines: Iterable[str]) -> list[str]:
    """Lines of HTML in one paragraph; none of no lines."""
    inside = "<br>".join(lines)
    return [f"<p>{inside}</p>"] if inside else []


def _html_cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"<td>{_html(cell)}</td>"
    value, interval = cell
    return f"<td>{_html(value)}{f'<br><small>{_html(interval)}</small>' if interval else ''}</td>"


def _html(value: str) -> str:
    return escaping.escape(numbers.printable(value))
