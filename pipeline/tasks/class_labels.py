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

_SHOWN = 6
"""Labels that a message lists."""
_MANY_CLASSES = 50
"""More whole numbers with gaps are measurements rather than classes."""


def read(labels: Mapping[str, NDArray[Any]], names: Sequence[str], where: str) -> ReadLabels:
    """Labels as 0 … classes - 1, int64 [n], and the class names.

    Text labels are numbered in sorted order (or in the order of ``names``). Whole numbers from 0 on
    stand for themselves; others only where ``names`` are those numbers as text.

    Args:
        labels: by split, text or whole numbers [n].
        names: of the classes in the order of their numbers; empty: found in the labels.
        where: the source, for errors.

    Raises:
        DataError: several labels a sample; fractional, unnamed or too few classes; numbers that do
            not run from 0 on.
    """
    labels = {split: _one_each(y, where) for split, y in labels.items()}
    as_text = {y.dtype.kind for y in labels.values()} <= {"U", "S"}
    coded, class_names = (_of_text if as_text else _of_numbers)(labels, names, where)
    if len(set(class_names)) != len(class_names):
        raise DataError(found="the same label twice", where="data.labels")
    if len(class_names) < 2:
        raise DataError(found="one class", expected="at least two", where=where)
    return ReadLabels(dict(coded), tuple(class_names))


def _one_each(y: NDArray[Any], where: str) -> NDArray[Any]:
    """Labels [n]; a column [n, 1] is one label a sample, too."""
    if y.ndim == 2 and y.shape[1] == 1:
        return y[:, 0]
    if y.ndim != 1:
        raise DataError(
            found=f"y of shape {list(y.shape)}",
            expected="one label a sample, shape [n]",
            where=where,
            fix="for several labels a sample, say task = 'multi-label' in [data]; if each row has "
            "a single 1, write y.argmax(axis=1)",
        )
    return y


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
    values = np.unique(np.concatenate([np.unique(y) for y in coded.values()]))
    as_names = {str(value): value for value in values.tolist()}
    out_of_place = values[0] < 0 or values[-1] >= len(names)
    if names and out_of_place and set(as_names) <= set(names):
        numbers = {as_names[name]: i for i, name in enumerate(names) if name in as_names}
        return {
            s: np.array([numbers[v] for v in y.tolist()], np.int64) for s, y in coded.items()
        }, [*names]
    if not names:
        _require_from_zero(values, where)
    class_names = list(names) or list(as_names)
    for split, y in coded.items():
        bad = (y < 0) | (y >= len(class_names))
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                found=f"label {int(y[row])} in row {row} of {split}",
                expected=f"0 to {len(class_names) - 1}, as there are {len(class_names)} labels",
                where=where,
            )
    return coded, class_names


def _require_from_zero(values: NDArray[np.int64], where: str) -> None:
    """Refuse numbers that are not 0 to K - 1: an output would belong to no class."""
    count = len(values)
    if values[0] == 0 and values[-1] == count - 1:
        return
    shown = ", ".join(map(str, values[:_SHOWN])) + (", …" if count > _SHOWN else "")
    found = f"{count} different labels from {values[0]} to {values[-1]} ({shown})"
    if count > _MANY_CLASSES:
        fix = 'if they are numbers to predict, say task = "regression" in [data]'
    else:
        quoted = ", ".join(f'"{value}"' for value in values)
        shift = f"y - {values[0]}" if values[0] > 0 else f"y + {-values[0]}"
        fix = f"name them by value with labels = [{quoted}] in [data], or write {shift}"
        if values[-1] - values[0] >= count:
            fix = f"name them by value with labels = [{quoted}] in [data]"
    raise DataError(
        found=found,
        expected=f"every whole number from 0 to {count - 1}, which are the model's outputs",
        where=where,
        fix=fix,
    )


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
    # A float holds no whole number above 2^53 exactly.
    bad = ~(np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) <= 2.0**53))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            found=f"label {y[row]} in row {row} of {split}",
            expected="whole numbers from 0 to the number of classes less one, as the task is "
            "classification",
            where=where,
            fix='if y holds numbers to predict, say task = "regression" in [data]',
        )
    return values.astype(np.int64)
