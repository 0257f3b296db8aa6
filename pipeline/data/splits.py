"""Draw disjoint splits: seeded, stratified by class, and by whole groups if the data has groups."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..records import SPLITS, Split
from . import group_splits
from .checks import chunks
from .stratify import iterative

Rows = NDArray[np.int64]


class GroupRules(NamedTuple):
    """What the recipe says about groups.

    Attributes:
        named: the groups of test and of validation that the recipe names.
        validation_by_row: whether validation has rows of train's groups, and none of its own.
    """

    named: Mapping[Split, Sequence[str | int]] = {}
    validation_by_row: bool = False


AS_DRAWN = GroupRules()
"""No group is named."""


def cut(
    count: int,
    strata: NDArray[Any] | None,
    fractions: Mapping[Split, float],
    seed: int,
    group: NDArray[Any] | None = None,
    rules: GroupRules = AS_DRAWN,
    names: Sequence[str] = (),
) -> dict[Split, Rows]:
    """Draw rows of each split: the given fractions of all rows; the rest is train.

    Groups stay whole in test and validation, which judge models. Calibration judges nothing, so its
    rows come from the groups of train.

    Args:
        count: n, the number of rows.
        strata: classes int64 [n] or labels 0 or 1 [n, k]; every split gets its share of each. None:
            at random.
        fractions: of all rows, for every split but train. Where groups of a split are named, the
            others keep their proportions in the rows that are left.
        seed: the same seed gives the same rows.
        group: [n]; rows of one group are never in two splits.
        rules: what the recipe says about groups.
        names: of the classes, for a message.

    Raises:
        DataError: too few samples of a class, or too few groups.
    """
    _require_samples(strata, count, len(fractions) + 1, names)
    named = group_splits.named(group, rules.named)
    if named and np.logical_or.reduce(list(named.values())).all():
        raise DataError(
            f"{' and '.join(named)} have every group, and train has none",
            where=f"data.{next(iter(named))}_groups",
            fix="leave a group for train",
        )
    rows: dict[Split, Rows] = {split: np.flatnonzero(mask) for split, mask in named.items()}
    is_free = ~np.logical_or.reduce([np.zeros(count, np.bool_), *named.values()])
    rest: Rows = np.flatnonzero(is_free)
    base = whole_of(fractions, len(rest), named)
    by_group = [
        split
        for split in fractions
        if group is not None
        and split not in named
        and split != "calibration"
        and not (split == "validation" and rules.validation_by_row)
    ]
    if group is not None:
        parts = [*by_group, "train"]
        group_splits.require_enough(group[rest], _of(strata, rest), parts, names)
        for number, split in enumerate(by_group):
            share, left = fractions[split] * base / len(rest), len(by_group) - number
            drawn = group_splits.drawn(group[rest], _of(strata, rest), share, seed, left)
            rows[split], rest = rest[drawn], rest[~drawn]
    by_row = {split: f for split, f in fractions.items() if split not in rows}
    rows |= _by_row(rest, strata, by_row, base, seed)
    return {split: np.sort(rows[split]) for split in SPLITS if split in rows}


def whole_of(fractions: Mapping[Split, float], rest: int, named: Collection[Split]) -> float:
    """The number of rows that fractions are of, so that they share out the ``rest``."""
    return rest / (1.0 - sum(fractions[split] for split in named))


def _of(strata: NDArray[Any] | None, rows: Rows) -> NDArray[Any] | None:
    return None if strata is None else strata[rows]


def _by_row(
    rest: Rows,
    strata: NDArray[Any] | None,
    fractions: Mapping[Split, float],
    base: float,
    seed: int,
) -> dict[Split, Rows]:
    """Rows of the splits that need no groups of their own, and those of train."""
    if strata is not None and strata.ndim == 2:
        shares = [fraction * base / len(rest) for fraction in fractions.values()]
        splits: list[Split] = [*fractions, "train"]
        first = [splits.index(s) for s in ("test", "validation", "calibration") if s in splits]
        code = iterative(strata[rest], [*shares, 1.0 - sum(shares)], seed, first)
        return {split: rest[code == place] for place, split in enumerate(splits)}
    from sklearn.model_selection import train_test_split

    y = np.zeros(rest.max() + 1, np.int64) if strata is None else strata
    rows: dict[Split, Rows] = {}
    for split, fraction in fractions.items():
        share = fraction * base / len(rest)
        try:
            rest, rows[split] = train_test_split(
                rest, test_size=share, stratify=y[rest], random_state=seed
            )
        except ValueError as error:
            raise DataError(
                f"{split} cannot be drawn: {error}", where="data", fix=f"raise data.{split}"
            ) from None
    return rows | {"train": rest}


def _require_samples(
    strata: NDArray[Any] | None, count: int, least: int, names: Sequence[str]
) -> None:
    """Refuse fewer samples, or samples of a class, than there are splits."""
    found, of_class = count, ""
    if strata is not None and strata.ndim == 1:
        counts = np.bincount(strata)
        rarest = int(np.argmin(np.where(counts == 0, counts.max() + 1, counts)))
        found = int(counts[rarest])
        of_class = f" of class {names[rarest]!r}" if rarest < len(names) else f" of class {rarest}"
    if found < least:
        raise DataError(
            found=f"{found} sample{'s'[: found != 1]}{of_class}",
            expected=f"at least {least}, one for each split",
            where="data",
            fix="add samples of it, or leave it out",
        )


def hashes(x: NDArray[Any], rows: Rows) -> NDArray[np.bytes_]:
    """A 128-bit hash of each sample, so that equal samples are found in constant memory."""
    import hashlib

    result = np.empty(len(rows), dtype="S16")
    for part in chunks(len(rows), x[0].size):
        block = np.ascontiguousarray(x[rows[part]])
        for i, row in enumerate(block.reshape(len(block), -1)):
            result[part.start + i] = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
    return result
