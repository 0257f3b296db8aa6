"""The charts, as plotly figures built from a report; how they look is ``drawing``.

for chart in charts(report, run / "records" / "samples"):
chart.figure    # None where there is nothing to draw; chart.missing says why
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ...devices.onboard.stats.estimate import Estimate
from ..judge.operator_types import by_type, slowest
from ..records import TEACHER, ClassDrop, ModelRecord, Report
from . import (
    drawing,
    lost_words,
    numbers,
    operator_charts,
    operators,
    rows,
    runtime_chart,
    samples,
    words,
)
from .chart import Chart
from .numbers import BYTES, MILLISECONDS, Unit
from .rows import Row

_LARGEST_MARKER_PX = 46
_MOST_CLASSES = 40
_USUAL = 5
"""Models that a chart of the usual height has room for."""


def charts(report: Report, folder: Path) -> tuple[Chart, ...]:
    """The charts in reading order.

    Args:
        report: the figures.
        folder: where the raw latencies lie, as ``samples.read`` expects them.
    """
    models = rows.models(report)
    looks = _looks(models)
    return (
        *runtime_chart.charts(report),
        _tradeoff(models, looks, report.quality.metric),
        _latencies(models, looks, folder),
        _footprint(models, looks),
        _training(report),
        *_classes(report),
        *_operators(report),
    )


def _looks(models: Sequence[Row]) -> dict[str, drawing.Look]:
    """One look a model; of several runtimes the method has the colour, the format the rest."""
    variants = [model.variant for model in models if model.name != TEACHER]
    methods = list(dict.fromkeys(variant.method for variant in variants))
    formats = list(dict.fromkeys(variant.format for variant in variants))
    looks = {TEACHER: drawing.look(0)}
    for variant in variants:
        place = methods.index(variant.method) + 1
        kind = formats.index(variant.format) + 1 if len(formats) > 1 else place
        looks[variant.name] = drawing.look(place, kind)
    return looks


def _room(models: Sequence[Row], each: float) -> float:
    """The height of a chart whose legend or bars have a line a model."""
    return 26.0 + each * max(0, len(models) - _USUAL)


def _tradeoff(models: Sequence[Row], looks: dict[str, drawing.Look], metric: str) -> Chart:
    unit = numbers.score_unit(metric)
    scale = _scale(unit)
    drawn = [model for model in models if _known(model.p50_ms) and _known(model.score)]
    largest = max((model.variant.bytes for model in drawn), default=1)
    figure = go.Figure()
    for model in drawn:
        look = looks[model.name]
        size = numbers.amount(model.variant.bytes, BYTES)
        figure.add_trace(
            go.Scatter(
                x=[model.p50_ms.value],
                y=[_scaled(model.score.value, scale)],
                error_x=drawing.error_bars([model.p50_ms]),
                error_y=drawing.error_bars([model.score], scale),
                mode="markers",
                name=f"{drawing.label(model.name)}, {size}",
                marker={
                    "symbol": look.symbol,
                    "size": max(9.0, _LARGEST_MARKER_PX * (model.variant.bytes / largest) ** 0.5),
                    "color": look.colour,
                    "opacity": 0.75,
                    "line": {"width": 1.5, "color": look.colour},
                },
                hovertemplate=drawing.hover(
                    f"p50 {numbers.show(model.p50_ms, MILLISECONDS)}",
                    f"{metric} {numbers.show(model.score, unit)}",
                    f"file {size}",
                ),
            )
        )
    figure.update_xaxes(title="Latency p50, ms (log scale)", **drawing.log_axis())
    figure.update_yaxes(title=_axis(f"{metric} on test", unit))
    return Chart(
        id="tradeoff",
        title=f"{numbers.capital(metric)} against latency",
        caption="Up and to the left is better. The area of a mark is the file size; bars are "
        "intervals.",
        figure=drawing.laid_out(figure) if drawn else None,
        missing=tuple(_why_missing(models, "p50_ms") + _why_missing(models, "score")),
        alternative="; ".join(
            f"{m.name}: p50 {numbers.show(m.p50_ms, MILLISECONDS)}, "
            f"{metric} {numbers.show(m.score, unit)}, "
            f"file {numbers.amount(m.variant.bytes, BYTES)}"
            for m in models
        ),
        height=_room(models, 1.4),
    )


def _latencies(models: Sequence[Row], looks: dict[str, drawing.Look], folder: Path) -> Chart:
    figure = go.Figure()
    missing, words = [], []
    for model in models:
        pattern = model.figures.samples if model.figures else ""
        processes = samples.read(folder, pattern) if pattern else "not measured in this run"
        if isinstance(processes, str):
            missing.append(f"{model.name}: {processes}")
            continue
        curve = samples.curve(processes)
        look = looks[model.name]
        figure.add_trace(
            go.Scatter(
                x=curve.odds,
                y=curve.milliseconds,
                mode="lines",
                name=drawing.label(model.name),
                line={"color": look.colour, "dash": look.dash, "width": 2.5, "shape": "hv"},
                customdata=[f"p{100 * (1 - 1 / odds):.4g}" for odds in curve.odds],
                hovertemplate="%{customdata}: %{y:.3~g} ms",
            )
        )
        queries = numbers.how_many(curve.queries, "query", "queries")
        words.append(f"{model.name}: {queries} in {curve.processes} processes")
    figure.update_xaxes(
        title="Percentile of queries",
        type="log",
        tickvals=[1, 2, 4, 10, 100, 1000, 10_000],
        ticktext=["fastest", "p50", "p75", "p90", "p99", "p99.9", "p99.99"],
    )
    figure.update_yaxes(title="Latency, ms (log scale)", **drawing.log_axis())
    return Chart(
        id="latency",
        title="Latency of every query",
        caption="Lower and flatter is better; a rise at the right is a slow tail. Queries of all "
        "processes are pooled. A line ends where fewer than seven queries are slower: too few to "
        "estimate a percentile.",
        figure=drawing.laid_out(figure) if words else None,
        missing=tuple(missing),
        alternative="; ".join(words) or "nothing to draw",
        height=_room(models, 1.0),
    )


def _footprint(models: Sequence[Row], looks: dict[str, drawing.Look]) -> Chart:
    figure = make_subplots(
        rows=2,
        cols=1,
        vertical_spacing=0.26,
        subplot_titles=("Model file", "Peak memory over the import baseline"),
    )
    measured = [model for model in models if _known(model.memory_bytes)]
    _stack(
        figure, 1, models, [Estimate.exact(m.variant.bytes, "file", "bytes") for m in models], looks
    )
    _stack(figure, 2, measured, [model.memory_bytes for model in measured], looks)
    return Chart(
        id="footprint",
        title="Size and memory",
        caption="Shorter is better. Bars on memory are ranges over processes.",
        figure=drawing.laid_out(figure),
        missing=tuple(_why_missing(models, "memory_bytes")),
        alternative="; ".join(
            f"{m.name}: file {numbers.amount(m.variant.bytes, BYTES)}, "
            f"peak memory {numbers.show(m.memory_bytes, BYTES)}"
            for m in models
        ),
        height=_room(models, 2.6),
    )


def _stack(
    figure: go.Figure,
    line: int,
    models: Sequence[Row],
    bytes_each: Sequence[Estimate],
    looks: dict[str, drawing.Look],
) -> None:
    """Horizontal bars, one a model, in the unit that suits the longest."""
    values = [figure.value or 0.0 for figure in bytes_each]
    most = max(values, default=0.0)
    divisor, unit = next((step for step in BYTES.steps if most >= step[0]), BYTES.steps[-1])
    figure.add_trace(
        go.Bar(
            x=[value / divisor for value in values],
            y=[drawing.label(model.name) for model in models],
            error_x=drawing.error_bars(bytes_each, 1 / divisor),
            orientation="h",
            text=[f"  {numbers.amount(value, BYTES)}" for value in values],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [looks[model.name].colour for model in models]},
            hovertemplate="%{y}: %{text}<extra></extra>",
            showlegend=False,
        ),
        row=line,
        col=1,
    )
    figure.update_xaxes(title=unit, range=[0, most / divisor * 1.2], row=line, col=1)
    figure.update_yaxes(autorange="reversed", row=line, col=1)


def _training(report: Report) -> Chart:
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1)
    chosen_by = _chosen_by(report)
    unit = numbers.score_unit(chosen_by[0])
    groups: tuple[tuple[str, Sequence[ModelRecord], drawing.Look], ...] = (
        ("teacher", report.teachers, drawing.look(0)),
        ("distilled student", report.students, drawing.look(1)),
        ("student without teacher", report.plain_students, drawing.look(2)),
    )
    missing = []
    for group, models, look in groups:
        trained = [model for model in models if model.curve]
        if not trained:
            missing.append(f"{group}: {_untrained(models)}, so it has no curve")
        for index, model in enumerate(trained):
            for trace, line in _curves(model, group, look, unit):
                trace.showlegend = index == 0 and line == 1
                figure.add_trace(trace, row=line, col=1)
    figure.update_xaxes(title="Epoch", row=2, col=1)
    figure.update_yaxes(title="Loss (log scale)", **drawing.log_axis(), row=1, col=1)
    figure.update_yaxes(title=_axis(" or ".join(chosen_by), unit), row=2, col=1)
    return Chart(
        id="training",
        title="Training",
        caption=f"Loss and {' or '.join(chosen_by)} on validation, which chooses the best epoch. "
        "The loss is the same for all three; a distilled student minimises another one in "
        "training. One line a seed.",
        figure=drawing.laid_out(figure) if figure.data else None,
        missing=tuple(missing),
        alternative="; ".join(
            f"{group}, seed {model.seed}: {numbers.amount(model.validation_score, unit)} on "
            f"validation after {numbers.how_many(len(model.curve), 'epoch')}"
            for group, models, _ in groups
            for model in models
        ),
    )


def _chosen_by(report: Report) -> list[str]:
    """The metrics by which epochs were kept, in the order of the models."""
    models = (*report.teachers, *report.students, *report.plain_students)
    names = [model.selected_by or report.quality.metric for model in models if model.curve]
    return list(dict.fromkeys(names)) or [report.quality.metric]


def _untrained(models: Sequence[ModelRecord]) -> str:
    """Why there is no curve to draw."""
    if not models:
        return "not trained in this run"
    return " and ".join(dict.fromkeys(words.ORIGINS[model.origin] for model in models))


def _classes(report: Report) -> Iterator[Chart]:
    """Recall lost by class, where there are few enough to tell apart."""
    subject = rows.subject(report)
    fidelity = subject.quality.fidelity if subject and subject.quality else None
    if subject is None or fidelity is None:
        return
    drawn = [
        class_drop
        for class_drop in lost_words.worst_first(fidelity.classes)
        if _known(class_drop.drop)
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
        figure=_class_drops(drawn),
        missing=tuple(
            f"{class_drop.name}: {class_drop.drop.missing}"
            for class_drop in fidelity.classes
            if not _known(class_drop.drop)
        ),
        alternative="; ".join(
            f"{class_drop.name}: {numbers.show(class_drop.drop, numbers.POINTS)}"
            for class_drop in drawn
        ),
        height=max(11.0, 6.0 + 1.4 * len(drawn)),
    )


def _class_drops(drops: Sequence[ClassDrop]) -> go.Figure:
    """A mark for each class with the interval of its recall loss, the first class at the top."""
    places, look = list(range(len(drops))), drawing.look(1)
    figure = go.Figure(
        go.Scatter(
            x=[_scaled(class_drop.drop.value, 100.0) for class_drop in drops],
            y=places,
            error_x=drawing.error_bars([class_drop.drop for class_drop in drops], 100.0),
            mode="markers",
            marker={"symbol": look.symbol, "size": 9, "color": look.colour},
            customdata=[
                drawing.hover(
                    class_drop.name,
                    numbers.show(class_drop.drop, numbers.POINTS),
                    numbers.how_many(class_drop.samples, "test sample"),
                )
                for class_drop in drops
            ],
            hovertemplate="%{customdata}<extra></extra>",
            showlegend=False,
        )
    )
    figure = drawing.laid_out(figure)
    figure.update_xaxes(
        title="Recall lost, points", zeroline=True, zerolinewidth=2, zerolinecolor=drawing.GREY
    )
    # By number, for two long names may look alike once they are short.
    figure.update_yaxes(
        tickvals=places,
        ticktext=[drawing.label(class_drop.name) for class_drop in drops],
        range=[len(drops) - 0.4, -0.6],
    )
    return figure


def _operators(report: Report) -> Iterator[Chart]:
    """The time of the subject by operator type, and the roofline."""
    records = operators.shown(report)
    if not records:
        return
    subject = next(
        (record for record in records if record.name == report.verdict.nearest), records[0]
    )
    kinds = by_type(subject.operators)
    yield Chart(
        id="operators",
        title="Time by type of operator",
        caption=f"Of {numbers.printable(subject.name)}. Operators of one type together.",
        figure=operator_charts.shares(kinds),
        missing=(),
        alternative="; ".join(f"{kind.op}: {kind.share:.1%}" for kind in kinds),
        height=6.0 + 1.6 * min(len(kinds), operator_charts.BARS + 1),
    )
    yield Chart(
        id="roofline",
        title="Roofline of the operators",
        caption="A mark is an operator; its area is its share of the query. The lines are this "
        "machine's limits: memory bandwidth where they rise, arithmetic where they are flat. "
        "Operators above them read their data from a cache.",
        figure=operator_charts.roofline(records),
        missing=operator_charts.why_not_placed(records),
        alternative="; ".join(
            f"{operator.name}: {operator.attained:.0%} of the roofline"
            for operator in slowest(subject.operators, 5)
            if operator.attained is not None
        )
        or "nothing to draw",
    )


def _curves(
    model: ModelRecord, group: str, look: drawing.Look, unit: Unit
) -> Iterator[tuple[go.Scatter, int]]:
    epochs = [epoch.epoch for epoch in model.curve]
    shown = {
        "name": group,
        "legendgroup": group,
        "mode": "lines+markers" if len(epochs) == 1 else "lines",
        "line": {"color": look.colour, "dash": look.dash, "width": 2.5},
    }
    what = f"seed {model.seed}, epoch %{{x}}"
    losses = [epoch.validation_loss or None for epoch in model.curve]
    yield go.Scatter(x=epochs, y=losses, hovertemplate=f"{what}: loss %{{y:.3g}}", **shown), 1
    scores = [_scale(unit) * epoch.validation_score for epoch in model.curve]
    yield go.Scatter(x=epochs, y=scores, hovertemplate=f"{what}: %{{y:.4g}}", **shown), 2


def _known(estimate: Estimate) -> bool:
    return estimate.value is not None


def _why_missing(models: Sequence[Row], figure: str) -> list[str]:
    estimates: list[tuple[str, Estimate]] = [
        (model.name, getattr(model, figure)) for model in models
    ]
    return [f"{name}: {e.missing}" for name, e in estimates if e.value is None]


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else scale * value


def _scale(unit: Unit) -> float:
    """What a value is multiplied with to stand in the unit."""
    return 1.0 / unit.steps[-1][0]


def _axis(what: str, unit: Unit) -> str:
    name = unit.steps[-1][1]
    return f"{numbers.capital(what)}{', ' if name else ''}{name}"
