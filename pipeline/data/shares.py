"""How the samples were shared out: which groups are where, and how near the fractions came.

>>> list(warnings(source, by_split, data))
['test has 33.3 % of the samples (2 of 6 groups) and data.test asks for 20.0 %: …']
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .. import tasks
from ..recipe.data import Data
from ..records import Split
from .column import listed
from .source_samples import SourceSamples
from .split_samples import SplitSamples, fractions_to_draw
from .splits import whole_of

_FAR = 0.1
"""From this share of a fraction on, its deviation is said."""


def groups(
    source: SourceSamples, by_split: Mapping[Split, SplitSamples]
) -> dict[str, dict[str, int]]:
    """Samples of each group, by split, the largest group first."""
    result: dict[str, dict[str, int]] = {}
    for split, part in by_split.items():
        if part.key not in source.groups:
            continue
        names, counts = np.unique(source.groups[part.key][part.rows], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        result[split] = {str(names[i]): int(counts[i]) for i in order}
    return result


def asked(
    source: SourceSamples, by_split: Mapping[Split, SplitSamples], data: Data
) -> dict[Split, float]:
    """The fraction that each drawn split should have of the samples that were shared out.

    A split whose groups the recipe names is left out; the others keep their proportions in what
    remains.
    """
    fractions = fractions_to_draw(source, data)
    named = [s for s in ("test", "validation") if getattr(data, f"{s}_groups") and s in fractions]
    count = _shared_out(source, by_split, fractions)
    rest = count - sum(len(by_split[split].rows) for split in named)
    base = whole_of(fractions, rest, named) / count
    return {split: f * base for split, f in fractions.items() if split not in named}


def _shared_out(
    source: SourceSamples, by_split: Mapping[Split, SplitSamples], drawn: Mapping[Split, float]
) -> int:
    """Samples that splits were drawn from: those with a label."""
    parts = [part for split, part in by_split.items() if split in drawn or split == "train"]
    return sum(len(source.with_label(part.key, part.rows)) for part in parts)


def warnings(
    source: SourceSamples, by_split: Mapping[Split, SplitSamples], data: Data
) -> Iterator[str]:
    """Splits that are far from the fraction that the recipe asks for, as whole groups may be."""
    count = _shared_out(source, by_split, fractions_to_draw(source, data))
    of_group = groups(source, by_split)
    every = len({name for names in of_group.values() for name in names})
    for split, fraction in asked(source, by_split, data).items():
        found = len(by_split[split].rows) / count
        if abs(found - fraction) * count < 1.0 or abs(found - fraction) <= _FAR * fraction:
            continue
        whole, fix = "", f"choose another data.{split}"
        if split in of_group:
            whole = f" ({len(of_group[split])} of {every} groups)"
            fix = f"whole groups come no nearer; data.{split}_groups can name them"
        yield (
            f"{split} has {found:.1%} of the samples{whole} and data.{split} asks for "
            f"{fraction:.1%}: {fix}".replace("%", " %")
        )


def unjudged(
    counts: Mapping[str, Sequence[int]], labels: Sequence[str], data: Data
) -> Iterator[str]:
    """Labels that have no sample in test, where a task allows that."""
    rules = tasks.of(data.task).labels
    if rules is None or "test" not in counts or "test" in rules.every_class_in:
        return
    missing = [label for label, n in zip(labels, counts["test"], strict=True) if n == 0]
    if missing:
        noun = "label has" if len(missing) == 1 else "labels have"
        yield (
            f"{len(missing)} {noun} no positive sample in test and cannot be judged: "
            f"{listed(missing)}; add samples, or raise data.test"
        )
