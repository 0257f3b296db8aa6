"""What distillation gave, what unlabelled samples gave of it, and what int8 takes of the students.

section(report).title        # 'Gain of distillation'
by_unlabelled(report)        # 'Samples without a label gained …'; None where it was not compared
harder_to_quantize(report)   # 'Distillation is not shown to …'; None where it was not compared
"""

from collections.abc import Iterator, Sequence
from statistics import fmean

from ..records import Report
from . import numbers, words
from .sections import Section, Table, row


def section(report: Report) -> Section:
    """The gain, and the drops in int8, by seed."""
    more = (by_unlabelled(report), harder_to_quantize(report))
    return Section(
        "Gain of distillation",
        paragraphs=(words.gain(report), *filter(None, more)),
        tables=tuple(_tables(report)),
    )


def by_unlabelled(report: Report) -> str | None:
    """What the samples without a label gave by themselves, in a sentence."""
    gain, metric, data = report.quality.gain, report.quality.metric, report.data
    if gain is None or gain.by_unlabelled is None:
        return None
    found, unit = gain.by_unlabelled, numbers.score_unit(metric)
    every, labelled = (
        numbers.amount(fmean(scores), unit)
        for scores in (gain.distilled_score, gain.labelled_score)
    )
    size = numbers.show(found, numbers.lost_unit(metric))
    seeds = numbers.how_many(len(gain.seeds), "seed")
    basis = (
        f"{every} with the teacher's answers to all {data.samples('train') + data.unlabelled:,} "
        f"samples of train, {labelled} with those to the {data.samples('train'):,} labelled ones "
        f"alone, for as many steps; {seeds}, {found.method}"
    )
    unshown = "Samples without a label: no difference shown"
    if found.value is None or found.low is None or found.high is None:
        return f"{unshown}, {size} ({basis})."
    if found.low <= 0.0 <= found.high:
        return f"{unshown}, {size}, an interval that contains 0 ({basis})."
    verb = "gained" if found.value > 0.0 else "cost"
    # The interval of one seed covers the choice of test samples, not the training.
    subject = "With one seed, samples" if len(gain.seeds) == 1 else "Samples"
    return f"{subject} without a label {verb} {metric}: {size} ({basis})."


def harder_to_quantize(report: Report) -> str | None:
    """Whether distillation made the student harder to quantize, in a sentence."""
    drops, metric = report.quality.int8_drops, report.quality.metric
    if drops is None:
        return None
    unit = numbers.lost_unit(metric)
    costs = [
        f"{numbers.amount(fmean(lost), unit)} ({_changed(changed, report)})"
        for lost, changed in (
            (drops.distilled_drop, drops.distilled_changed),
            (drops.plain_drop, drops.plain_changed),
        )
    ]
    found = drops.difference
    seeds = numbers.how_many(len(drops.seeds), "seed")
    basis = (
        f"in static int8 the distilled student loses {costs[0]} of {metric} to fp32, the same "
        f"student without the teacher {costs[1]}; {seeds}, {found.method}"
    )
    if found.value is None or found.low is None or found.high is None:
        said = "Whether distillation made the student harder to quantize is not shown"
    elif found.low <= 0.0 <= found.high:
        said = "Distillation is not shown to make the student harder or easier to quantize"
    else:
        # The interval of one seed covers the choice of test samples, not the training.
        subject = "With one seed, distillation" if len(drops.seeds) == 1 else "Distillation"
        way = "harder" if found.value > 0.0 else "easier"
        said = f"{subject} made the student {way} to quantize"
    return f"{said}: the drops differ by {numbers.show(found, unit)} ({basis})."


def _changed(changed: Sequence[int], report: Report) -> str:
    asked = len(changed) * report.quality.test_samples
    return f"{sum(changed):,} of {asked:,} answers changed"


def _tables(report: Report) -> Iterator[Table]:
    quality = report.quality
    title, unit = numbers.capital(quality.metric), numbers.score_unit(quality.metric)
    if (gain := quality.gain) is not None:
        columns = {
            f"{title} with the teacher": gain.distilled_score,
            f"{title} with its answers to labelled samples alone": gain.labelled_score,
            f"{title} without": gain.plain_score,
        }
        shown = {name: scores for name, scores in columns.items() if scores}
        yield Table(
            "The same student, seed and steps, with and without the teacher",
            ("Seed", *shown),
            tuple(
                row(str(seed), *(numbers.amount(score, unit) for score in scores))
                for seed, *scores in zip(gain.seeds, *shown.values(), strict=True)
            ),
        )
    if (drops := quality.int8_drops) is not None:
        lost = numbers.lost_unit(quality.metric)
        losses = zip(drops.distilled_drop, drops.plain_drop, strict=True)
        counts = zip(drops.distilled_changed, drops.plain_changed, strict=True)
        yield Table(
            "The same students in static int8, against fp32",
            (
                "Seed",
                f"{title} lost with the teacher",
                f"{title} lost without",
                "Answers changed with the teacher",
                "Answers changed without",
            ),
            tuple(
                row(
                    str(seed),
                    *(numbers.amount(each, lost) for each in both),
                    *(f"{count:,}" for count in changed),
                )
                for seed, both, changed in zip(drops.seeds, losses, counts, strict=True)
            ),
        )
