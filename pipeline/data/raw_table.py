"""Rows of a table whose categories and missing values are still to be encoded.

>>> RawTable(np.array([[1.5, 0.0]]), ("speed", "city"), {1: ("Oslo", "Rome")}).shape
(1, 2)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RawTable:
    """Rows or windows of a table before they are encoded.

    Attributes:
        cells: numbers and codes of categories, [n, columns] or [n, window, columns]; NaN where a
            value is missing.
        columns: names.
        categories: of the columns that hold codes, by place.
    """

    cells: NDArray[Any]
    columns: tuple[str, ...]
    categories: Mapping[int, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def ndim(self) -> int:
        """Axes of the cells."""
        return self.cells.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the cells."""
        return self.cells.shape
