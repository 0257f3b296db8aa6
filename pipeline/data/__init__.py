"""Sources of samples: one file for each kind of source, and one table with all kinds.

A source returns a data set as a mapping: ``x``, ``y`` and optionally ``group`` and ``id``, or ready
splits ``x_train``, ``y_train``, ``x_test``, ``y_test`` and optionally the same of ``validation``
and ``calibration``, with ``group_<split>`` and ``id_<split>``. It may also have ``labels`` (names
of the classes), ``layout`` (of the axes of a sample), ``front_end`` (how raw input becomes the
model's input) and ``notes`` (sentences for the report).

A new kind is a file beside these, a line in ``SOURCES`` below and a line in ``SOURCE_KINDS`` of
``recipe/data.py``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import RecipeError, did_you_mean
from ..progress import Progress
from ..recipe.data import BUILT_IN, SOURCE_FORMS, SOURCE_KINDS, Data
from ..recipe.model_names import is_factory
from . import audio, digits, function, images, moved_digits, npz, table, text, unlabelled

Arrays = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of source.

    Attributes:
        fingerprint: hashes everything the arrays depend on, quickly and without torch; equal hashes
            mean equal arrays.
        read: returns the arrays; may unpack to the scratch folder and return memory maps.
        outline: as ``read``, but every sample is a copy of the first one, so that a plan need not
            decode them all; None where reading takes no longer than copying the file.
    """

    fingerprint: Callable[[str], str]
    read: Callable[[str, Path, Data, Progress], Arrays]
    outline: Callable[[str, Path, Data, Progress], Arrays] | None = None


SOURCES = {
    "digits": Source(digits.fingerprint, digits.read),
    "moved-digits": Source(moved_digits.fingerprint, moved_digits.read),
    "npz": Source(npz.fingerprint, npz.read),
    "images": Source(images.fingerprint, images.read, images.outline),
    "audio": Source(audio.fingerprint, audio.read, audio.outline),
    "text": Source(text.fingerprint, text.read),
    "table": Source(table.fingerprint, table.read),
    "function": Source(function.fingerprint, function.read),
}


def arrays_of(data: Data, scratch: Path, progress: Progress, *, outlined: bool = False) -> Arrays:
    """The arrays of a recipe's sources.

    Args:
        data: the recipe's section.
        scratch: an empty folder for memory maps.
        progress: gets each step.
        outlined: whether a copy of the first sample may stand for every one.

    Raises:
        DataError: a source that cannot be read.
    """
    arrays = _read(data.source, "data.source", data, scratch, progress, outlined=outlined)
    if data.unlabelled is None:
        return arrays
    key, folder, bare = "data.unlabelled", scratch / "unlabelled", unlabelled.without_labels(data)
    folder.mkdir()
    more = _read(data.unlabelled, key, bare, folder, progress, outlined=outlined)
    return unlabelled.joined(arrays, more, folder, f"{key} {shown(data.unlabelled)}", progress)


def _read(
    source: str, key: str, data: Data, scratch: Path, progress: Progress, *, outlined: bool
) -> Arrays:
    kind, argument = find(source, key)
    read = (kind.outline if outlined else None) or kind.read
    return read(argument, scratch, data, progress)


def find(source: str, key: str = "data.source") -> tuple[Source, str]:
    """The kind of source that a recipe's ``data.source`` or ``data.unlabelled`` names.

    A built-in one has none, ``KIND:PATH`` has a path, any other ``a:b`` is a function of the user.

    Returns:
        The kind, and its argument.

    Raises:
        RecipeError: there is no such kind.
    """
    kind, _, rest = source.partition(":")
    if source in BUILT_IN:
        return SOURCES[source], ""
    if kind in SOURCE_KINDS and rest:
        return SOURCES[kind], rest
    if is_factory(source):
        return SOURCES["function"], source
    raise RecipeError(
        found=repr(source),
        expected=f"{', '.join(map(repr, BUILT_IN))}, {SOURCE_FORMS} or 'module:function'",
        where=key,
        fix=did_you_mean(kind, [*BUILT_IN, *SOURCE_KINDS]),
    )


def fingerprint(source: str, key: str = "data.source") -> str:
    """The hash of the data that a recipe's ``data.source`` or ``data.unlabelled`` names."""
    kind, argument = find(source, key)
    return kind.fingerprint(argument)


def tokenizer_fingerprint(path: Path) -> str:
    """The hash of the tokenizer that a recipe gives.

    Raises:
        DataError: there is no such file.
    """
    return npz.fingerprint(str(path), where="data.text.tokenizer")


def shown(source: str) -> str:
    """A source for the report: a file without its folders."""
    kind, colon, argument = source.partition(":")
    return f"{kind}:{Path(argument).name}" if kind in SOURCE_KINDS and colon else source
