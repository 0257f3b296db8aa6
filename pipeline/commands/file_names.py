r"""Names in tables: the folder is said once, and a long name ends a line where it may.

>>> folder, names = apart(["out/gct/a.onnx", "out/gct/b.onnx"])
>>> folder, names
('out/gct', ['a.onnx', 'b.onnx'])
>>> in_lines("gct.int8-static.onnx", 12)
'gct.\nint8-static.\nonnx'
"""

import os
import re
from collections.abc import Sequence
from pathlib import PurePath

from ..report.numbers import printable

_PART = re.compile(r"[^/\\.@_-]*[/\\.@_-]?")
"""A part of a name with the mark that ends it."""
_LEAST = 8
"""Columns of a name on however narrow a terminal."""


def apart(names: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all names share, empty where there is none, and the names below it."""
    folders = [str(PurePath(name).parent) for name in names]
    if any(folder == "." for folder in folders) or len({name[:1] == "/" for name in names}) > 1:
        return "", list(names)
    common = os.path.commonpath(folders)
    if common in ("", "/"):
        return "", list(names)
    return common, [PurePath(name).relative_to(common).as_posix() for name in names]


def in_lines(name: str, width: int) -> str:
    """A name with line ends behind ``/ . @ _ -``, where it is wider than a column.

    A single part that is wider is broken where the column ends.
    """
    lines = [""]
    parts = filter(None, _PART.findall(printable(name)))
    for part in (one[at : at + width] for one in parts for at in range(0, len(one), width)):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def room(columns: int, head: Sequence[str], rows: Sequence[Sequence[str]], gap: int = 2) -> int:
    """The columns that are left for names beside columns of figures, which are never cut.

    Args:
        columns: of the terminal.
        head: of the columns of figures.
        rows: their cells.
        gap: behind each column; 2: a space of the box and one of padding.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return max(_LEAST, columns - sum(width + gap for width in widths))
