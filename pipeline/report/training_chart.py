"""Loss and score on validation by epoch, of the teacher and each kind of student.

chart(report).missing   # ('teacher: loaded, not trained here, so it has no curve',)
"""

from collections.abc import Iterator, Sequence

from ..records import ModelRecord, Report
from . import drawing, numbers, words
from .chart import Chart
from .numbers import Unit
from .plot import Axis, Look, Plot, Point, Series

_Groups = tuple[tuple[str, Sequence[ModelRecord], Look], ...]


def chart(report: Report) -> Chart:
    """One line a model that was trained; why the others have none."""
    chosen_by = _chosen_by(report)
    unit = numbers.score_unit(chosen_by[0])
    groups = _groups(report)
    plots = tuple(_plots(groups, chosen_by, unit))
    return Chart(
        id="curves",
        title="Training",
        caption=f"Loss and {' or '.join(chosen_by)} on validation, which chooses the best epoch. "
        "The loss is the same for all of them; a distilled student minimises another one in "
        "training. One line a seed.",
        plots=plots if any(plot.series for plot in plots) else (),
        missing=tuple(
            f"{group}: {_untrained(models)}, so it has no curve"
            for group, models, _ in groups
            if not any(model.curve for model in models)
        ),
        alternative="; ".join(
            f"{group}, seed {model.seed}: {numbers.amount(model.validation_score, unit)} on "
            f"validation after {numbers.how_many(len(model.curve), 'epoch')}"
            for group, models, _ in groups
            for model in models
        ),
    )


def _groups(report: Report) -> _Groups:
    """The models by what they are; a run without a teacher has neither it nor its control."""
    taught: _Groups = (
        ("teacher", report.teachers, drawing.look(0)),
        (words.role(report), report.students, drawing.look(1)),
        ("student without teacher", report.plain_students, drawing.look(2)),
    )
    scratch = report.adaptation.scratch if report.adaptation else ()
    labelled = report.labelled_students
    return (
        *(taught if report.teachers else taught[1:2]),
        *([(words.ON_LABELLED, labelled, drawing.look(3))] if labelled else []),
        *([("student from random weights", scratch, drawing.look(4))] if scratch else []),
    )


def _plots(groups: _Groups, chosen_by: Sequence[str], unit: Unit) -> Iterator[Plot]:
    scale, epochs = drawing.scale(unit), Axis("Epoch")
    score = drawing.title(" or ".join(chosen_by), unit)
    for axis, of, height in (
        (Axis("Loss (log scale)", log=True), 0, 190.0),
        (Axis(score), 1, 210.0),
    ):
        yield Plot(
            tuple(
                Series(group, look, points, "line" if len(points) > 1 else "marks")
                for group, models, look in groups
                for model in models
                if model.curve
                for points in [_points(model, of, scale)]
            ),
            epochs,
            axis,
            height=height,
        )


def _points(model: ModelRecord, of: int, scale: float) -> tuple[Point, ...]:
    """The losses (0) or the scores (1) of a curve."""
    return tuple(
        Point(epoch.epoch, (epoch.validation_loss, scale * epoch.validation_score)[of])
        for epoch in model.curve
    )


def _chosen_by(report: Report) -> list[str]:
    """The metrics by which epochs were kept, in the order of the models."""
    models = [model for _, group, _ in _groups(report) for model in group]
    names = [model.selected_by or report.quality.metric for model in models if model.curve]
    return list(dict.fromkeys(names)) or [report.quality.metric]


def _untrained(models: Sequence[ModelRecord]) -> str:
    """Why there is no curve to draw."""
    if not models:
        return "not trained in this run"
    return " and ".join(dict.fromkeys(words.ORIGINS[model.origin] for model in models))
