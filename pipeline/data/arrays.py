"""What the data stage laid down, opened again."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike, NDArray

from ..records import Split


def create(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """A new ``.npy`` file to fill through memory, its space taken now.

    Filled sparse, a disk that runs full would end the process with SIGBUS, without a word.

    Raises:
        OSError: no space left.
    """
    array: NDArray[Any] = open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    with path.open("r+b") as stream:
        os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    return array


class Arrays(NamedTuple):
    """One split: samples as the data set holds them, memory-mapped, and their answers.

    Answers are classes int64 [n], else float32 [n, labels or numbers] (embedding: none, [n, 0]).
    """

    x: NDArray[Any]
    y: NDArray[Any]


def draw(split: Arrays, most: int) -> Arrays:
    """Some samples of a split with their answers, the same ones each time, in their order.

    Drawn, not the first ones: a data set sorted by class would show only its first classes.

    Args:
        split: to draw from.
        most: how many; all of them where there are fewer.

    Returns:
        min(most, n) samples, in memory.
    """
    rows = np.sort(np.random.default_rng(0).permutation(len(split.x))[:most])
    return Arrays(np.array(split.x[rows]), split.y[rows])


def open_split(folder: Path, split: Split) -> Arrays:
    """Memory-map a split below the data stage's folder."""
    x = np.load(folder / f"x_{split}.npy", mmap_mode="r")
    return Arrays(x, np.load(folder / f"y_{split}.npy"))


def open_ids(folder: Path, split: Split) -> NDArray[np.str_]:
    """What names each sample of a split, text [n]; only where the record says ``identified``."""
    ids: NDArray[np.str_] = np.load(folder / f"id_{split}.npy")
    return ids
