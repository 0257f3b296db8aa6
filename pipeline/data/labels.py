"""The labels of a source: checked against its samples, then read by the task's rules."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import DataError
from .. import tasks
from ..tasks.labels import ReadLabels


def read(
    ys: Mapping[str, Any], rows: Mapping[str, int], task: str, names: Sequence[str], where: str
) -> ReadLabels:
    """The labels of every split in the form that models are trained with.

    Args:
        ys: by split; None if the source has none.
        rows: number of samples of each split.
        task: its name.
        names: of classes, labels or numbers, if they are known.
        where: the source, for a message.

    Raises:
        DataError: labels are missing, of the wrong shape, or do not suit the task.
    """
    rules = tasks.of(task).labels
    if rules is None:
        return ReadLabels({s: np.zeros((n, 0), np.float32) for s, n in rows.items()}, ())
    for split, y in ys.items():
        if y is None:
            name = "" if split == "all" else f"_{split}"
            raise DataError(
                found=f"x{name} without y{name}",
                expected=f"y{name}, as the task is {task}",
                where=where,
            )
        if len(y) != rows[split]:
            raise DataError(
                found=f"{rows[split]} samples in x and {len(y)} labels in y",
                expected="one label per sample",
                where=where,
            )
    return rules.read({split: np.asarray(y) for split, y in ys.items()}, names, where)
