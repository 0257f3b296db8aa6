"""What the student lost of the teacher: which answers, in which classes, and how surely.

section(report).title   # 'What the student lost of the teacher'
"""

from collections.abc import Iterator, Mapping, Sequence

from ...devices.onboard.stats.estimate import Estimate
from .. import tasks
from ..records import Calibration, ClassDrop, Example, Fidelity, Report
from . import lost_words, numbers, rows
from .numbers import PERCENT, POINTS
from .sections import Cell, Gallery, Picture, Section, Table, figure, row

TITLE = "What the student lost of the teacher"
_MOST_CLASSES = 30
_CALIBRATION = (
    "Calibration error is how far a model's confidence, its largest probability, is from how often "
    "it is right (Guo et al. 2017), in bins of equal count. It is biased both ways. Upwards: bins "
    "of few samples differ from their confidence by chance, so what chance alone would give stands "
    "beside each. Downwards: what is too sure and too unsure within one bin cancels (Kumar et al. "
    "2019). Overconfidence is mean confidence minus accuracy."
)


def section(report: Report, pictures: Mapping[int, str] | str = {}) -> Section:
    """The section.

    Args:
        report: what to show.
        pictures: data URIs by row of test, or why there are none; the rows without are a table.
    """
    subject = rows.subject(report)
    known = {each.name: each.fidelity for each in report.quality.variants if each.fidelity}
    if subject is None or subject.name not in known:
        reason = "Unknown: the teacher's answers on test are not known."
        return Section(TITLE, paragraphs=(reason,))
    name, own = subject.name, known[subject.name]
    sentences = [lost_words.changed(report), lost_words.worst_class(report)]
    paragraphs = [each for each in sentences if each]
    if own.student_calibration:
        paragraphs.append(_CALIBRATION)
    if own.changed and own.changed.examples and isinstance(pictures, str):
        paragraphs.append(f"No pictures: {pictures}.")
    shown: Mapping[int, str] = {} if isinstance(pictures, str) else pictures
    examples = own.changed.examples if own.changed else ()
    tables = [_side_by_side(known)]
    if own.classes:
        tables.append(_classes(name, own.classes, lost_words.recall_noun(own)[0]))
    if rest := [each for each in examples if each.sample not in shown]:
        tables.append(_examples(report, name, rest))
    drawn = [
        _picture(report, name, each, shown[each.sample])
        for each in examples
        if each.sample in shown
    ]
    gallery = Gallery(_surest(name), tuple(drawn)) if drawn else None
    return Section(TITLE, tuple(paragraphs), tables=tuple(tables), gallery=gallery)


def _side_by_side(known: Mapping[str, Fidelity]) -> Table:
    """Every variant's figures; the teacher's where it has one of its own."""
    each = list(known.values())
    return Table(
        "Each variant held against the teacher, on test",
        ("Figure", "teacher", *known),
        tuple(row(name, *cells) for name, cells in _lines(each)),
    )


def _lines(each: Sequence[Fidelity]) -> Iterator[tuple[str, list[Cell]]]:
    first, reference = each[0], Cell("reference")
    task = tasks.of(first.task)
    if task.agreement_figure is None:
        agreements = [figure(one.agreement, PERCENT) for one in each]
        yield task.agreement_title, [reference, *agreements]
    for name in first.figures:
        compared = task.fidelity_figures[name]
        unit = numbers.metric_unit(compared.unit)
        values = [figure(one.figures.get(name, _NONE), unit) for one in each]
        yield compared.title, [reference, *values]
    calibrations = [first.teacher_calibration, *(one.student_calibration for one in each)]
    if any(calibrations):
        yield "Calibration error", [_error(one) for one in calibrations]
        yield "Overconfidence", [_overconfidence(one) for one in calibrations]
    if first.classes:
        noun = lost_words.recall_noun(first)[0]
        yield f"Recall lost by the worst hit {noun}", [reference, *(_worst(one) for one in each)]
    if first.changed:
        yield "Answers changed", [reference, *(_changed(one) for one in each)]


_NONE = Estimate.unknown("not found for this variant")


def _error(one: Calibration | None) -> Cell:
    if one is None:
        return Cell("unknown")
    chance = f"{numbers.amount(one.by_chance, PERCENT)} by chance alone"
    return Cell(
        numbers.amount(one.error, PERCENT), f"{chance}, {numbers.how_many(one.bins, 'bin')}"
    )


def _overconfidence(one: Calibration | None) -> Cell:
    if one is None:
        return Cell("unknown")
    points = f"{100.0 * one.overconfidence:+.1f}"
    if points in ("+0.0", "-0.0"):
        return Cell("0.0 points")
    return Cell(f"{points} points", "too sure" if one.overconfidence > 0.0 else "too unsure")


def _worst(one: Fidelity) -> Cell:
    drop = figure(one.worst_drop, POINTS)
    if one.worst_class is None:
        return drop
    return Cell(drop.text, ", ".join(filter(None, (repr(one.worst_class), drop.detail))))


def _changed(one: Fidelity) -> Cell:
    changed = one.changed
    if changed is None:
        return Cell("unknown")
    total = changed.lost + changed.won + changed.both_wrong
    return Cell(f"{total:,} of {one.samples:,}", lost_words.split(changed))


def _classes(name: str, classes: Sequence[ClassDrop], noun: str) -> Table:
    ordered = lost_words.worst_first(classes)
    hidden = len(ordered) - _MOST_CLASSES
    caption = f"Recall of each {noun}, teacher against {name}, the worst hit first"
    if hidden > 0:
        caption += f"; {hidden:,} more stand in report.json"
    return Table(
        caption,
        (numbers.capital(noun), "Test samples", "Teacher", name, "Lost"),
        tuple(
            row(
                one.name,
                f"{one.samples:,}",
                _share(one.teacher_recall),
                _share(one.student_recall),
                figure(one.drop, POINTS),
            )
            for one in ordered[:_MOST_CLASSES]
        ),
    )


def _share(recall: float | None) -> str:
    return "unknown" if recall is None else numbers.amount(recall, PERCENT)


def _surest(name: str) -> str:
    return f"Answers that {name} changed, those first in which both models are surest"


def _examples(report: Report, name: str, examples: Sequence[Example]) -> Table:
    return Table(
        _surest(name),
        ("Row of test", "Truth", "Teacher", name),
        tuple(
            row(f"{one.sample:,}", *(_named(report, of) for of in _answers(one)))
            for one in examples
        ),
    )


def _picture(report: Report, name: str, one: Example, source: str) -> Picture:
    truth, teacher, student = (_named(report, of) for of in _answers(one))
    return Picture(
        source,
        f"Row {one.sample:,} of test",
        (("truth", truth), ("teacher", teacher), (name, student)),
    )


def _answers(one: Example) -> tuple[tuple[int, ...], ...]:
    return one.truth, one.reference, one.answer


def _named(report: Report, answer: tuple[int, ...]) -> str:
    """An answer as the task shows it, such as the names of its classes."""
    return tasks.of(report.data.task).shown_answer(answer, report.data.labels)
