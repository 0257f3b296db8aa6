"""What the data stage laid down, opened again."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..records import Split


class Arrays(NamedTuple):
    """One split: samples as the data set holds them, memory-mapped, and labels int64 [n]."""

    x: NDArray[Any]
    y: NDArray[np.int64]


def open_split(folder: Path, split: Split) -> Arrays:
    """Memory-map a split below the data stage's folder."""
    x = np.load(folder / f"x_{split}.npy", mmap_mode="r")
    return Arrays(x, np.load(folder / f"y_{split}.npy"))
