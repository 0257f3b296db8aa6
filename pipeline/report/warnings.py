"""What a reader must know before the first figure, of answers and data; and of the measurement.

first(report)           # ("fp32: class 'rare' is never found (12 test samples)", …)
of_measurement(report)  # ("fp32: 3 of 20 processes …",), below the figures
"""

from collections.abc import Iterator

from .. import tasks
from ..records import Report, Split
from . import numbers, rows
from .alike import together

MOST_SHARE = 0.75
"""From above this share of one class data counts as skewed: the answer that never looks is right
in three of four cases or more."""
MOST_RATIO = 5.0
"""Of the largest class to the smallest, from above which it does, too. Of two classes the smaller
then has less than 17 %; below 20 % imbalance is usually called moderate, below 1 % extreme."""
MOST_STRAY = 0.1
"""Samples without a label over those with one, up to which they may be an accident."""
_NAMED = 10
"""Classes that a warning lists."""


def first(report: Report) -> tuple[str, ...]:
    """The warnings that stand above all figures."""
    return (
        *_nothing_learned(report),
        *_skewed(report),
        *_stray(report),
        *report.data.warnings,
        *(warning for teacher in report.teachers for warning in teacher.warnings),
        *report.quality.remarks,
    )


def of_measurement(report: Report) -> tuple[str, ...]:
    """What disturbed the measurement, below the figures: intervals and verdict allow for it.

    What was the matter with several models alike is one line; the record has a line for each.
    """
    benchmark = report.measured.benchmark
    return together(benchmark.warnings, {model.name for model in benchmark.models})


def _nothing_learned(report: Report) -> Iterator[str]:
    """Classes, labels or numbers of which the variant that ships (or is nearest) learned nothing.

    Both what is never answered and what is only answered wrongly.
    """
    subject, task = rows.subject(report), tasks.of(report.data.task)
    if subject is None or subject.quality is None:
        return
    noun, plural = task.output_noun or ("output", "outputs")
    for metric in task.reported:
        if metric.nothing is None:
            continue
        least, what = metric.nothing
        figures = subject.quality.metrics
        lost = [
            number
            for number in range(len(report.data.labels))
            if (figure := figures.get(f"{metric.name}[{number}]")) is not None
            and figure.value is not None
            and figure.value <= least
        ]
        names = [_named(report, number) for number in lost[:_NAMED]]
        if len(lost) == 1:
            yield f"{subject.name}: {noun} {names[0]} is {what}"
        elif lost:
            more = f" and {len(lost) - _NAMED:,} more" if len(lost) > _NAMED else ""
            all_of = f"{len(lost):,} of {len(report.data.labels):,} {plural}"
            yield f"{subject.name}: {all_of} are {what}: {', '.join(names)}{more}"


def _named(report: Report, number: int) -> str:
    name = repr(report.data.labels[number])
    counts = report.data.counts.get("test")
    return f"{name} ({numbers.how_many(counts[number], 'test sample')})" if counts else name


def _skewed(report: Report) -> Iterator[str]:
    """Data of which one class has nearly all, so that a share of right answers says little."""
    data, task = report.data, tasks.of(report.data.task)
    if not task.exclusive:
        return
    splits: tuple[Split, ...] = ("train", "test")
    for split in splits:
        counts = [count for count in data.counts.get(split, ()) if count]
        if len(counts) < 2:
            continue
        share, ratio = max(counts) / sum(counts), max(counts) / min(counts)
        if share <= MOST_SHARE and ratio <= MOST_RATIO:
            continue
        largest, smallest = (
            data.labels[data.counts[split].index(pick(counts))] for pick in (max, min)
        )
        percent = numbers.amount(share, numbers.PERCENT)
        of = numbers.how_many(min(counts), "sample")
        yield (
            f"skewed data: {percent} of {split} is {largest!r}, {ratio:,.3g} times as much as "
            f"{smallest!r} ({of}), so {report.quality.metric} says little of rare classes"
            f"{_way_out(report, task)}"
        )
        return


def _stray(report: Report) -> Iterator[str]:
    """A few numbers that are missing among labels: samples without a label, or an accident."""
    data, told = report.data, report.recipe.get("data")
    named = isinstance(told, dict) and told.get("unlabelled")
    if tasks.of(data.task).exclusive or named or not data.unlabelled:
        return
    labelled = data.samples("train")
    if data.unlabelled <= MOST_STRAY * labelled:
        yield (
            f"{numbers.how_many(data.unlabelled, 'sample')} of train beside {labelled:,} "
            "have no label (empty or NaN): the student learns the teacher's answers to them; "
            "where that is not meant, mend the labels"
        )


def _way_out(report: Report, task: tasks.Task) -> str:
    """Of the two settings that help, those that the recipe does not have."""
    keys = {check.key.partition(".")[0] for one in report.verdict.variants for check in one.checks}
    guarded = keys & {metric.key for metric in task.reported[1:]}
    distill = report.recipe.get("distill")
    weighted = isinstance(distill, dict) and distill.get("class_weights")
    budget = task.named(task.weighted_by).key
    hints = [
        *([] if guarded else [f"a budget gate.{budget}"]),
        *([] if weighted else ["teacher.class_weights and distill.class_weights = true"]),
    ]
    return f"; consider {' and '.join(hints)}" if hints else ""
