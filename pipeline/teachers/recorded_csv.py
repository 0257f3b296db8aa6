"""Recorded answers in a csv or tsv file.

>>> read(Path("answers.csv"), scratch, ("negative", "positive")).form     # doctest: +SKIP
'numbers'
"""

from pathlib import Path

import numpy as np

from ...errors import DataError
from ..data import columns
from .recorded_forms import Read, spread

CLASS, CONFIDENCE = "label", "confidence"
"""The columns of a class and of the confidence in it."""


def read(path: Path, folder: Path, labels: tuple[str, ...]) -> Read:
    """Columns of numbers, or a class with its confidence, by the samples' ids.

    Args:
        path: has a column ``id`` and either ``label`` and ``confidence`` or columns of numbers.
        folder: to unpack to.
        labels: class names; columns with these names are used, in this order.

    Raises:
        DataError: unreadable, or without these columns.
    """
    described = columns.describe(path)
    numbers = tuple(
        name for name, one in described.items() if one.kind in ("int", "float") and name != "id"
    )
    confident = {CLASS, CONFIDENCE} <= described.keys() and not _named(labels, numbers)
    if "id" not in described or not (numbers or confident):
        raise DataError(
            found=f"columns {list(described)[:8]}",
            expected=f"'id', and a column of numbers for each class or '{CLASS}' and "
            f"'{CONFIDENCE}'",
            where=str(path),
            fix="the order of rows identifies nothing: save the samples' ids with the answers",
        )
    if confident:
        only, gaps = ("id", CLASS, CONFIDENCE), (CLASS, CONFIDENCE)
        found = columns.read(path, folder, only, described, gaps)
        return spread(found[CLASS], found[CONFIDENCE], labels, found["id"], str(path))
    chosen = labels if _named(labels, numbers) else numbers
    found = columns.read(path, folder, ("id", *chosen), described)
    answers = np.stack([found[name].astype(np.float32) for name in chosen], axis=1)
    return Read(found["id"], answers, chosen, "numbers")


def _named(labels: tuple[str, ...], numbers: tuple[str, ...]) -> bool:
    """Whether there is a column for each class."""
    return bool(labels) and set(labels) <= set(numbers)
