"""Labels as a source gives them, checked against its samples and read as the task wants them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import DataError
from .. import tasks
from ..tasks.labels import ReadLabels


def read(
    ys: Mapping[str, Any], rows: Mapping[str, int], task: str, names: Sequence[str], where: str
) -> ReadLabels:
    """Labels of every split as the models learn them.

    Args:
        ys: by split, or None where the source has none.
        rows: samples of each split.
        task: its name.
        names: of classes, labels or numbers, where they are known.
        where: the source, for errors.

    Raises:
        DataError: missing, misshapen, or of another task.
    """
    rules = tasks.of(task).labels
    if rules is None:
        return ReadLabels({s: np.zeros((n, 0), np.float32) for s, n in rows.items()}, ())
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
    return rules.read({split: np.asarray(y) for split, y in ys.items()}, names, where)
