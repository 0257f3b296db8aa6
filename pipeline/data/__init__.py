"""Where samples come from: one file a kind of source, one table that names them.

A source reads a data set as a mapping of arrays: ``x``, ``y`` and optionally ``group``, or ready
splits ``x_train``, ``y_train``, ``x_test``, ``y_test`` and optionally ``x_validation``,
``y_validation``, ``x_calibration``, ``y_calibration``. ``labels`` may name the classes.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import RecipeError
from . import digits, function, npz

Arrays = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of source.

    Attributes:
        fingerprint: hashes all that the data depends on, cheaply and without torch; the same hash
            promises the same arrays.
        read: the arrays; may unpack into the scratch folder and return memory maps.
    """

    fingerprint: Callable[[str], str]
    read: Callable[[str, Path], Arrays]


SOURCES = {
    "digits": Source(digits.fingerprint, digits.read),
    "npz": Source(npz.fingerprint, npz.read),
    "function": Source(function.fingerprint, function.read),
}


def find(source: str) -> tuple[Source, str]:
    """The kind of source a recipe's ``data.source`` names, and what it is told.

    ``digits`` stands alone, ``npz:FILE`` names its kind, any other ``a:b`` is a function.

    Raises:
        RecipeError: it names none.
    """
    kind, mark, rest = source.partition(":")
    if kind == "digits" and not mark:
        return SOURCES["digits"], ""
    if kind == "npz" and rest:
        return SOURCES["npz"], rest
    if mark and rest.isidentifier() and all(part.isidentifier() for part in kind.split(".")):
        return SOURCES["function"], source
    near = difflib.get_close_matches(kind, ["digits", "npz"], n=1)
    raise RecipeError(
        found=repr(source),
        expected="'digits', 'npz:FILE' or 'module:function'",
        where="data.source",
        fix=f"did you mean {near[0]!r}?" if near else None,
    )


def fingerprint(source: str) -> str:
    """The fingerprint of the data a recipe's ``data.source`` names."""
    kind, told = find(source)
    return kind.fingerprint(told)


def shown(source: str) -> str:
    """A source as the report names it: a file without its folders."""
    kind, mark, told = source.partition(":")
    return f"npz:{Path(told).name}" if kind == "npz" and mark else source
