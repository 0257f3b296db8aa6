"""Labels that are numbers: one or several a sample, read from arrays and checked.

>>> read({"all": np.array([[1, 0], [0, 1]])}, ("wet", "cold"), "npz:d.npz", values=(0.0, 1.0)).names
('wet', 'cold')
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .labels import ReadLabels


def read(
    labels: Mapping[str, NDArray[Any]],
    names: Sequence[str],
    where: str,
    *,
    values: Sequence[float] = (),
    flat: bool = False,
) -> ReadLabels:
    """Labels as float32 [n, k].

    Args:
        labels: by split, numbers [n, k].
        names: of the k numbers; empty: their indices, or ``y`` for one number.
        where: the source, for errors.
        values: the only numbers that are allowed; empty: every finite float32 number.
        flat: whether one number a sample may also come as [n].

    Raises:
        DataError: another shape, a number that is not allowed, or other names than numbers.
    """
    numbers = {
        split: _checked(y[:, None] if flat and y.ndim == 1 else y, split, where, values)
        for split, y in labels.items()
    }
    widths = {y.shape[1] for y in numbers.values()}
    if len(widths) > 1:
        raise DataError(
            found=f"splits with {sorted(widths)} numbers per sample",
            expected="as many in every split",
            where=where,
        )
    width = widths.pop()
    default = ("y",) if flat and width == 1 else tuple(str(i) for i in range(width))
    all_names = tuple(names) or default
    if len(all_names) != width:
        raise DataError(
            found=f"{len(all_names)} names for {width} numbers per sample",
            expected=f"{width}",
            where="data.labels",
        )
    return ReadLabels(dict(numbers), all_names)


def _checked(
    y: NDArray[Any], split: str, where: str, values: Sequence[float]
) -> NDArray[np.float32]:
    if y.ndim != 2 or y.dtype.kind not in "iufb":
        raise DataError(
            found=f"y of {y.dtype} {list(y.shape)}",
            expected="numbers, [n, numbers per sample]",
            where=where,
        )
    numbers = np.asarray(y, np.float64)
    bad = ~(np.abs(numbers) <= np.finfo(np.float32).max)
    if values:
        bad |= ~np.isin(numbers, values)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            found=f"{numbers[row, column]} in row {row}, answer {column} of {split}",
            expected=listed(values) if values else "finite float32 numbers",
            where=where,
        )
    return numbers.astype(np.float32)


def listed(values: Sequence[float]) -> str:
    """Allowed numbers, for an error: ``0 or 1``."""
    return " or ".join(f"{value:g}" for value in values)
