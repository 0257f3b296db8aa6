"""What ``edgestill bench`` writes besides its terminal: a CSV, and one HTML page.

    write(lines, page, models, csv_file=Path("m.csv"))

A model's name may be any text: no cell of the CSV is a formula, and the page is escaped.
"""

import csv
import html
import io
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...devices.onboard.stats.estimate import Estimate
from ..engine.store import disk_errors, write_atomic
from ..report import numbers
from .output import recorder

if TYPE_CHECKING:
    from rich.console import RenderableType

Cell = str | int | float
Line = dict[str, Cell]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula (OWASP, "CSV injection")."""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>TITLE</title>
</head>
<body style="color: {foreground}; background-color: {background}">
<pre style="font-family: monospace">{code}</pre>
</body>
</html>
"""


def can_write(*files: Path | None) -> None:
    """Fail in the first second, not after the measurement.

    Raises:
        StorageError: a file that cannot be written.
    """
    for file in files:
        if file is not None:
            with disk_errors(file, opening=True):
                probe = file.with_name(f".{file.name}.probe")
                write_atomic(probe, b"")
                probe.unlink()


def write(
    lines: Sequence[Line],
    shown: "str | RenderableType",
    models: Sequence[Path],
    *,
    csv_file: Path | None = None,
    html_file: Path | None = None,
) -> None:
    """Write the requested files.

    Args:
        lines: of the CSV.
        shown: the page, or what becomes one as a terminal shows it.
        models: what was measured, for a title.
        csv_file: where the CSV goes; None: nowhere.
        html_file: where the page goes; None: nowhere.

    Raises:
        StorageError: the disk is full.
    """
    if csv_file is not None:
        with disk_errors(csv_file):
            write_atomic(csv_file, as_csv(lines).encode())
    if html_file is not None:
        title = ", ".join(model.name for model in models)
        page = shown if isinstance(shown, str) else as_page(shown, title)
        with disk_errors(html_file):
            write_atomic(html_file, page.encode())


def as_csv(lines: Sequence[Line]) -> str:
    """A line each, with the columns of all; empty where a line has no such figure."""
    out, columns = io.StringIO(), dict.fromkeys(key for line in lines for key in line)
    writer = csv.DictWriter(out, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def as_page(shown: "RenderableType", title: str) -> str:
    """One page that shows what a terminal does; it runs no script and loads nothing."""
    console = recorder(width=120)
    console.print(shown)
    head = html.escape(f"edgestill bench: {numbers.printable(title)}").replace("{", "{{")
    return console.export_html(
        inline_styles=True, code_format=_PAGE.replace("TITLE", head.replace("}", "}}"))
    )


def cells(record: Any) -> Iterator[tuple[str, Cell]]:
    """The plain figures of a record by name, those of records inside it too."""
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Estimate):
            yield from figure(field.name, value)
        elif isinstance(value, str):
            yield field.name, text(value)
        elif value is None or isinstance(value, int | float):
            yield field.name, "" if value is None else value
        elif is_dataclass(value):
            yield from cells(value)


def figure(name: str, value: Estimate) -> Iterator[tuple[str, Cell]]:
    """A figure and both ends of its interval, each under a name of its own."""
    for column, number in (
        (name, value.value),
        (f"{name}_low", value.low),
        (f"{name}_high", value.high),
    ):
        yield column, "" if number is None else number


def text(value: str) -> str:
    """Any text as a cell that no spreadsheet takes for a formula."""
    shown = numbers.printable(value)
    return f"'{shown}" if value.startswith(_FORMULA) or shown.startswith(_FORMULA) else shown
