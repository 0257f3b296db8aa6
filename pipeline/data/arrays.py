"""The arrays that the data stage writes: create them, open them, draw samples from them."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike, NDArray

from ..records import Split

_PIECE = 1 << 20
"""Bytes of zeros to write at once, where a system allocates no space without writing."""


def create(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """A new memory-mapped ``.npy`` file, whose disk space is allocated now.

    Writing to a sparse file on a full disk would kill the process with SIGBUS, without a message.

    Raises:
        OSError: no space left.
    """
    array: NDArray[Any] = open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    allocate = getattr(os, "posix_fallocate", None)
    with path.open("r+b") as stream:
        if allocate is not None:
            allocate(stream.fileno(), 0, path.stat().st_size)
        else:
            stream.seek(-array.nbytes, os.SEEK_END)
            for start in range(0, array.nbytes, _PIECE):
                stream.write(bytes(min(_PIECE, array.nbytes - start)))
    return array


class Arrays(NamedTuple):
    """One split: samples, memory-mapped, and their labels.

    Labels are classes int64 [n], or float32 [n, labels or numbers], or without labels [n, 0].
    Where samples without a label come last there are fewer.
    """

    x: NDArray[Any]
    y: NDArray[Any]


def draw(split: Arrays, most: int) -> Arrays:
    """Random samples of a split with their labels: the same ones in every call, in their order.

    They are random because the first samples of a data set may all be of one class.

    Args:
        split: to draw from.
        most: how many; all of them if there are fewer.

    Returns:
        min(most, n) samples, in memory.
    """
    rows = drawn_rows(len(split.x), most)
    return Arrays(np.array(split.x[rows]), split.y[rows])


def drawn_rows(samples: int, most: int) -> NDArray[np.int64]:
    """The rows of random samples of a split, as of ``draw``, in rising order, int64 [n]."""
    return np.sort(np.random.default_rng(0).permutation(samples)[:most])


def open_split(folder: Path, split: Split) -> Arrays:
    """Memory-map the labelled samples of a split in the data stage's folder."""
    x, y = np.load(folder / f"x_{split}.npy", mmap_mode="r"), np.load(folder / f"y_{split}.npy")
    return Arrays(x[: len(y)], y)


def open_with_unlabelled(folder: Path) -> Arrays:
    """Memory-map train with its unlabelled samples last; the labels are those of the others."""
    x = np.load(folder / "x_train.npy", mmap_mode="r")
    return Arrays(x, np.load(folder / "y_train.npy"))


def open_ids(folder: Path, split: Split) -> NDArray[np.str_]:
    """The id of each sample of a split, text [n]; only if the record's ``identified`` is true."""
    ids: NDArray[np.str_] = np.load(folder / f"id_{split}.npy")
    return ids


def open_groups(folder: Path, split: Split) -> NDArray[np.str_] | None:
    """The group of each sample of a split, text [n]; None where the source has no groups."""
    path = folder / f"group_{split}.npy"
    return np.load(path) if path.is_file() else None
