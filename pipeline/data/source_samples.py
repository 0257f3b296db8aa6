"""What a source returned, checked: samples, labels, ids and groups that belong together."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .. import tasks
from ..recipe.data import Data
from ..records import SPLITS
from ..tasks.labels import ReadLabels
from . import checks, labels
from .raw_table import RawTable
from .text_store import Texts

ALL = "all"
"""The key of all samples, if the source has no ready splits."""


class SourceSamples(NamedTuple):
    """A checked source. All mappings have the names of ready splits as keys, or ``ALL``.

    Attributes:
        x: samples, as an array or ``Texts``.
        labels: of the samples.
        ids: what identifies each sample; empty unless all samples have ids.
        groups: the group of each sample, of the splits that have groups.
        labelled: which samples have a label, [n].
    """

    x: dict[str, Any]
    labels: ReadLabels
    ids: dict[str, NDArray[np.str_]]
    groups: dict[str, NDArray[np.str_]]
    labelled: dict[str, NDArray[np.bool_]]

    def with_label(self, key: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some rows that have a label."""
        return rows[self.labelled[key][rows]]


def checked(arrays: Mapping[str, Any], data: Data, where: str) -> SourceSamples:
    """Check the arrays of a source and sort them by split.

    Args:
        arrays: as a source returns them; see ``data/__init__.py``.
        data: the recipe's section.
        where: the source, for a message.

    Raises:
        DataError: an array is missing, of the wrong shape or dtype, or holds unfit values; or a
            group is in two ready splits.
    """
    x = _samples(arrays, data, where)
    _require_all_used(arrays, x, where)
    _require_one_form(x, where)
    rows = {name: len(samples) for name, samples in x.items()}
    ys = {name: arrays.get("y" if name == ALL else f"y_{name}") for name in x}
    names = data.labels or tuple(str(name) for name in np.atleast_1d(arrays.get("labels", ())))
    read_labels, labelled = labels.read(ys, rows, data.task, names, where)
    groups = _column("group", arrays, rows, where) if data.group else {}
    _require_whole_groups(groups, where)
    ids = _column("id", arrays, rows, where)
    if len(ids) < len(rows):  # ids are used only if every sample has one
        ids = {}
    return SourceSamples(x, read_labels, _texts(ids), _texts(groups), labelled)


def _texts(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.str_]]:
    return {name: values.astype(np.str_) for name, values in columns.items()}


def _samples(arrays: Mapping[str, Any], data: Data, where: str) -> dict[str, Any]:
    """The arrays x of ready splits, or of all samples."""
    is_split = "x_train" in arrays or "x_test" in arrays
    needed = ["x_train", "x_test"] if is_split else ["x"]
    if tasks.of(data.task).labels:
        needed += [key.replace("x", "y") for key in needed]
    missing = sorted(key for key in needed if key not in arrays)
    if missing:
        raise DataError(
            found=f"arrays read as {', '.join(sorted(arrays))}",
            expected=f"{', '.join(missing)} too" if is_split else "x and y, or ready splits",
            where=where,
        )
    if not is_split:
        return {ALL: arrays["x"]}
    return {split: arrays[f"x_{split}"] for split in SPLITS if f"x_{split}" in arrays}


def _require_all_used(arrays: Mapping[str, Any], x: Mapping[str, Any], where: str) -> None:
    """Refuse arrays that belong to no samples: they would be left out in silence."""
    endings = ["" if name == ALL else f"_{name}" for name in x]
    used = {f"{role}{ending}" for role in ("x", "y", "group", "id") for ending in endings}
    # Groups and ids for all samples beside ready splits have a message of their own.
    known = used | {"labels", "layout", "front_end", "notes", "group", "id"}
    for key in arrays:
        if key not in known:
            role, _, split = key.partition("_")
            lacks = f"x_{split}" if split and role != "x" else "x_train"
            fix = f"add {lacks}" if lacks not in arrays else f"rename it to {role}_train"
            raise DataError(
                found=f"{key} without {lacks}" if lacks not in arrays else f"{key} beside {lacks}",
                expected="x and y of all samples, or x and y of each split",
                where=where,
                fix=f"{fix}, or leave {key} out",
            )


def _require_one_form(x: Mapping[str, Any], where: str) -> None:
    """Refuse unfit samples, and splits of different shapes or dtypes."""
    first = next(iter(x.values()))
    for name, samples in x.items():
        if isinstance(samples, Texts | RawTable):
            continue
        checks.samples(samples, where if name == ALL else f"{where}, {name}")
        if samples.shape[1:] != first.shape[1:] or samples.dtype != first.dtype:
            raise DataError(
                found=f"samples of {samples.dtype} {list(samples.shape[1:])} in {name}",
                expected=f"{first.dtype} {list(first.shape[1:])} as in the first split",
                where=where,
            )


def _column(
    kind: str, arrays: Mapping[str, Any], rows: Mapping[str, int], where: str
) -> dict[str, NDArray[Any]]:
    """``group`` or ``id``, one value per sample, of the splits that have it."""
    keys = {name: kind if name == ALL else f"{kind}_{name}" for name in rows}
    if kind in arrays and kind not in keys.values():
        raise DataError(
            found=f"{kind} for all samples, and ready splits",
            expected=", ".join(keys.values()),
            where=where,
        )
    columns = {name: np.asarray(arrays[key]) for name, key in keys.items() if key in arrays}
    for name, values in columns.items():
        if values.shape != (rows[name],):
            raise DataError(
                found=f"{keys[name]} of shape {list(values.shape)}",
                expected=f"one value for each of {rows[name]} samples",
                where=where,
            )
    return columns


def _require_whole_groups(groups: Mapping[str, NDArray[Any]], where: str) -> None:
    """Refuse a group of test or validation that is in another ready split, too."""
    for split, other in permutations(groups, 2):
        if split not in ("test", "validation"):
            continue
        shared = np.intersect1d(groups[split], groups[other])
        if len(shared):
            raise DataError(
                found=f"the group {shared[0].item()!r} in {other} and in {split}",
                expected="all samples of a group in one split",
                where=where,
                fix="remove the ready splits to have the data split by group, or ignore the groups "
                'with data.group = ""',
            )
