"""Labels that are one class a sample: numbered, named, counted.

>>> read({"all": np.array(["dog", "cat"])}, (), "npz:d.npz").names
('cat', 'dog')
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .labels import ReadLabels

_MOST_CLASSES = 1e6


def read(labels: Mapping[str, NDArray[Any]], names: Sequence[str], where: str) -> ReadLabels:
    """Labels as 0 … classes - 1, int64 [n], and the class names.

    Text labels are numbered in sorted order (or in the order of ``names``); whole numbers stand for
    themselves.

    Args:
        labels: by split, text or whole numbers [n].
        names: of the classes in the order of their numbers; empty: found in the labels.
        where: the source, for errors.

    Raises:
        DataError: several labels a sample; negative, fractional, unnamed or too few classes.
    """
    for y in labels.values():
        if y.ndim != 1:
            raise DataError(
                found=f"y of shape {y.shape}",
                expected="one label a sample, shape [n]",
                where=where,
                fix="for several labels a sample, say task = 'multi-label' in [data]",
            )
    as_text = {y.dtype.kind for y in labels.values()} <= {"U", "S"}
    coded, class_names = (_of_text if as_text else _of_numbers)(labels, names, where)
    if len(set(class_names)) != len(class_names):
        raise DataError(found="the same label twice", where="data.labels")
    if len(class_names) < 2:
        raise DataError(found="one class", expected="at least two", where=where)
    return ReadLabels(dict(coded), tuple(class_names))


def counts(labels: NDArray[Any], classes: int) -> tuple[int, ...]:
    """Samples of each class."""
    return tuple(np.bincount(labels, minlength=classes).tolist())


def _of_text(
    labels: Mapping[str, NDArray[Any]], names: Sequence[str], where: str
) -> tuple[dict[str, NDArray[np.int64]], list[str]]:
    texts = {split: _decoded(y, split, where) for split, y in labels.items()}
    class_names = list(names) or sorted({str(t) for y in texts.values() for t in np.unique(y)})
    numbers = {name: i for i, name in enumerate(class_names)}
    for split, words in texts.items():
        for row, text in enumerate(words):
            if str(text) not in numbers:
                raise DataError(
                    found=f"label {str(text)!r} in row {row} of {split}",
                    expected=f"one of {class_names[:8]}",
                    where=where,
                )
    coded = {s: np.array([numbers[str(t)] for t in y], np.int64) for s, y in texts.items()}
    return coded, class_names


def _of_numbers(
    labels: Mapping[str, NDArray[Any]], names: Sequence[str], where: str
) -> tuple[dict[str, NDArray[np.int64]], list[str]]:
    coded = {split: _whole(y, split, where) for split, y in labels.items()}
    top = max(int(y.max()) for y in coded.values())
    class_names = list(names) or [str(i) for i in range(top + 1)]
    if top >= len(class_names):
        split, y = next((s, y) for s, y in coded.items() if y.max() >= len(class_names))
        row = int(np.argmax(y >= len(class_names)))
        raise DataError(
            found=f"label {int(y[row])} in row {row} of {split}",
            expected=f"0 to {len(class_names) - 1}, as there are {len(class_names)} labels",
            where=where,
        )
    return coded, class_names


def _decoded(y: NDArray[Any], split: str, where: str) -> NDArray[np.str_]:
    try:
        return np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y
    except UnicodeDecodeError as error:
        raise DataError(f"labels of {split} that are not UTF-8 ({error})", where=where) from None


def _whole(y: NDArray[Any], split: str, where: str) -> NDArray[np.int64]:
    if y.dtype.kind not in "iufb":
        raise DataError(
            found=f"y of dtype {y.dtype}", expected="whole numbers or text", where=where
        )
    values = np.asarray(y, dtype=np.float64)
    bad = ~(np.isfinite(values) & (values >= 0) & (values == np.floor(values)))
    bad |= values > _MOST_CLASSES
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            found=f"label {y[row]} in row {row} of {split}",
            expected="whole numbers from 0 to the number of classes less one",
            where=where,
        )
    return values.astype(np.int64)
