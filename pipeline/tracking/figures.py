"""What a tracking tool keeps of a run: parameters, metrics with their intervals, curves, tags.

>>> tracked = tracked_of(report)                                          # doctest: +SKIP
>>> tracked.metrics["int8-static/p50_ms"], tracked.metrics["int8-static/p50_ms_high"]
...                                                                       # doctest: +SKIP

All of it comes from the records of the report. A figure that is unknown is left out: no tool here
has a value for it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ...devices.onboard.stats.estimate import Estimate
from ..recipe.model_names import is_factory
from ..records import ModelRecord, Report
from ..report import rows
from ..report.since import leaves

_UNSAFE = re.compile(r"[^\w.\-/]")
"""What MLflow or TensorBoard refuses in the name of a metric."""
_SEEN = ("measured", "exact")


class Point(NamedTuple):
    """A value of a curve.

    Attributes:
        epoch: counted from 1.
        seconds: since the training began.
        value: of the curve.
    """

    epoch: int
    seconds: float
    value: float


@dataclass(frozen=True, slots=True)
class Tracked:
    """A run as tracking tools keep it.

    Attributes:
        name: of the recipe.
        created: when the report was written.
        parameters: the recipe's values as text by dotted key, ``distill.temperature``.
        metrics: figures by ``<model>/<figure>``; the ends of an interval have ``_low`` and
            ``_high`` behind the figure's name.
        curves: of trainings, by ``<model>/<curve>``.
        tags: the verdict, the commit and the versions.
    """

    name: str
    created: datetime
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    curves: Mapping[str, tuple[Point, ...]]
    tags: Mapping[str, str]


def tracked_of(report: Report) -> Tracked:
    """The parameters, figures, curves and tags of a run's report."""
    return Tracked(
        name=report.name,
        created=datetime.fromisoformat(report.created),
        parameters=_parameters(report.recipe),
        metrics={_safe(name): value for name, value in _metrics(report)},
        curves={_safe(name): points for name, points in _curves(report)},
        tags=_tags(report),
    )


def _parameters(recipe: Mapping[str, object]) -> dict[str, str]:
    """All values by key; without the width of a function of the user's, which does not take it."""
    found = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in leaves(recipe)
    }
    unused = {
        f"{key.removesuffix('model')}width"
        for key, value in found.items()
        if key.endswith(".model") and is_factory(value)
    }
    return {key: value for key, value in found.items() if key not in unused}


def _metrics(report: Report) -> Iterator[tuple[str, float]]:
    for row in rows.models(report):
        figures = row.estimates
        if row.figures is not None:
            figures["instructions"] = row.figures.instructions
        if row.quality is not None:
            others = (one for one in row.quality.metrics.items() if one[1] != row.score)
            figures |= {name: value for name, value in others if name not in figures}
        for name, estimate in figures.items():
            yield from _with_ends(f"{row.name}/{name}", estimate)
        yield f"{row.name}/file_bytes", float(row.variant.bytes)
    gain = report.quality.gain
    if gain is not None:
        yield from _with_ends("distillation/gain", gain.difference)


def _with_ends(name: str, estimate: Estimate) -> Iterator[tuple[str, float]]:
    if estimate.value is None:
        return
    if estimate.kind not in _SEEN:
        # A tool shows a bare number: that it was not measured has to stand in its name.
        name = f"{name}_{estimate.kind}"
    yield name, estimate.value
    if estimate.low is not None and estimate.high is not None:
        yield f"{name}_low", estimate.low
        yield f"{name}_high", estimate.high


def _curves(report: Report) -> Iterator[tuple[str, tuple[Point, ...]]]:
    groups: dict[str, Sequence[ModelRecord]] = {
        "teacher": report.teachers,
        "student": report.students,
        "student without teacher": report.plain_students,
        "student of labelled samples": report.labelled_students,
    }
    for group, models in groups.items():
        for number, model in enumerate(models):
            # Teachers of an ensemble may have one seed, as they may have one kind.
            several = f" {number + 1}" if group == "teacher" else f" seed {model.seed}"
            yield from _curves_of(f"{group}{several if len(models) > 1 else ''}", model)


def _curves_of(name: str, model: ModelRecord) -> Iterator[tuple[str, tuple[Point, ...]]]:
    if not model.curve:
        return
    kept = {"loss": "loss", "validation_loss": "validation_loss"}
    kept["validation_score"] = f"validation_{model.selected_by or 'score'}"
    for field, shown in kept.items():
        seconds, points = 0.0, []
        for epoch in model.curve:
            seconds += epoch.seconds
            points.append(Point(epoch.epoch, seconds, getattr(epoch, field)))
        yield f"{name}/{shown}", tuple(points)


def _tags(report: Report) -> dict[str, str]:
    verdict = report.verdict
    tags = {
        "edgestill.outcome": verdict.outcome,
        "edgestill.why": verdict.why,
        "edgestill.version": report.edgestill,
        "edgestill.target": report.measured.target,
        "edgestill.measured_on": report.measured.measured_on,
        "edgestill.task": report.data.task,
    }
    if verdict.ship is not None:
        tags["edgestill.ships"] = verdict.ship
    if report.commit is not None:
        tags["mlflow.source.git.commit"] = report.commit.sha
        tags["edgestill.commit_changed"] = str(report.commit.changed).lower()
    return tags | {f"library.{name}": version for name, version in report.libraries.items()}


def _safe(name: str) -> str:
    return _UNSAFE.sub("_", name)
