"""Draw whole groups for a split: near to its share, with every class on both sides.

>>> drawn(np.array(["a", "a", "b", "b", "c", "c"]), None, share=0.3, seed=0).sum()
2
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..records import Split
from .column import listed

Mask = NDArray[np.bool_]
_WORK = 4_000_000
"""Numbers that are added up over all tries of a draw."""
_MOST_TRIES = 2000
_LOST_CLASS = 10.0
"""What a class without a sample on one side costs, against deviations that are below 3."""


def drawn(
    group: NDArray[Any], strata: NDArray[Any] | None, share: float, seed: int, left: int = 1
) -> Mask:
    """Rows whose groups are drawn, as the best of many random orders of the groups.

    The best order has every class on both sides if that can be, comes near to the share of the
    rows, and near to the share of each class.

    Args:
        group: of each row, [n], at least two different ones.
        strata: classes int64 [n] or labels 0 or 1 [n, k]; None: rows count alone.
        share: of the rows, between 0 and 1.
        seed: the same seed draws the same groups.
        left: groups that must remain, and that must have each class: as many as there are splits
            to come.
    """
    _, code = np.unique(group, return_inverse=True)
    sizes = np.bincount(code).astype(np.float64)
    counts = _counts(code, strata, len(sizes))
    tries = int(np.clip(_WORK // max(counts.size, 1), 20, _MOST_TRIES))
    random = np.random.default_rng(seed)
    best, chosen = np.inf, np.arange(1)
    for _ in range(tries):
        order = random.permutation(len(sizes))
        ends = np.cumsum(sizes[order])[:-left] / len(group)
        # As near to the share as can be, and no smaller than every class needs.
        has_all: Mask = np.all(np.cumsum(counts[order], axis=0) > 0, axis=1)
        needed = int(np.argmax(has_all)) if has_all[: len(ends)].any() else 0
        end = max(int(np.argmin(np.abs(ends - share))), needed)
        cost = abs(ends[end] - share) / share + _imbalance(counts, order[: end + 1], share, left)
        if cost < best - 1e-12:
            best, chosen = cost, order[: end + 1]
    is_drawn = np.zeros(len(sizes), np.bool_)
    is_drawn[chosen] = True
    rows: Mask = is_drawn[code]
    return rows


def _counts(code: NDArray[np.int64], strata: NDArray[Any] | None, groups: int) -> NDArray[Any]:
    """Samples of each class or label in each group, [groups, classes]."""
    if strata is None:
        return np.zeros((groups, 0))
    counts = np.zeros((groups, strata.shape[1] if strata.ndim == 2 else int(strata.max()) + 1))
    if strata.ndim == 2:
        np.add.at(counts, code, strata)
    else:
        np.add.at(counts, (code, strata), 1.0)
    return counts[:, counts.any(0)]


def _imbalance(counts: NDArray[Any], chosen: NDArray[np.int64], share: float, left: int) -> float:
    """How far the classes' shares are from that of all rows; a class that is lost costs most."""
    if not counts.shape[1]:
        return 0.0
    total, inside = counts.sum(0), counts[chosen].sum(0)
    remaining = (counts > 0).sum(0) - (counts[chosen] > 0).sum(0)
    lost = int(((inside == 0) | (remaining < left)).sum())
    return _LOST_CLASS * lost + float(np.abs(inside / total - share).mean())


def named(
    group: NDArray[Any] | None, wanted: Mapping[Split, Sequence[str | int]]
) -> dict[Split, Mask]:
    """Rows of the groups that the recipe names for test and validation.

    Args:
        group: of each row, [n]; None: the data has no groups.
        wanted: names by split; splits without names are left out.

    Raises:
        DataError: there are no groups, or none of that name.
    """
    if not any(wanted.values()):
        return {}
    if group is None:
        raise DataError(
            f"{listed([str(name) for names in wanted.values() for name in names])} of data without "
            "a group column",
            where=f"data.{next(split for split, names in wanted.items() if names)}_groups",
            fix="name the column of groups in data.group",
        )
    known, code = np.unique(group, return_inverse=True)
    index = {str(name): i for i, name in enumerate(known.tolist())}
    rows: dict[Split, Mask] = {}
    for split, names in wanted.items():
        for name in map(str, names):
            if name not in index:
                near = get_close_matches(name, index, n=1)
                raise DataError(
                    found=f"no group {name!r} among {listed(list(index))}",
                    where=f"data.{split}_groups",
                    fix=f"did you mean {near[0]!r}?" if near else "name groups that the data has",
                )
        if names:
            rows[split] = np.isin(code, [index[str(name)] for name in names])
    return rows


def require_enough(
    group: NDArray[Any],
    strata: NDArray[Any] | None,
    parts: Sequence[str],
    names: Sequence[str] = (),
) -> None:
    """Refuse groups that cannot be shared out: too few, or of one class alone.

    Args:
        group: of each row that is left, [n].
        strata: classes int64 [n]; labels and None are not looked at.
        parts: the splits that need groups of their own, train among them.
        names: of the classes.

    Raises:
        DataError: says how many groups there are, and what else can be done.
    """
    groups = np.unique(group)
    needs = f"{len(parts)}, one for each of {', '.join(parts)}"
    ways = (
        'data.validation_by = "row" takes validation from train\'s groups, and data.group = "" '
        "splits by row, whose scores say nothing about new groups"
    )
    if len(groups) < len(parts):
        have = "1 group" if len(groups) == 1 else f"{len(groups)} groups"
        raise DataError(
            found=f"{have} ({listed([str(name) for name in groups.tolist()])})",
            expected=f"at least {needs}",
            where="data.group",
            fix=f"add groups; {ways}",
        )
    if strata is None or strata.ndim != 1:
        return
    for number in np.unique(strata).tolist():
        having = np.unique(group[strata == number])
        if len(having) < len(parts):
            name = names[number] if number < len(names) else str(number)
            only = " alone" if len(having) == 1 else ""
            raise DataError(
                found=f"class {name!r} in {'group' if only else 'the groups'} "
                f"{listed([str(g) for g in having.tolist()])}{only}",
                expected=f"it in at least {needs}",
                where="data.group",
                fix=f"add groups that have it, or leave that class out; {ways}",
            )
