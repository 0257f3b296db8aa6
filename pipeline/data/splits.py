"""Draw disjoint splits: seeded, stratified by class, and by whole groups if the data has groups."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..records import SPLITS, Split
from .checks import chunks

Rows = NDArray[np.int64]


def cut(
    count: int,
    strata: NDArray[np.int64] | None,
    fractions: Mapping[Split, float],
    seed: int,
    group: NDArray[Any] | None = None,
) -> dict[Split, Rows]:
    """Draw rows of each split: the given fractions of all rows; the rest is train.

    Groups stay whole in test and validation, which judge models. Calibration judges nothing, so its
    rows come from the groups of train.

    Args:
        count: n, the number of rows.
        strata: classes, int64 [n]; every split gets its share of each. None: at random.
        fractions: of all rows, for every split but train.
        seed: the same seed gives the same rows.
        group: [n]; rows of one group are never in two splits.

    Raises:
        DataError: too few samples of a class, or too few groups.
    """
    from sklearn.model_selection import train_test_split

    rest: Rows = np.arange(count, dtype=np.int64)
    rows: dict[Split, Rows] = {}
    y = np.zeros(count, np.int64) if strata is None else strata
    _require_samples(y, len(fractions) + 1, is_class=strata is not None)
    for split, fraction in fractions.items():
        share = fraction * len(y) / len(rest)
        if group is None or split == "calibration":
            try:
                rest, drawn = train_test_split(
                    rest, test_size=share, stratify=y[rest], random_state=seed
                )
            except ValueError as error:
                raise DataError(
                    f"{split} cannot be drawn: {error}", where="data", fix=f"raise data.{split}"
                ) from None
        else:
            rest, drawn = _by_group(rest, y, group, share, seed, split)
        rows[split] = np.sort(drawn)
    rows["train"] = np.sort(rest)
    return {split: rows[split] for split in SPLITS if split in rows}


def _require_samples(y: NDArray[np.int64], least: int, *, is_class: bool) -> None:
    counts = np.bincount(y)
    rarest = int(np.argmin(np.where(counts == 0, counts.max() + 1, counts)))
    if counts[rarest] < least:
        raise DataError(
            found=f"{counts[rarest]} samples" + (f" of class {rarest}" if is_class else ""),
            expected=f"at least {least}, one for each split",
            where="data",
        )


MAX_FOLDS = 20
"""Largest number of folds that groups are divided into, so that a share is met to 1/20."""


def _by_group(
    rest: Rows, y: NDArray[np.int64], group: NDArray[Any], share: float, seed: int, split: str
) -> tuple[Rows, Rows]:
    """Draw about a share of the rows by whole groups, as some of the folds of stratified folds."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = len(np.unique(group[rest]))
    if groups < 2:
        raise DataError(
            found=f"{groups} group left for {split}",
            expected="at least 2",
            where="data.group",
            fix="add more groups, or lower the fractions of the other splits",
        )
    max_folds = min(groups, MAX_FOLDS)
    drawn_folds, folds = min(
        ((k, n) for n in range(2, max_folds + 1) for k in range(1, n)),
        key=lambda division: (abs(division[0] / division[1] - share), division[1]),
    )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    rows_of_folds = [rows for _, rows in splitter.split(rest, y[rest], group[rest])]
    is_drawn = np.zeros(len(rest), dtype=bool)
    is_drawn[np.concatenate(rows_of_folds[:drawn_folds])] = True
    return rest[~is_drawn], rest[is_drawn]


def hashes(x: NDArray[Any], rows: Rows) -> NDArray[np.bytes_]:
    """A 128-bit hash of each sample, so that equal samples are found in constant memory."""
    import hashlib

    result = np.empty(len(rows), dtype="S16")
    for part in chunks(len(rows), x[0].size):
        block = np.ascontiguousarray(x[rows[part]])
        for i, row in enumerate(block.reshape(len(block), -1)):
            result[part.start + i] = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
    return result
