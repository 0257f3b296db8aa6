"""Which classes are taken for which: of the variant that ships, or is nearest, and the teacher.

section(report).tables[0].caption   # 'What fp32 takes for something else most often'
"""

from collections.abc import Iterator, Sequence

from ..records import Report, VariantQuality
from . import numbers, rows
from .numbers import PERCENT
from .sections import Cell, Matrix, Section, Table, figure, row

TITLE = "Confusion matrix"
_MOST = 20
"""Pairs in the table; the matrix has all."""

Counts = Sequence[Sequence[int]]


def section(report: Report) -> Section | None:
    """The matrix, the pairs that are confused most often, and each class; None where not counted.

    Another task has none, neither have more than fifty classes, nor runs of older versions.
    """
    subject = rows.subject(report)
    quality = subject.quality if subject else None
    if quality is None or quality.confusion is None:
        return None
    labels = report.quality.labels
    total = sum(map(sum, quality.confusion))
    return Section(
        TITLE,
        paragraphs=(
            f"{quality.name} on {numbers.how_many(total, 'test sample')}: a row is a true class, a "
            "column an answer. A darker field is a larger share of its row.",
        ),
        tables=(_pairs(report, quality, labels), _classes(quality, labels)),
        matrix=Matrix(f"Answers of {quality.name} by true class", labels, quality.confusion),
    )


def _pairs(report: Report, quality: VariantQuality, labels: Sequence[str]) -> Table:
    found = quality.confusion or ()
    teacher = report.quality.teacher.confusion if report.quality.teacher else None
    pairs = sorted(_confused(found), key=lambda pair: -pair[0])[:_MOST]
    head = ("True class", "Taken for", "Samples", "Of the class")
    return Table(
        f"What {quality.name} takes for something else most often",
        (*head, "By the teacher") if teacher else head,
        tuple(
            row(
                labels[truth],
                labels[answer],
                _counted(count),
                Cell(
                    numbers.amount(count / sum(found[truth]), PERCENT),
                    value=count / sum(found[truth]),
                ),
                *([_counted(teacher[truth][answer])] if teacher else []),
            )
            for count, truth, answer in pairs
        ),
        sorts=True,
    )


def _confused(found: Counts) -> Iterator[tuple[int, int, int]]:
    """Samples, true class and answer, where these differ."""
    for truth, line in enumerate(found):
        for answer, count in enumerate(line):
            if count and answer != truth:
                yield count, truth, answer


def _classes(quality: VariantQuality, labels: Sequence[str]) -> Table:
    found = quality.confusion or ()
    return Table(
        f"Each class of test, answered by {quality.name}",
        ("Class", "Samples", "Right", "Recall", "Answered with it", "Most often taken for"),
        tuple(
            row(
                label,
                _counted(sum(found[at])),
                _counted(found[at][at]),
                _recall(quality, at),
                _counted(sum(line[at] for line in found)),
                _most_often(found[at], at, labels),
            )
            for at, label in enumerate(labels)
        ),
        sorts=True,
    )


def _recall(quality: VariantQuality, at: int) -> Cell:
    recall = quality.metrics.get(f"recall[{at}]")
    return figure(recall, PERCENT) if recall else Cell("undefined here")


def _most_often(line: Sequence[int], truth: int, labels: Sequence[str]) -> str:
    wrong = [(count, answer) for answer, count in enumerate(line) if answer != truth and count]
    if not wrong:
        return "none"
    count, answer = max(wrong, key=lambda one: (one[0], -one[1]))
    return f"{labels[answer]} ({count:,})"


def _counted(count: int) -> Cell:
    return Cell(f"{count:,}", value=count)
