"""What differs from the run before: verdict, recipe, and the figures of what both runs have.

    section(report, earlier).title      # 'Since the last run'

Runs are measured at different times, so no ratio is formed: the figures stand side by side with
their intervals, and where these lie apart that is said. A run that was judged again has the
measurement of the one before, and that is said instead.
"""

import json
from collections.abc import Iterator, Mapping

from ...devices.onboard.stats.estimate import Estimate
from ..records import Report
from . import numbers, rows, words
from .numbers import BYTES, MILLISECONDS, Unit
from .rows import Row
from .sections import Cell, Section, Table, figure, row

TITLE = "Since the last run"
_MOST_KEYS = 20
_ONE_MEASUREMENT = "Both are verdicts on the same measurement; nothing was measured again."
_TWO_MEASUREMENTS = (
    "The runs were measured at different times, so a difference of latency may be the machine's. "
    "`edgestill compare` measures two models in turn."
)


def section(report: Report, earlier: Report) -> Section:
    """The section.

    Args:
        report: of this run.
        earlier: of a run of the same name before it.
    """
    changed = list(_changed(earlier.recipe, report.recipe))
    more = len(changed) - _MOST_KEYS
    return Section(
        TITLE,
        paragraphs=(
            f"The run before was built {earlier.created} by edgestill {earlier.edgestill}. Then: "
            f"{words.headline(earlier)}. Now: {words.headline(report)}.",
            _ONE_MEASUREMENT if earlier.measured == report.measured else _TWO_MEASUREMENTS,
            *([] if changed else ["The recipe is the same."]),
        ),
        tables=tuple(_tables(report, earlier, changed)),
        points=(f"{numbers.how_many(more, 'more key')} in recipe.toml.",) if more > 0 else (),
    )


def _tables(
    report: Report, earlier: Report, changed: list[tuple[str, str, str]]
) -> Iterator[Table]:
    if changed:
        yield Table(
            "Keys of the recipe that differ",
            ("Key", "Then", "Now"),
            tuple(row(*each) for each in changed[:_MOST_KEYS]),
        )
    before = {model.name: model for model in rows.models(earlier)}
    lines = [
        row(model.name, what, figure(then, unit), figure(now, unit), _apart(then, now))
        for model in rows.models(report)
        if model.name in before
        for what, then, now, unit in _figures(before[model.name], model, report)
    ]
    if lines:
        yield Table(
            "Figures of models that both runs have",
            ("Model", "Figure", "Then", "Now", "Intervals"),
            tuple(lines),
            sorts=True,
        )
    names = [model.name for model in rows.models(report)]
    only = [row(name, "only then") for name in before if name not in names]
    only += [row(name, "only now") for name in names if name not in before]
    if only:
        yield Table("Models that one run has", ("Model", "In which"), tuple(only))


def _figures(then: Row, now: Row, report: Report) -> Iterator[tuple[str, Estimate, Estimate, Unit]]:
    metric = report.quality.metric
    yield metric, then.score, now.score, numbers.score_unit(metric)
    yield "latency p50", then.p50_ms, now.p50_ms, MILLISECONDS
    yield "peak memory", then.memory_bytes, now.memory_bytes, BYTES
    yield "file size", _size(then), _size(now), BYTES


def _size(model: Row) -> Estimate:
    return Estimate.exact(model.variant.bytes, "file size", "bytes")


def _apart(then: Estimate, now: Estimate) -> Cell:
    """Whether two figures are shown to differ."""
    ends = (then.low, then.high, now.low, now.high)
    if any(end is None for end in ends):
        return Cell("unknown")
    low, high, at_least, at_most = (end or 0.0 for end in ends)
    if (low, high) == (at_least, at_most):
        return Cell("the same")
    return Cell("apart" if high < at_least or at_most < low else "overlap")


def _changed(
    then: Mapping[str, object], now: Mapping[str, object]
) -> Iterator[tuple[str, str, str]]:
    """Keys whose values differ, with both values."""
    before, after = flat(then), flat(now)
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield key, before.get(key, "not set"), after.get(key, "not set")


def flat(tree: Mapping[str, object]) -> dict[str, str]:
    """A recipe's values as JSON by their whole keys."""
    return {key: json.dumps(value, ensure_ascii=False) for key, value in leaves(tree)}


def leaves(tree: Mapping[str, object], start: str = "") -> Iterator[tuple[str, object]]:
    """A recipe's values by their whole keys, ``distill.temperature``."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{start}{key}.")
        else:
            yield f"{start}{key}", value
