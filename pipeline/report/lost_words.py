"""What the student lost of the teacher, in sentences; ``lost`` has the tables.

    worst_class(report)
    # "The largest loss of recall observed is in class 'cat': of its 45 test samples …"

Each sentence is about the variant that ships, or else the one nearest to the budgets.
"""

import math
from collections.abc import Iterable

from .. import tasks
from ..records import Changed, ClassDrop, Fidelity, Report
from . import numbers, rows, shift_words

_MOST_NAMED = 5


def left_out(report: Report) -> str | None:
    """Which classes, labels or numbers a mean leaves out; None where it is over all of them."""
    names, task = report.quality.left_out, tasks.of(report.data.task)
    if not names or task.output_noun is None:
        return None
    total, plural = len(report.data.labels), task.output_noun[1]
    shown = [repr(name) for name in names[:_MOST_NAMED]]
    if len(names) > _MOST_NAMED:
        shown.append(f"{len(names) - _MOST_NAMED:,} more")
    why = task.why_left_out[len(names) > 1]
    return (
        f"{task.left_out_of} over {total - len(names):,} of {total:,} {plural}: "
        f"{', '.join(shown)} {why} in test."
    )


def recall_noun(fidelity: Fidelity) -> tuple[str, str]:
    """What recall is measured of, singular and plural."""
    return tasks.of(fidelity.task).recall_noun or ("class", "classes")


def worst_first(classes: Iterable[ClassDrop]) -> list[ClassDrop]:
    """Classes by the recall that they lost, those without samples last."""
    return sorted(
        classes, key=lambda class_drop: math.inf if (d := class_drop.drop.value) is None else -d
    )


def split(changed: Changed) -> str:
    """Changed answers by who was right."""
    return f"{changed.lost:,} lost, {changed.won:,} won, {changed.both_wrong:,} wrong in both"


def changed(report: Report) -> str | None:
    """How many of the teacher's answers the subject changes; None where that is not known."""
    subject = rows.subject(report)
    fidelity = subject.quality.fidelity if subject and subject.quality else None
    if subject is None or fidelity is None:
        return None
    if fidelity.changed is None:
        # Numbers and vectors are not right or wrong: what is known is how far they moved.
        if fidelity.shift is None:
            return None
        apart = shift_words.sentence(fidelity.shift, report.data)
        return f"{subject.name} against the teacher: {apart}."
    answers = fidelity.changed
    total = answers.lost + answers.won + answers.both_wrong
    if not total:
        return (
            f"{subject.name} gives the teacher's answer on all {fidelity.samples:,} test samples."
        )
    right = tasks.of(fidelity.task).right_answer
    when_right = f" {right}" if right else ""
    return (
        f"{subject.name} differs from the teacher on {total:,} of {fidelity.samples:,} test "
        f"samples: {answers.lost:,} lost (the teacher is right), {answers.won:,} won ("
        f"{subject.name} is right), {answers.both_wrong:,} wrong in both.{when_right}"
    )


def worst_class(report: Report) -> str | None:
    """Where the subject lost the most recall, and whether that is shown; None without classes."""
    subject = rows.subject(report)
    fidelity = subject.quality.fidelity if subject and subject.quality else None
    if subject is None or fidelity is None or fidelity.worst_class is None:
        return None
    noun, plural = recall_noun(fidelity)
    worst = next(
        class_drop for class_drop in fidelity.classes if class_drop.name == fidelity.worst_class
    )
    if worst.drop.value is None or worst.drop.value <= 0.0:
        return f"{subject.name} loses recall on test in no {noun}."
    recalls = [
        numbers.amount(recall or 0.0, numbers.PERCENT)
        for recall in (worst.teacher_recall, worst.student_recall)
    ]
    lows = [class_drop.drop.low for class_drop in fidelity.classes]
    lost = sum(low is not None and low > 0.0 for low in lows)
    shown = (
        f"A loss is shown for {lost:,} of {len(lows):,} {plural}: their intervals, which hold for "
        "all of them together, lie above 0."
        if lost
        else f"No loss is shown for any {noun}: no interval, which hold for all {plural} together, "
        "lies above 0."
    )
    return (
        f"The largest loss of recall observed is in {noun} {worst.name!r}: the teacher finds "
        f"{recalls[0]} of its {numbers.how_many(worst.samples, 'test sample')}, {subject.name} "
        f"{recalls[1]}. That of whichever {noun} is the worst is "
        f"{numbers.show(fidelity.worst_drop, numbers.POINTS)}. {shown}"
    )
