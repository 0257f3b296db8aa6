"""Groups: which are in which split, and how each model answers those of test.

of_splits(report.data)[0].caption   # 'Groups of each split'
"""

from collections.abc import Iterator, Mapping

from ..records import SPLITS, DataRecord, VerifyRecord
from . import numbers
from .sections import Section, Table, row

MOST_NAMES = 20
"""Groups of one split that are listed; report.json has all."""
MOST_SCORES = 50
"""Groups of test whose scores are shown, the worst ones."""


def of_splits(data: DataRecord) -> Iterator[Table]:
    """A table of the groups of each split, where the data has groups."""
    if not data.groups:
        return
    yield Table(
        "Groups of each split",
        ("Split", "Share", "Asked for", "Groups", "Samples of each group"),
        tuple(
            row(
                split,
                numbers.amount(data.samples(split) / sum(data.rows.values()), numbers.PERCENT),
                _asked(data, split),
                f"{len(data.groups[split]):,}",
                _listed(data.groups[split]),
            )
            for split in SPLITS
            if split in data.groups
        ),
    )


def _asked(data: DataRecord, split: str) -> str:
    if split in data.asked:
        return numbers.amount(data.asked[split], numbers.PERCENT)
    return "the rest" if split == "train" else "ready or named"


def _listed(samples: Mapping[str, int]) -> str:
    names = [f"{name} ({count:,})" for name, count in list(samples.items())[:MOST_NAMES]]
    more = len(samples) - MOST_NAMES
    return ", ".join(names) + (f" and {more:,} more, in report.json" if more > 0 else "")


def section(quality: VerifyRecord) -> Section | None:
    """The score of every model on each group of test; None without groups."""
    if not quality.groups:
        return None
    unit = numbers.score_unit(quality.metric)
    models = list(quality.groups[0].scores)
    shown = quality.groups[:MOST_SCORES]
    more = len(quality.groups) - len(shown)
    paragraphs = [
        f"Test has {numbers.how_many(len(quality.groups), 'group')}, which no model saw in "
        "training. Samples of one group are alike, so intervals count groups. The group with the "
        "worst score of the student in fp32 comes first.",
    ]
    if more > 0:
        paragraphs.append(
            f"In report.json only: {numbers.how_many(more, 'group')} with better scores."
        )
    return Section(
        "Scores by group",
        paragraphs=tuple(paragraphs),
        tables=(
            Table(
                f"{numbers.capital(quality.metric)} on each group of test",
                ("Group", "Samples", *models),
                tuple(
                    row(
                        group.name,
                        f"{group.samples:,}",
                        *(_score(group.scores[model], unit) for model in models),
                    )
                    for group in shown
                ),
                sorts=True,
            ),
        ),
    )


def _score(value: float | None, unit: numbers.Unit) -> str:
    return "undefined here" if value is None else numbers.amount(value, unit)
