"""What the student lost of the teacher: answers, classes, calibration.

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
    "Calibration error is the mean distance between a model's confidence, its largest probability, "
    "and its accuracy (Guo et al. 2017), in bins of equal count. It is biased both ways. Upwards: "
    "small bins differ from their confidence by chance; the error that chance alone gives is shown "
    "beside each. Downwards: too high and too low confidence within a bin cancel (Kumar et al. "
    "2019). Overconfidence is mean confidence minus accuracy."
)


def section(report: Report, pictures: Mapping[int, str] | str = {}) -> Section:
    """The section.

    Args:
        report: what to show.
        pictures: data URIs by row of test, or why there are none; the rows without are a table.
    """
    subject = rows.subject(report)
    known = {
        quality.name: quality.fidelity for quality in report.quality.variants if quality.fidelity
    }
    if subject is None or subject.name not in known:
        reason = "Unknown: the teacher's answers on test are not known."
        return Section(TITLE, paragraphs=(reason,))
    name, own = subject.name, known[subject.name]
    sentences = [lost_words.changed(report), lost_words.worst_class(report)]
    paragraphs = [sentence for sentence in sentences if sentence]
    if own.student_calibration:
        paragraphs.append(_CALIBRATION)
    if own.changed and own.changed.examples and isinstance(pictures, str):
        paragraphs.append(f"No pictures: {pictures}.")
    shown: Mapping[int, str] = {} if isinstance(pictures, str) else pictures
    examples = own.changed.examples if own.changed else ()
    tables = [_side_by_side(known)]
    if own.classes:
        tables.append(_classes(name, own.classes, lost_words.recall_noun(own)[0]))
    if rest := [example for example in examples if example.sample not in shown]:
        tables.append(_examples(report, name, rest))
    drawn = [
        _picture(report, name, example, shown[example.sample])
        for example in examples
        if example.sample in shown
    ]
    gallery = Gallery(_surest(name), tuple(drawn)) if drawn else None
    return Section(TITLE, tuple(paragraphs), tables=tuple(tables), gallery=gallery)


def _side_by_side(known: Mapping[str, Fidelity]) -> Table:
    """The figures of every variant, and the teacher's where it has them."""
    fidelities = list(known.values())
    return Table(
        "Each variant against the teacher, on test",
        ("Figure", "teacher", *known),
        tuple(row(name, *cells) for name, cells in _lines(fidelities)),
    )


def _lines(fidelities: Sequence[Fidelity]) -> Iterator[tuple[str, list[Cell]]]:
    first, reference = fidelities[0], Cell("reference")
    task = tasks.of(first.task)
    if task.agreement_figure is None:
        agreements = [figure(fidelity.agreement, PERCENT) for fidelity in fidelities]
        yield task.agreement_title, [reference, *agreements]
    for name in first.figures:
        compared = task.fidelity_figures[name]
        unit = numbers.metric_unit(compared.unit)
        values = [figure(fidelity.figures.get(name, _NONE), unit) for fidelity in fidelities]
        yield compared.title, [reference, *values]
    calibrations = [
        first.teacher_calibration,
        *(fidelity.student_calibration for fidelity in fidelities),
    ]
    if any(calibrations):
        yield "Calibration error", [_error(calibration) for calibration in calibrations]
        yield "Overconfidence", [_overconfidence(calibration) for calibration in calibrations]
    if first.classes:
        noun = lost_words.recall_noun(first)[0]
        yield (
            f"Largest recall loss of a {noun}",
            [reference, *(_worst(fidelity) for fidelity in fidelities)],
        )
    if first.changed:
        yield "Answers changed", [reference, *(_changed(fidelity) for fidelity in fidelities)]


_NONE = Estimate.unknown("not found for this variant")


def _error(calibration: Calibration | None) -> Cell:
    if calibration is None:
        return Cell("unknown")
    chance = f"{numbers.amount(calibration.by_chance, PERCENT)} by chance alone"
    return Cell(
        numbers.amount(calibration.error, PERCENT),
        f"{chance}, {numbers.how_many(calibration.bins, 'bin')}",
    )


def _overconfidence(calibration: Calibration | None) -> Cell:
    if calibration is None:
        return Cell("unknown")
    points = f"{100.0 * calibration.overconfidence:+.1f}"
    if points in ("+0.0", "-0.0"):
        return Cell("0.0 points")
    return Cell(
        f"{points} points",
        f"too {'confident' if calibration.overconfidence > 0.0 else 'uncertain'} on test, "
        f"{numbers.NO_INTERVAL}",
    )


def _worst(fidelity: Fidelity) -> Cell:
    drop = figure(fidelity.worst_drop, POINTS)
    if fidelity.worst_class is None:
        return drop
    return Cell(drop.text, ", ".join(filter(None, (repr(fidelity.worst_class), drop.detail))))


def _changed(fidelity: Fidelity) -> Cell:
    changed = fidelity.changed
    if changed is None:
        return Cell("unknown")
    total = changed.lost + changed.won + changed.both_wrong
    return Cell(f"{total:,} of {fidelity.samples:,}", lost_words.split(changed))


def _classes(name: str, classes: Sequence[ClassDrop], noun: str) -> Table:
    ordered = lost_words.worst_first(classes)
    hidden = len(ordered) - _MOST_CLASSES
    caption = f"Recall of each {noun}, teacher against {name}, largest loss first"
    caption += "; the intervals hold for all of them together"
    if hidden > 0:
        caption += f"; {hidden:,} more are in report.json"
    return Table(
        caption,
        (numbers.capital(noun), "Test samples", "Teacher", name, "Lost"),
        tuple(
            row(
                class_drop.name,
                f"{class_drop.samples:,}",
                _share(class_drop.teacher_recall),
                _share(class_drop.student_recall),
                figure(class_drop.drop, POINTS),
            )
            for class_drop in ordered[:_MOST_CLASSES]
        ),
        sorts=True,
    )


def _share(recall: float | None) -> str:
    return "unknown" if recall is None else numbers.amount(recall, PERCENT)


def _surest(name: str) -> str:
    return f"Answers that {name} changed, highest confidence of both models first"


def _examples(report: Report, name: str, examples: Sequence[Example]) -> Table:
    return Table(
        _surest(name),
        ("Row of test", "Truth", "Teacher", name),
        tuple(
            row(f"{example.sample:,}", *(_named(report, of) for of in _answers(example)))
            for example in examples
        ),
    )


def _picture(report: Report, name: str, example: Example, source: str) -> Picture:
    truth, teacher, student = (_named(report, of) for of in _answers(example))
    return Picture(
        source,
        f"Row {example.sample:,} of test",
        (("truth", truth), ("teacher", teacher), (name, student)),
    )


def _answers(example: Example) -> tuple[tuple[int, ...], ...]:
    return example.truth, example.reference, example.answer


def _named(report: Report, answer: tuple[int, ...]) -> str:
    """An answer as the task shows it, such as the names of its classes."""
    return tasks.of(report.data.task).shown_answer(answer, report.data.labels)
