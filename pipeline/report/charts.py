"""The four charts, as plotly figures built from a report; how they look is ``drawing``.

for chart in charts(report, run / "records" / "samples"):
chart.figure    # None where there is nothing to draw; chart.missing says why
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ...devices.stats import Estimate
from ..records import ModelRecord, Report
from . import drawing, numbers, rows, samples
from .numbers import BYTES, MILLISECONDS, PERCENT
from .rows import Row

_LARGEST_MARKER_PX = 46


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart and the words that go with it.

    Attributes:
        id: of its element in the page.
        title: what it answers.
        caption: how to read it.
        figure: None where there is nothing to draw.
        missing: what is not drawn and why, empty where all is.
        alternative: the same in words, for who cannot see it.
    """

    id: str
    title: str
    caption: str
    figure: go.Figure | None
    missing: tuple[str, ...]
    alternative: str


def charts(report: Report, folder: Path) -> tuple[Chart, ...]:
    """The charts in reading order.

    Args:
        report: the figures.
        folder: where the raw latencies lie, as ``samples.read`` expects them.
    """
    models = rows.models(report)
    looks = {model.name: drawing.look(index) for index, model in enumerate(models)}
    return (
        _tradeoff(models, looks),
        _latencies(models, looks, folder),
        _footprint(models, looks),
        _training(report),
    )


def _tradeoff(models: Sequence[Row], looks: dict[str, drawing.Look]) -> Chart:
    drawn = [each for each in models if _known(each.p50_ms) and _known(each.accuracy)]
    largest = max((each.variant.bytes for each in drawn), default=1)
    figure = go.Figure()
    for model in drawn:
        look = looks[model.name]
        size = numbers.amount(model.variant.bytes, BYTES)
        figure.add_trace(
            go.Scatter(
                x=[model.p50_ms.value],
                y=[_percent(model.accuracy.value)],
                error_x=drawing.error_bars([model.p50_ms]),
                error_y=drawing.error_bars([model.accuracy], 100.0),
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
                    f"accuracy {numbers.show(model.accuracy, PERCENT)}",
                    f"file {size}",
                ),
            )
        )
    figure.update_xaxes(title="Latency p50, ms (log scale)", **drawing.log_axis())
    figure.update_yaxes(title="Accuracy on test, %")
    return Chart(
        id="tradeoff",
        title="Accuracy against latency",
        caption="Up and to the left is better. The area of a mark is the size of the file; bars "
        "are intervals.",
        figure=drawing.laid_out(figure) if drawn else None,
        missing=tuple(_why_missing(models, "p50_ms") + _why_missing(models, "accuracy")),
        alternative="; ".join(
            f"{m.name}: p50 {numbers.show(m.p50_ms, MILLISECONDS)}, "
            f"accuracy {numbers.show(m.accuracy, PERCENT)}, "
            f"file {numbers.amount(m.variant.bytes, BYTES)}"
            for m in models
        ),
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
        caption="Lower and flatter is better: a rise at the right is a slow tail. Queries of all "
        "processes pooled; each line ends where fewer than seven queries are slower, because "
        "beyond that luck decides.",
        figure=drawing.laid_out(figure) if words else None,
        missing=tuple(missing),
        alternative="; ".join(words) or "nothing to draw",
    )


def _footprint(models: Sequence[Row], looks: dict[str, drawing.Look]) -> Chart:
    figure = make_subplots(
        rows=2,
        cols=1,
        vertical_spacing=0.26,
        subplot_titles=("Model file", "Peak memory over the import baseline"),
    )
    measured = [each for each in models if _known(each.memory_bytes)]
    _stack(figure, 1, models, [Estimate.exact(m.variant.bytes, "file") for m in models], looks)
    _stack(figure, 2, measured, [each.memory_bytes for each in measured], looks)
    return Chart(
        id="footprint",
        title="Size and memory",
        caption="Shorter is better. Bars on memory are intervals over processes.",
        figure=drawing.laid_out(figure),
        missing=tuple(_why_missing(models, "memory_bytes")),
        alternative="; ".join(
            f"{m.name}: file {numbers.amount(m.variant.bytes, BYTES)}, "
            f"peak memory {numbers.show(m.memory_bytes, BYTES)}"
            for m in models
        ),
    )


