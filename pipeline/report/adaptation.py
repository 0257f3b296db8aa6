"""What a start from weights of other data gave, beside the same student from random weights.

section(report.adaptation, report).title   # 'Adaptation'
sentence(report.adaptation, report)
# 'The adapted student needs 15 steps to reach the validation accuracy that the same student …'
"""

from collections.abc import Iterator
from statistics import fmean

from ..judge.adaptation_steps import scores_of
from ..records import AdaptationRecord, Compared, ModelRecord, Report
from . import drawing, numbers
from .chart import Chart
from .numbers import PERCENT
from .plot import Axis, Plot, Point, Series
from .sections import Cell, Section, Table, figure, row

TITLE = "Adaptation"
TUNED = {
    "frozen": "the new last layer alone is trained (a linear probe)",
    "partly": "the new last layer and the later half of the other layers are trained",
    "whole": "all layers are trained (fine-tuning)",
}
_GROUPS = ("adapted", "from random weights")


def sentence(made: AdaptationRecord, report: Report) -> str:
    """The steps to the same score, and the score after all of them."""
    return " ".join([_steps(made), *_by_its_own(made, report), _after_all(made, report)])


def brief(made: AdaptationRecord) -> str:
    """The steps to the same score, in a line."""
    share, total = made.steps_share.value, f"{made.total_steps:,} steps"
    if share is None:
        return (
            f"adapted: {total} do not reach the validation {made.metric} that as many from random "
            "weights give"
        )
    return (
        f"adapted: {share * made.total_steps:,.0f} steps reach the validation {made.metric} that "
        f"{total} from random weights give"
    )


def _steps(made: AdaptationRecord) -> str:
    total = f"{made.total_steps:,} steps"
    who = (
        f"the validation {made.metric} that the same student, trained from random weights, has "
        f"after {total}"
    )
    seeds = numbers.how_many(len(made.reached), "seed")
    share = made.steps_share
    if share.value is None:
        return f"The adapted student does not reach {who}: {share.missing}."
    mean = f"{share.value * made.total_steps:,.0f} steps"
    part = f"{numbers.show(share, PERCENT)} of these"
    return f"The adapted student needs {mean} to reach {who}: {part} ({seeds})."


def _by_its_own(made: AdaptationRecord, report: Report) -> Iterator[str]:
    """The shortest complete schedule with which every seed reaches the score, or the longest."""
    if not made.shorter:
        return
    enough = [one for one in made.shorter if one.reaches == len(one.validation_scores)]
    if enough:
        shown = min(enough, key=lambda one: one.steps)
        share = _share(shown.steps / made.total_steps)
        yield f"A complete schedule of {shown.steps:,} steps ({share}) gives it that in every seed."
    else:
        shown = max(made.shorter, key=lambda one: one.steps)
        yield f"No complete schedule of up to {shown.steps:,} steps gives it that in every seed."
    if shown.difference.value is not None:
        metric = report.quality.metric
        found = numbers.show(shown.difference, numbers.lost_unit(metric))
        yield (
            f"After {shown.steps:,} steps its {metric} on test minus that of random weights after "
            f"all {made.total_steps:,} is {found}."
        )


def _after_all(made: AdaptationRecord, report: Report) -> str:
    metric = report.quality.metric
    unit, lost = numbers.score_unit(metric), numbers.lost_unit(metric)
    means = (
        f"{numbers.amount(fmean(made.adapted_score), unit)} and "
        f"{numbers.amount(fmean(made.scratch_score), unit)}"
    )
    size, found = numbers.show(made.difference, lost), made.difference
    basis = f"in PyTorch; {found.method}"
    if found.value is None or found.low is None or found.high is None:
        shown = "no difference shown"
    elif found.low <= 0.0 <= found.high:
        shown = "no difference shown, an interval that contains 0"
    else:
        shown = "the adapted one is better" if found.value > 0.0 else "the adapted one is worse"
    return f"After all steps their {metric} on test is {means}: {shown}, {size} ({basis})."


def section(made: AdaptationRecord, report: Report) -> Section:
    """Steps and samples to the same score, by seed."""
    start = made.start
    model = report.variants.student
    return Section(
        TITLE,
        paragraphs=(
            f"The student started from weights that were trained on other data (SHA-256 "
            f"{start.weights_sha256[:16]}…); its last layer, {start.head}, was made anew, and "
            f"{TUNED[start.tune]}: {start.trained_parameters:,} of "
            f"{numbers.count(model.parameters)} parameters.{_fitted(made)}",
            sentence(made, report),
            "Both are trained by one schedule. The student from random weights counts at its "
            "best epoch; the adapted one at the first step that was scored, while its learning "
            "rate is still high, so that a schedule of its own may take fewer"
            + ("." if made.shorter else ": `edgestill adapt --steps` tries some."),
        ),
        tables=tuple(_tables(made, report)),
    )


