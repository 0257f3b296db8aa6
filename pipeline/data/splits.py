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
    y: NDArray[np.int64],
    fractions: Mapping[Split, float],
    seed: int,
    group: NDArray[Any] | None = None,
) -> dict[Split, Rows]:
    """Rows of each split: the named fractions are cut off, the rest is train.

    Args:
        y: labels, int64 [n].
        fractions: of all rows, for every split but train.
        seed: the same seed gives the same rows.
        group: [n]; rows of one group never stand in two splits.

    Raises:
        DataError: too few samples of a class, or too few groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold, train_test_split

    rest: Rows = np.arange(len(y), dtype=np.int64)
    rows: dict[Split, Rows] = {}
    counts = np.bincount(y)
    rarest = int(np.argmin(np.where(counts == 0, counts.max() + 1, counts)))
    if counts[rarest] <= len(fractions):
        raise DataError(
            found=f"{counts[rarest]} samples of class {rarest}",
            expected=f"at least {len(fractions) + 1}, one for each split",
            where="data",
        )
    for split, fraction in fractions.items():
        share = fraction * len(y) / len(rest)
        if group is None:
            try:
                rest, taken = train_test_split(
                    rest, test_size=share, stratify=y[rest], random_state=seed
                )
            except ValueError as error:
                raise DataError(
                    f"{split} cannot be cut: {error}", where="data", fix=f"raise data.{split}"
                ) from None
        else:
            folds = max(2, round(1 / share))
            groups = len(np.unique(group[rest]))
            if groups < folds:
                raise DataError(
                    found=f"{groups} groups left for {split}",
                    expected=f"at least {folds} for a fraction of {fraction:g}",
                    where="data.group",
                    fix=f"raise data.{split} or bring more groups",
                )
            splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
            keep, take = next(iter(splitter.split(rest, y[rest], group[rest])))
            rest, taken = rest[keep], rest[take]
        rows[split] = np.sort(taken)
    rows["train"] = np.sort(rest)
    return {split: rows[split] for split in SPLITS if split in rows}


def hashes(x: NDArray[Any], rows: Rows) -> NDArray[np.bytes_]:
    """A 128-bit hash of each sample, so that equal samples are found in flat memory."""
    import hashlib

    found = np.empty(len(rows), dtype="S16")
    for part in chunks(len(rows), x[0].size):
        block = np.ascontiguousarray(x[rows[part]])
        for i, row in enumerate(block.reshape(len(block), -1)):
            found[part.start + i] = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
    return found
