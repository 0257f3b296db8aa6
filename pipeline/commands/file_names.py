r"""Names of files in tables: the folder is said once, and a long name ends a line where it may.

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
    for part in filter(None, _PART.findall(printable(name))):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)
