"""What a sample's answer is, by task: class numbers, labels that hold or not, numbers, nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..recipe.data import Task
from . import checks


class Answers(NamedTuple):
    """Answers of every split as the models learn them.

    Attributes:
        of: by split: classes int64 [n]; multi-label 0 or 1, float32 [n, labels]; regression
            float32 [n, numbers]; embedding float32 [n, 0].
        labels: names of the classes, labels or numbers.
    """

    of: dict[str, NDArray[Any]]
    labels: tuple[str, ...]

    def counts(self, split: str, rows: NDArray[np.int64], task: Task) -> tuple[int, ...]:
        """Samples of each class, or that have each label; nothing where there are none."""
        y = self.of[split][rows]
        if task == "classification":
            return tuple(np.bincount(y, minlength=len(self.labels)).tolist())
        return tuple(y.sum(0).astype(int).tolist()) if task == "multi-label" else ()

    def strata(self, split: str, task: Task) -> NDArray[np.int64] | None:
        """What the splits are stratified by."""
        return self.of[split] if task == "classification" else None


def read(
    ys: Mapping[str, Any], rows: Mapping[str, int], task: Task, names: Sequence[str], where: str
) -> Answers:
    """Answers as the source has them, checked and made one kind.

    Args:
        ys: by split, or None where the source has none.
        rows: samples of each split.
        task: the recipe's.
        names: of classes, labels or numbers, where they are known.
        where: the source, for errors.

    Raises:
        DataError: missing, misshapen, or of another task.
    """
    if task == "embedding":
        return Answers({s: np.zeros((n, 0), np.float32) for s, n in rows.items()}, ())
    for split, y in ys.items():
        if y is None:
            name = "" if split == "all" else f"_{split}"
            raise DataError(found=f"x{name} without y{name}", where=where)
        if len(y) != rows[split]:
            raise DataError(
                found=f"{rows[split]} samples in x and {len(y)} labels in y",
                expected="as many of one as of the other",
                where=where,
            )
    found = {split: np.asarray(y) for split, y in ys.items()}
    if task == "classification":
        for y in found.values():
            if y.ndim != 1:
                raise DataError(
                    found=f"y of shape {y.shape}",
                    expected="one label a sample, shape [n]",
                    where=where,
                    fix="for several labels a sample, say task = 'multi-label' in [data]",
                )
        coded, labels = checks.encode(found, names, where)
        return Answers(dict(coded), labels)
    numbers = {split: _numbers(y, split, task, where) for split, y in found.items()}
    widths = {y.shape[1] for y in numbers.values()}
    if len(widths) > 1:
        raise DataError(
            found=f"{sorted(widths)} answers a sample", expected="as many everywhere", where=where
        )
    width = widths.pop()
    labels = tuple(names) or _names(width, task)
    if len(labels) != width:
        raise DataError(
            found=f"{len(labels)} names for {width} answers a sample",
            expected=f"{width}",
            where="data.labels",
        )
    return Answers(dict(numbers), labels)


def _names(width: int, task: Task) -> tuple[str, ...]:
    if task == "regression" and width == 1:
        return ("y",)
    return tuple(str(i) for i in range(width))


def _numbers(y: NDArray[Any], split: str, task: Task, where: str) -> NDArray[np.float32]:
    y = y[:, None] if y.ndim == 1 and task == "regression" else y
    if y.ndim != 2 or y.dtype.kind not in "iufb":
        raise DataError(
            found=f"y of {y.dtype} {list(y.shape)}",
            expected="numbers, [n, answers a sample]",
            where=where,
        )
    values = np.asarray(y, np.float64)
    bad = ~(np.abs(values) <= np.finfo(np.float32).max)
    expected = "finite float32 numbers"
    if task == "multi-label":
        bad |= (values != 0.0) & (values != 1.0)
        expected = "0 or 1"
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            found=f"{values[row, column]} in row {row}, answer {column} of {split}",
            expected=expected,
            where=where,
        )
    return values.astype(np.float32)
