"""The labels of a source: checked against its samples, then read by the task's rules.

A sample without a label is unlabelled. Only train may have some: a student learns the teacher's
answers to them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .. import tasks
from ..tasks.labels import ReadLabels


def read(
    ys: Mapping[str, Any], rows: Mapping[str, int], task: str, names: Sequence[str], where: str
) -> tuple[ReadLabels, dict[str, NDArray[np.bool_]]]:
    """The labels of every split in the form that models are trained with.

    Args:
        ys: by split; None if the source has none.
        rows: number of samples of each split.
        task: its name.
        names: of classes, labels or numbers, if they are known.
        where: the source, for a message.

    Returns:
        The labels, another sample's where a sample has none; and by split which have one, [n].

    Raises:
        DataError: labels are missing, of the wrong shape, or do not suit the task.
    """
    rules = tasks.of(task).labels
    if rules is None:
        none = {s: np.zeros((n, 0), np.float32) for s, n in rows.items()}
        return ReadLabels(none, ()), {s: np.ones(n, np.bool_) for s, n in rows.items()}
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
                fix="give y as many rows as x",
            )
    arrays = {split: np.asarray(y) for split, y in ys.items()}
    labelled = {split: ~rules.absent(y, names) for split, y in arrays.items()}
    if rules.one_column and _minus_one_is_a_class(arrays, labelled):
        labelled = {split: np.ones(len(y), np.bool_) for split, y in arrays.items()}
    _require_in_train(labelled, where)
    return rules.read(_filled(arrays, labelled), names, where), labelled


def _minus_one_is_a_class(
    arrays: Mapping[str, NDArray[Any]], labelled: Mapping[str, NDArray[np.bool_]]
) -> bool:
    """Whether numbers besides -1 are all one: labels of -1 and 1 are two classes."""
    if any(y.dtype.kind in "US" for y in arrays.values()):
        return False
    chosen = [y[labelled[split]].ravel() for split, y in arrays.items()]
    return len(np.unique(np.concatenate(chosen))) < 2


def _require_in_train(labelled: Mapping[str, NDArray[np.bool_]], where: str) -> None:
    """Refuse samples without a label in a split that judges or calibrates, and a train of them."""
    for split, has_label in labelled.items():
        if split == "train" and not has_label.any():
            raise DataError(
                "a train split without one label",
                where=where,
                fix="label some of its samples: the teacher learns from them",
            )
        if split not in ("all", "train") and not has_label.all():
            raise DataError(
                found=f"{int((~has_label).sum())} samples of {split} without a label (first: row "
                f"{int(np.argmin(has_label))})",
                expected="unlabelled samples in train only",
                where=where,
                fix=f"label them, or move them to train; only labelled samples suit {split}",
            )


def _filled(
    arrays: Mapping[str, NDArray[Any]], labelled: Mapping[str, NDArray[np.bool_]]
) -> dict[str, NDArray[Any]]:
    """Labels with another sample's where a sample has none, so that a message counts rows right."""
    present = [y[labelled[split]][:1] for split, y in arrays.items() if labelled[split].any()]
    filled = dict(arrays)
    for split, has_label in labelled.items():
        if present and not has_label.all():
            filled[split] = arrays[split].copy()
            filled[split][~has_label] = present[0]
    return filled