def _fitted(made: AdaptationRecord) -> str:
    """What the new last layer was before the first step."""
    start = made.start
    if not start.head_samples:
        return ""
    return (
        f" Before the first step the new layer was fitted on the features of "
        f"{numbers.how_many(start.head_samples, 'labelled sample')}; this counts as "
        f"{numbers.how_many(start.head_steps, 'step')}."
    )


def _tables(made: AdaptationRecord, report: Report) -> Iterator[Table]:
    metric, score = numbers.score_unit(made.metric), numbers.score_unit(report.quality.metric)
    title, lost = numbers.capital(report.quality.metric), numbers.lost_unit(report.quality.metric)

    def compared(amount: int, share: float, one: Compared) -> tuple[Cell, ...]:
        return row(
            f"{amount:,}",
            _share(share),
            numbers.amount(fmean(one.validation_scores), metric),
            numbers.amount(fmean(one.test_scores), score),
            figure(one.difference, lost),
            Cell(f"{one.reaches:,} of {len(one.validation_scores):,}"),
        )

    yield Table(
        f"Steps to the validation {made.metric} of the student from random weights, of "
        f"{made.total_steps:,} steps of {made.batch_size:,} samples",
        (
            "Seed",
            "Score to reach",
            "Steps",
            "Samples seen",
            "Share of the steps",
            f"{title} on test, adapted",
            f"{title} on test, from random weights",
        ),
        tuple(
            row(
                str(one.seed),
                numbers.amount(one.target, metric),
                "never" if one.steps is None else f"{one.steps:,}",
                "never" if one.steps is None else f"{_seen(one.steps, made):,}",
                "never" if one.steps is None else _share(one.steps / made.total_steps),
                numbers.amount(adapted, score),
                numbers.amount(scratch, score),
            )
            for one, adapted, scratch in zip(
                made.reached, made.adapted_score, made.scratch_score, strict=True
            )
        ),
    )
    yield Table(
        "On average over seeds",
        ("Figure", "Value"),
        (
            row("Share of the steps to the same score", figure(made.steps_share, PERCENT)),
            row(
                f"{title} on test after all steps, adapted minus from random weights",
                figure(made.difference, lost),
            ),
        ),
    )
    if made.shorter:
        yield Table(
            f"Adapted by complete schedules of fewer steps, of {made.total_steps:,}",
            (
                "Steps",
                "Share",
                f"Validation {made.metric}",
                f"{title} on test",
                "On test, minus random weights",
                "Seeds that reach the student from random weights after all steps",
            ),
            tuple(compared(one.steps, one.steps / made.total_steps, one) for one in made.shorter),
        )
    if made.fewer:
        yield Table(
            f"Adapted to fewer labelled samples in as many steps, of {made.samples:,}",
            (
                "Samples",
                "Share",
                f"Validation {made.metric}",
                f"{title} on test",
                "On test, minus random weights",
                "Seeds that reach the student from random weights on all samples",
            ),
            tuple(compared(one.samples, one.share, one) for one in made.fewer),
        )


def _seen(steps: int, made: AdaptationRecord) -> int:
    """Samples that so many steps show, and the fit of the last layer before them."""
    start = made.start
    return start.head_samples + (steps - start.head_steps) * made.batch_size


def _share(value: float) -> str:
    return numbers.amount(value, PERCENT)


def chart(made: AdaptationRecord, report: Report) -> Chart:
    """The score on validation by step, one line a seed and start."""
    unit = numbers.score_unit(made.metric)
    groups = tuple(zip(_GROUPS, (report.students, made.scratch), (1, 3), strict=True))
    series = tuple(
        Series(name, drawing.look(place), _points(model, drawing.scale(unit)), "line")
        for name, models, place in groups
        for model in models
    )
    return Chart(
        id="adaptation",
        title="Steps to the same score",
        caption=f"{numbers.capital(made.metric)} on validation after a number of steps, by one "
        "schedule for both. One line a seed.",
        plots=(
            Plot(
                series,
                Axis(f"Steps of {made.batch_size:,} samples (log scale)", log=True),
                Axis(drawing.title(f"{made.metric} on validation", unit)),
                height=260.0,
            ),
        ),
        missing=(),
        alternative=sentence(made, report),
    )


def _points(model: ModelRecord, scale: float) -> tuple[Point, ...]:
    return tuple(Point(one.step, scale * one.score) for one in scores_of(model))
