"""What labels of a task may look like, for the sources that find them and the checks that follow.

>>> from edgestill.pipeline.tasks.classification import TASK
>>> TASK.labels.one_column, TASK.labels.in_window
(True, 'most frequent')
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..records import Split

Text = Literal["one name", "names", "number"]
Window = Literal["most frequent", "last", "any"]


class ReadLabels(NamedTuple):
    """Labels of every split as the models learn them.

    Attributes:
        of: by split: classes int64 [n]; several labels 0 or 1, float32 [n, labels]; numbers
            float32 [n, numbers]; without labels float32 [n, 0].
        names: of the classes, labels or numbers.
    """

    of: dict[str, NDArray[Any]]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What labels may look like, and their checks.

    Attributes:
        one_column: whether exactly one column holds the label; else several columns may hold one
            number each.
        text: what the text of a single column means: ``one name`` of a class, ``names`` with ``|``
            between them, or a ``number``.
        values: the only numbers that a column of a label may hold; empty: any finite number.
        in_window: the label of consecutive rows: the most frequent one, that of the last row, or
            every label that any row has.
        read: ``(labels by split, names, source)``: checks labels and makes them one kind; the names
            are those of the recipe or source, or empty. Raises ``DataError``.
        counts: ``(labels [n] or [n, k], classes)``: samples of each class; None without classes.
        stratified: whether splits keep the share of each class or label.
        every_class_in: splits in which each class must have a sample.
        minus_one: whether -1 is no label, so that it says that a sample has none.
    """

    one_column: bool
    text: Text
    values: tuple[float, ...] = ()
    in_window: Window
    read: Callable[[Mapping[str, NDArray[Any]], Sequence[str], str], ReadLabels]
    counts: Callable[[NDArray[Any], int], tuple[int, ...]] | None = None
    stratified: bool = False
    every_class_in: tuple[Split, ...] = ()
    minus_one: bool = False

    def absent(self, y: NDArray[Any], names: Sequence[str] = ()) -> NDArray[np.bool_]:
        """Which samples have no label: an empty text, NaN, or -1 where that is none.

        Args:
            y: labels as a source gives them, [n] or [n, k]; without a label all k are absent.
            names: of the classes; -1 is a class where it is among them.

        Returns:
            [n].
        """
        rows = y.reshape(len(y), -1)
        if rows.dtype.kind in "US":
            empty: NDArray[np.bool_] = (np.char.str_len(rows) == 0).all(1)
            return empty
        absent = np.isnan(rows).all(1) if rows.dtype.kind == "f" else np.zeros(len(y), np.bool_)
        if self.minus_one and "-1" not in names and rows.dtype.kind in "if":
            absent |= (rows == -1).all(1)
        return absent
