"""What the student lost of the teacher, in sentences; ``lost`` has the tables.

    worst_class(report)
    # "The largest loss of recall observed is in class 'cat': of its 45 test samples …"

Of all variants the one that ships, or the nearest to the budgets, is spoken of.
"""

import math
from collections.abc import Iterable

from .. import tasks
from ..records import Changed, ClassDrop, Fidelity, Report
from . import numbers, rows


def recall_noun(fidelity: Fidelity) -> tuple[str, str]:
    """What recall is measured of, singular and plural."""
    return tasks.of(fidelity.task).recall_noun or ("class", "classes")


def worst_first(classes: Iterable[ClassDrop]) -> list[ClassDrop]:
    """Classes by the recall that they lost, those without samples last."""
    return sorted(classes, key=lambda one: math.inf if (d := one.drop.value) is None else -d)


def split(changed: Changed) -> str:
    """Changed answers by who was right."""
    return f"{changed.lost:,} lost, {changed.won:,} won, {changed.both_wrong:,} wrong in both"


def changed(report: Report) -> str | None:
    """How many of the teacher's answers the subject changes; None where that is not known."""
    subject = rows.subject(report)
    fidelity = subject.quality.fidelity if subject and subject.quality else None
    if subject is None or fidelity is None or fidelity.changed is None:
        return None
    found = fidelity.changed
    total = found.lost + found.won + found.both_wrong
    if not total:
        return f"{subject.name} answers all {fidelity.samples:,} test samples as the teacher does."
    right = tasks.of(fidelity.task).right_answer
    when_right = f" {right}" if right else ""
    return (
        f"{subject.name} answers {total:,} of {fidelity.samples:,} test samples otherwise than the "
        f"teacher: {found.lost:,} lost (the teacher was right), {found.won:,} won (the teacher was "
        f"wrong and {subject.name} is right), {found.both_wrong:,} wrong in both.{when_right}"
    )


def worst_class(report: Report) -> str | None:
    """Where the subject lost the most recall, and whether that is shown; None without classes."""
    subject = rows.subject(report)
    fidelity = subject.quality.fidelity if subject and subject.quality else None
    if subject is None or fidelity is None or fidelity.worst_class is None:
        return None
    noun, plural = recall_noun(fidelity)
    one = next(each for each in fidelity.classes if each.name == fidelity.worst_class)
    if one.drop.value is None or one.drop.value <= 0.0:
        return f"{subject.name} finds no {noun} less often than the teacher does."
    recalls = [
        numbers.amount(recall or 0.0, numbers.PERCENT)
        for recall in (one.teacher_recall, one.student_recall)
    ]
    lost = [each for each in fidelity.classes if each.drop.low is not None and each.drop.low > 0.0]
    shown = (
        f"Of {len(lost):,} of {len(fidelity.classes):,} {plural} a loss is shown: their intervals, "
        "which hold for all together, lie above 0."
        if lost
        else f"The intervals, which hold for all {plural} together, reach 0: that any {noun} lost "
        "recall is not shown."
    )
    return (
        f"The largest loss of recall observed is in {noun} {one.name!r}: of its "
        f"{numbers.how_many(one.samples, 'test sample')} the teacher finds {recalls[0]}, "
        f"{subject.name} {recalls[1]}, a loss of {numbers.show(one.drop, numbers.POINTS)}. {shown}"
    )
