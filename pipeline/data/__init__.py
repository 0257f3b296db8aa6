"""Where samples come from: one file a kind of source, one table that names them.

A source reads a data set as a mapping: ``x``, ``y`` and optionally ``group`` and ``id``, or ready
splits ``x_train``, ``y_train``, ``x_test``, ``y_test`` and optionally the same of ``validation``
and ``calibration``, with ``group_<split>`` and ``id_<split>``. ``labels`` may name the classes,
``layout`` the axes of a sample, ``front_end`` what has to be done to raw input before the model,
``notes`` what was seen.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import RecipeError
from ..progress import Progress
from ..recipe.data import SOURCE_KINDS, Data
from ..recipe.model_names import is_factory
from . import audio, digits, function, images, npz, table, text

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
    read: Callable[[str, Path, Data, Progress], Arrays]


SOURCES = {
    "digits": Source(digits.fingerprint, digits.read),
    "npz": Source(npz.fingerprint, npz.read),
    "images": Source(images.fingerprint, images.read),
    "audio": Source(audio.fingerprint, audio.read),
    "text": Source(text.fingerprint, text.read),
    "table": Source(table.fingerprint, table.read),
    "function": Source(function.fingerprint, function.read),
}


def find(source: str) -> tuple[Source, str]:
    """The kind of source a recipe's ``data.source`` names, and what it is told.

    ``digits`` stands alone, ``KIND:PATH`` names its kind, any other ``a:b`` is a function.

    Raises:
        RecipeError: it names none.
    """
    kind, mark, rest = source.partition(":")
    if kind == "digits" and not mark:
        return SOURCES["digits"], ""
    if kind in SOURCE_KINDS and rest:
        return SOURCES[kind], rest
    if is_factory(source):
        return SOURCES["function"], source
    near = difflib.get_close_matches(kind, ["digits", *SOURCE_KINDS], n=1)
    raise RecipeError(
        found=repr(source),
        expected="'digits', 'npz:FILE', 'images:FOLDER', 'audio:FOLDER', 'text:FILE', "
        "'table:FILE' or 'module:function'",
        where="data.source",
        fix=f"did you mean {near[0]!r}?" if near else None,
    )


def fingerprint(source: str) -> str:
    """The fingerprint of the data a recipe's ``data.source`` names."""
    kind, told = find(source)
    return kind.fingerprint(told)


def tokenizer_fingerprint(path: Path) -> str:
    """The hash of the tokenizer that a recipe gives.

    Raises:
        DataError: there is no such file.
    """
    return npz.fingerprint(str(path), where="data.text.tokenizer")


def shown(source: str) -> str:
    """A source as the report names it: a file without its folders."""
    kind, mark, told = source.partition(":")
    return f"{kind}:{Path(told).name}" if kind in SOURCE_KINDS and mark else source
