"""Recall that each class lost, with its interval; not drawn where classes are too many."""

from collections.abc import Iterator, Sequence

from ..records import ClassDrop, Report
from . import drawing, lost_words, numbers, rows
from .chart import Chart
from .plot import Axis, Plot, Point, Series

_MOST_CLASSES = 40
_LINE_PX = 22


def charts(report: Report) -> Iterator[Chart]:
    """The chart of the variant that ships, or is nearest to the budgets."""
    subject = rows.subject(report)
    fidelity = subject.quality.fidelity if subject and subject.quality else None
    if subject is None or fidelity is None:
        return
    drawn = [
        class_drop
        for class_drop in lost_words.worst_first(fidelity.classes)
        if class_drop.drop.value is not None
    ]
    if not 2 <= len(drawn) <= _MOST_CLASSES:
        return
    noun = lost_words.recall_noun(fidelity)[0]
    yield Chart(
        id="classes",
        title=f"Recall that each {noun} lost",
        caption=f"Teacher minus {numbers.printable(subject.name)}, over the test samples of each "
        f"{noun}, the largest loss at the top. Bars are intervals that hold for all together. "
        "Recall was lost right of 0 and gained left of it.",
        plots=(_plot(drawn),),
        missing=tuple(
            f"{class_drop.name}: {class_drop.drop.missing}"
            for class_drop in fidelity.classes
            if class_drop.drop.value is None
        ),
        alternative="; ".join(
            f"{class_drop.name}: {numbers.show(class_drop.drop, numbers.POINTS)}"
            for class_drop in drawn
        ),
    )


def _plot(drops: Sequence[ClassDrop]) -> Plot:
    """A mark for each class with the interval of its recall loss, the first class at the top."""
    points = tuple(
        Point(
            100.0 * (class_drop.drop.value or 0.0),
            float(place),
            drawing.ends(class_drop.drop, 100.0),
            told=f"{numbers.printable(class_drop.name)}: "
            f"{numbers.show(class_drop.drop, numbers.POINTS)}, "
            f"{numbers.how_many(class_drop.samples, 'test sample')}",
        )
        for place, class_drop in enumerate(drops)
    )
    return Plot(
        (Series("recall lost", drawing.look(1), points),),
        Axis("Recall lost, points", zero=True),
        drawing.lines([class_drop.name for class_drop in drops]),
        height=56.0 + _LINE_PX * len(drops),
    )
