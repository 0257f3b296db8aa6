"""Mean and standard deviation of samples and labels, which become part of the model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, RecipeError
from .. import tasks
from ..recipe.data import Data
from ..records import Layout
from . import checks

Moments = tuple[tuple[float, ...], tuple[float, ...]]
"""Means and standard deviations, one per channel."""
_CHANNEL_AXIS: dict[Layout, int | None] = {"hwc": 3, "chw": 1, "hw": None, "tc": 2}
"""The axis of channels, each of which has a unit of its own."""


def of_samples(path: Path, layout: Layout, data: Data) -> Moments:
    """Per channel of an image or window, or per column of a table of floats; none of token ids.

    The columns of a table of whole numbers (flattened pixels) share a unit, so they share one pair.

    Args:
        path: of the train samples, ``.npy``.
        layout: of the samples.
        data: the recipe's section, whose own ``mean`` and ``std`` are used if they are set.

    Raises:
        DataError: ``data.mean`` has another length than the channels.
    """
    x = np.load(path, mmap_mode="r")
    if layout == "tokens":
        return (), ()
    is_float = x.dtype.kind == "f"
    axis = (1 if is_float else None) if layout == "table" else _CHANNEL_AXIS[layout]
    channels = x.shape[axis] if axis is not None else 1
    if data.mean:
        if len(data.mean) not in (1, channels):
            raise DataError(
                found=f"{len(data.mean)} values",
                expected=f"1 or {channels}, one per channel",
                where="data.mean",
            )
        return data.mean, data.std
    return _moments(x, axis, channels)


def of_labels(path: Path, data: Data) -> Moments:
    """Per number of a regression, so that the model need not learn their units; else none."""
    if not tasks.of(data.task).label_units:
        return (), ()
    y = np.load(path)
    return _moments(y, 1, y.shape[1])


def units(data: Data, names: Sequence[str]) -> tuple[str, ...]:
    """The unit of each number of a regression, as the recipe names them.

    Args:
        data: the recipe's section.
        names: of the numbers.

    Raises:
        RecipeError: another task, or another number of units than of numbers.
    """
    if not data.units:
        return ()
    if not tasks.of(data.task).label_units:
        raise RecipeError(
            found=f"units for {data.task}",
            expected="a task whose labels are numbers",
            where="data.units",
            fix='leave data.units out, or set task = "regression" in [data]',
        )
    if len(data.units) not in (1, len(names)):
        raise RecipeError(
            found=f"{len(data.units)} units for {len(names)} numbers ({', '.join(names[:6])})",
            expected="one for each, or one for all",
            where="data.units",
        )
    return data.units if len(data.units) == len(names) else data.units * len(names)


def _moments(x: NDArray[Any], axis: int | None, channels: int) -> Moments:
    total, squares, count = np.zeros(channels), np.zeros(channels), 0
    for rows in checks.chunks(len(x), x[0].size):
        block = np.asarray(x[rows], dtype=np.float64)
        flat = np.moveaxis(block, axis, -1).reshape(-1, channels) if axis else block.reshape(-1, 1)
        # Shifted by the first block's mean: the naive sum of squares loses digits for large means.
        if count == 0:
            shift = flat.mean(axis=0)
        total += (flat - shift).sum(axis=0)
        squares += ((flat - shift) ** 2).sum(axis=0)
        count += len(flat)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    # Relative to the mean: a column of picofarads has a tiny deviation, but is not constant.
    is_constant = std <= 1e-12 * np.abs(mean + shift)
    std[is_constant] = 1.0
    return tuple(float(value) for value in mean + shift), tuple(float(value) for value in std)