def _stack(
    figure: go.Figure,
    line: int,
    models: Sequence[Row],
    bytes_each: Sequence[Estimate],
    looks: dict[str, drawing.Look],
) -> None:
    """Horizontal bars, one a model, in the unit that suits the longest."""
    values = [each.value or 0.0 for each in bytes_each]
    most = max(values, default=0.0)
    divisor, unit = next((step for step in BYTES.steps if most >= step[0]), BYTES.steps[-1])
    figure.add_trace(
        go.Bar(
            x=[value / divisor for value in values],
            y=[drawing.label(each.name) for each in models],
            error_x=drawing.error_bars(bytes_each, 1 / divisor),
            orientation="h",
            text=[f"  {numbers.amount(value, BYTES)}" for value in values],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [looks[each.name].colour for each in models]},
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
    groups: tuple[tuple[str, Sequence[ModelRecord], drawing.Look], ...] = (
        ("teacher", (report.teacher,), drawing.look(0)),
        ("distilled student", report.students, drawing.look(1)),
        ("student without teacher", report.plain_students, drawing.look(2)),
    )
    missing = []
    for group, models, look in groups:
        trained = [each for each in models if each.curve]
        if not trained:
            missing.append(f"{group}: loaded or not trained in this run, so it has no curve")
        for index, model in enumerate(trained):
            for trace, line in _curves(model, group, look):
                trace.showlegend = index == 0 and line == 1
                figure.add_trace(trace, row=line, col=1)
    figure.update_xaxes(title="Epoch", row=2, col=1)
    figure.update_yaxes(title="Loss (log scale)", **drawing.log_axis(), row=1, col=1)
    figure.update_yaxes(title="Accuracy, %", row=2, col=1)
    return Chart(
        id="training",
        title="Training",
        caption="Loss and accuracy on validation, which all three are judged by alike: the loss "
        "that a distilled student minimises is not the plain one. One line a seed.",
        figure=drawing.laid_out(figure) if figure.data else None,
        missing=tuple(missing),
        alternative="; ".join(
            f"{group}, seed {each.seed}: {numbers.amount(each.validation_accuracy, PERCENT)} on "
            f"validation after {numbers.how_many(len(each.curve), 'epoch')}"
            for group, models, _ in groups
            for each in models
        ),
    )


def _curves(model: ModelRecord, group: str, look: drawing.Look) -> Iterator[tuple[go.Scatter, int]]:
    epochs = [each.epoch for each in model.curve]
    shown = {
        "name": group,
        "legendgroup": group,
        "mode": "lines+markers" if len(epochs) == 1 else "lines",
        "line": {"color": look.colour, "dash": look.dash, "width": 2.5},
    }
    what = f"seed {model.seed}, epoch %{{x}}"
    losses = [each.validation_loss or None for each in model.curve]
    yield go.Scatter(x=epochs, y=losses, hovertemplate=f"{what}: loss %{{y:.3g}}", **shown), 1
    accuracies = [100 * each.validation_accuracy for each in model.curve]
    yield go.Scatter(x=epochs, y=accuracies, hovertemplate=f"{what}: %{{y:.1f}} %", **shown), 2


def _known(estimate: Estimate) -> bool:
    return estimate.value is not None


def _why_missing(models: Sequence[Row], figure: str) -> list[str]:
    estimates: list[tuple[str, Estimate]] = [(each.name, getattr(each, figure)) for each in models]
    return [f"{name}: {e.missing}" for name, e in estimates if e.value is None]


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100.0 * fraction
