"""Four disjoint splits, seeded and stratified by class; by group where the data has groups."""

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
    """Rows of each split: the named fractions are cut off, the rest is train.

    Groups hold for test and validation, which judge. Calibration judges nothing and comes from the
    groups of train, of which few could be spared.

    Args:
        count: n, the number of rows.
        strata: classes, int64 [n], of which each split gets its share; None: at random.
        fractions: of all rows, for every split but train.
        seed: the same seed gives the same rows.
        group: [n]; rows of one group never stand in two splits.

    Raises:
        DataError: too few samples of a class, or too few groups.
    """
    from sklearn.model_selection import train_test_split

    rest: Rows = np.arange(count, dtype=np.int64)
    rows: dict[Split, Rows] = {}
    y = np.zeros(count, np.int64) if strata is None else strata
    counts = np.bincount(y)
    rarest = int(np.argmin(np.where(counts == 0, counts.max() + 1, counts)))
    if counts[rarest] <= len(fractions):
        of_class = "" if strata is None else f" of class {rarest}"
        raise DataError(
            found=f"{counts[rarest]} samples{of_class}",
            expected=f"at least {len(fractions) + 1}, one for each split",
            where="data",
        )
    for split, fraction in fractions.items():
        share = fraction * len(y) / len(rest)
        if group is None or split == "calibration":
            try:
                rest, taken = train_test_split(
                    rest, test_size=share, stratify=y[rest], random_state=seed
                )
            except ValueError as error:
                raise DataError(
                    f"{split} cannot be cut: {error}", where="data", fix=f"raise data.{split}"
                ) from None
        else:
            rest, taken = _by_group(rest, y, group, share, seed, split)
        rows[split] = np.sort(taken)
    rows["train"] = np.sort(rest)
    return {split: rows[split] for split in SPLITS if split in rows}


MOST_FOLDS = 20
"""How finely a share is met by whole groups: to a twentieth."""


def _by_group(
    rest: Rows, y: NDArray[np.int64], group: NDArray[Any], share: float, seed: int, split: str
) -> tuple[Rows, Rows]:
    """Cut about a share off by whole groups: so many of so many stratified folds."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = len(np.unique(group[rest]))
    if groups < 2:
        raise DataError(
            found=f"{groups} group left for {split}",
            expected="at least 2",
            where="data.group",
            fix="bring more groups, or lower the fractions before it",
        )
    folds = min(groups, MOST_FOLDS)
    parts, of = min(
        ((k, n) for n in range(2, folds + 1) for k in range(1, n)),
        key=lambda cut: (abs(cut[0] / cut[1] - share), cut[1]),
    )
    splitter = StratifiedGroupKFold(of, shuffle=True, random_state=seed)
    cut_off = [take for _, take in splitter.split(rest, y[rest], group[rest])][:parts]
    chosen = np.zeros(len(rest), dtype=bool)
    chosen[np.concatenate(cut_off)] = True
    return rest[~chosen], rest[chosen]


def hashes(x: NDArray[Any], rows: Rows) -> NDArray[np.bytes_]:
    """A 128-bit hash of each sample, so that equal samples are found in flat memory."""
    import hashlib

    found = np.empty(len(rows), dtype="S16")
    for part in chunks(len(rows), x[0].size):
        block = np.ascontiguousarray(x[rows[part]])
        for i, row in enumerate(block.reshape(len(block), -1)):
            found[part.start + i] = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
    return found
