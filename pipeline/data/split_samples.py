"""Which samples belong to each split, and that no sample is in two of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import DataError, RecipeError
from .. import tasks
from ..recipe.data import Data
from ..records import SPLITS, Split
from . import splits
from .raw_table import RawTable
from .source_samples import ALL, SourceSamples
from .text_store import Texts

PRIORITY: tuple[Split, ...] = ("test", "validation", "calibration", "train")
"""A sample that is in several splits stays in the first of these."""


class SplitSamples(NamedTuple):
    """The samples of one split.

    Attributes:
        x: an array with these samples, and maybe others.
        x_rows: their rows in ``x``.
        key: the key of their labels and ids in ``SourceSamples``.
        rows: their rows in those labels and ids.
    """

    x: Any
    x_rows: splits.Rows
    key: str
    rows: splits.Rows


def split_samples(source: SourceSamples, data: Data, seed: int) -> dict[Split, SplitSamples]:
    """The source's ready splits; splits that it lacks are drawn from train, or from all samples.

    Raises:
        DataError: too few samples of a class, or too few groups; groups that the recipe names for a
            split and that are not there, or for a split that is ready.
    """
    whole = "train" if "train" in source.x else ALL
    to_draw = fractions_to_draw(source, data)
    named: dict[Split, tuple[str | int, ...]] = {
        "test": data.test_groups,
        "validation": data.validation_groups,
    }
    _require_to_draw(named, to_draw)
    labelled = np.flatnonzero(source.labelled[whole])
    drawn: dict[Split, splits.Rows] = {"train": labelled}
    if to_draw:
        rules = tasks.of(data.task).labels
        strata = source.labels.of[whole][labelled] if rules and rules.stratified else None
        groups = source.groups[whole][labelled] if whole in source.groups else None
        by_row = splits.GroupRules(named, data.validation_by == "row")
        names = source.labels.names
        cut = splits.cut(len(labelled), strata, to_draw, seed, groups, by_row, names)
        drawn = {split: labelled[rows] for split, rows in cut.items()}
    apart: tuple[Split, ...] = ("test", "validation")
    if data.validation_by == "row":
        apart = ("test",)
    drawn["train"] = np.concatenate([drawn["train"], _unlabelled(source, whole, drawn, apart)])
    result: dict[Split, SplitSamples] = {}
    for split in SPLITS:
        key = split if split in source.x and split != "train" else whole
        x = source.x[key]
        rows = drawn.get(split, np.arange(len(x)))
        result[split] = SplitSamples(
            x if isinstance(x, Texts | RawTable) else np.asanyarray(x), rows, key, rows
        )
    return result


def _unlabelled(
    source: SourceSamples,
    whole: str,
    drawn: Mapping[Split, splits.Rows],
    apart: Sequence[Split],
) -> splits.Rows:
    """Samples without a label, which train has behind its others.

    Those of a group of the splits ``apart`` are left out: a student that has learned answers to
    them has seen the group.
    """
    rows = np.flatnonzero(~source.labelled[whole])
    groups = source.groups.get(whole)
    if groups is None:
        return rows
    seen = [groups[drawn[split]] for split in apart if split in drawn]
    seen += [of for split, of in source.groups.items() if split in apart]
    return rows[~np.isin(groups[rows], np.concatenate([*seen, groups[:0]]))]


def fractions_to_draw(source: SourceSamples, data: Data) -> dict[Split, float]:
    """The fraction that the recipe asks for, of each split that the source lacks."""
    fractions: dict[Split, float] = {
        "test": data.test,
        "validation": data.validation,
        "calibration": data.calibration,
    }
    return {split: f for split, f in fractions.items() if split not in source.x}


def _require_to_draw(
    named: Mapping[Split, tuple[str | int, ...]], to_draw: Mapping[Split, float]
) -> None:
    for split, names in named.items():
        if names and split not in to_draw:
            raise RecipeError(
                f"groups for {split}, and the source has a {split} split",
                where=f"data.{split}_groups",
                fix=f"leave data.{split}_groups out, or the ready splits",
            )


def without_duplicates(
    by_split: Mapping[Split, SplitSamples], policy: str, where: str
) -> tuple[dict[Split, SplitSamples], int]:
    """Make sure that no sample is in two splits.

    Args:
        by_split: samples of every split.
        policy: ``data.duplicates`` of the recipe: ``allow``, ``refuse`` or ``drop``.
        where: the source, for a message.

    Returns:
        The samples that stay in each split, and how many were dropped.

    Raises:
        DataError: a sample is in two splits and the policy is ``refuse``, or a split is empty.
    """
    remaining = dict(by_split)
    dropped = 0
    if policy != "allow":
        earlier = np.empty(0, dtype="S16")
        for split in PRIORITY:
            part = by_split[split]
            hashes = splits.hashes(part.x, part.x_rows)
            repeated = np.isin(hashes, earlier)
            if repeated.any() and policy == "refuse":
                row = int(part.rows[int(np.argmax(repeated))])
                raise DataError(
                    found=f"{int(repeated.sum())} samples of {split} (first: row {row}) that are "
                    "in another split, too",
                    expected="disjoint splits",
                    where=where,
                    fix='set duplicates = "drop" in [data] to keep each of them in test only',
                )
            dropped += int(repeated.sum())
            remaining[split] = part._replace(
                rows=part.rows[~repeated], x_rows=part.x_rows[~repeated]
            )
            earlier = np.concatenate([earlier, hashes])
    for split in SPLITS:
        if not len(remaining[split].rows):
            raise DataError(
                found=f"no sample of {split} that is in no other split",
                expected="samples of its own",
                where=where,
                fix="add other samples",
            )
    return {split: remaining[split] for split in SPLITS}, dropped
