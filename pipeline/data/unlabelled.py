"""More samples for train, without labels, from a source of their own.

>>> joined({"x": x, "y": y}, {"x": more}, scratch, "npz:more.npz")["y"]   # doctest: +SKIP
array([0., 1., 1., nan, nan])
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..progress import Progress
from ..recipe.data import Data
from .arrays import create
from .checks import chunks

Arrays = Mapping[str, Any]


def without_labels(data: Data) -> Data:
    """The recipe's section as it reads samples that have no labels."""
    none = {"source": data.unlabelled, "unlabelled": None, "target": (), "labels": ()}
    return data.model_copy(update={**none, "task": "embedding"})


def joined(arrays: Arrays, more: Arrays, scratch: Path, where: str, progress: Progress) -> Arrays:
    """The arrays of a source with further samples of train, or of all samples, behind them.

    Args:
        arrays: of the source; see ``data/__init__.py``.
        more: those without labels; what they have besides ``x``, ``group`` and ``id`` is not used.
        scratch: a folder for the samples of both.
        where: the source without labels, for a message.
        progress: gets a step for each part.

    Raises:
        DataError: samples of another form, or of a form that cannot be joined.
    """
    end = "_train" if "x_train" in arrays else ""
    found = [key.removeprefix("x") for key in more if key == "x" or key.startswith("x_")]
    parts = [more[f"x{of}"] for of in found]
    known = arrays[f"x{end}"]
    _require_one_form(known, parts, where)
    rows = sum(map(len, [known, *parts]))
    x = create(scratch / "x_with_unlabelled.npy", known.dtype, (rows, *known.shape[1:]))
    start = 0
    with progress.steps("unlabelled samples", 1 + len(parts)) as steps:
        for part in (known, *parts):
            for rows_of in chunks(len(part), math.prod(known.shape[1:])):
                x[start + rows_of.start : start + rows_of.stop] = part[rows_of]
            start += len(part)
            steps.advance()
    count = rows - len(known)
    result = {**arrays, f"x{end}": x}
    if f"y{end}" in arrays:
        result[f"y{end}"] = _extended(np.asarray(arrays[f"y{end}"]), count)
    for key in ("group", "id"):
        if f"{key}{end}" in arrays:
            names = [np.asarray(more[key + of]).astype(np.str_) for of in found if key + of in more]
            own = names if len(names) == len(found) else [_numbered(count)]
            column = np.asarray(arrays[f"{key}{end}"]).astype(np.str_)
            result[f"{key}{end}"] = np.concatenate([column, *own])
    return result


def _numbered(count: int) -> NDArray[np.str_]:
    """Names of samples that have none: each is a group of its own."""
    return np.array([f"unlabelled {number}" for number in range(count)], np.str_)


def _extended(y: NDArray[Any], count: int) -> NDArray[Any]:
    """Labels with so many rows behind them that have none."""
    shape = (count, *y.shape[1:])
    if y.dtype.kind in "US":
        return np.concatenate([y, np.zeros(shape, y.dtype)])
    return np.concatenate([y.astype(np.float64), np.full(shape, np.nan)])


def _require_one_form(known: Any, parts: list[Any], where: str) -> None:
    for part in parts:
        if not isinstance(known, np.ndarray) or not isinstance(part, np.ndarray):
            raise DataError(
                "a source whose samples are no arrays yet",
                where=where,
                fix="put these rows into data.source itself, with empty labels",
            )
        if part.shape[1:] != known.shape[1:] or part.dtype != known.dtype:
            raise DataError(
                found=f"samples of {part.dtype} {list(part.shape[1:])}",
                expected=f"{known.dtype} {list(known.shape[1:])}, as in data.source",
                where=where,
            )
    if not any(map(len, parts)):
        raise DataError("no sample", where=where, fix="leave data.unlabelled out")
