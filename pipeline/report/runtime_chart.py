"""Latency of each variant in each runtime; no chart where there is one runtime only."""

from collections.abc import Iterator

import plotly.graph_objects as go

from ..records import Report
from . import drawing, numbers, rows, runtimes
from .chart import Chart
from .numbers import MILLISECONDS
from .rows import Row


def charts(report: Report) -> Iterator[Chart]:
    """A mark for each variant, one look a runtime, a line a method."""
    if not rows.several_runtimes(report):
        return
    models = rows.variants(report)
    drawn = [model for model in models if model.p50_ms.value is not None]
    methods = list(dict.fromkeys(model.variant.method for model in drawn))
    by_runtime: dict[str, list[Row]] = {}
    for model in drawn:
        by_runtime.setdefault(runtimes.title_of(model.variant), []).append(model)
    figure = go.Figure()
    for index, (runtime, those) in enumerate(by_runtime.items(), 1):
        figure.add_trace(_trace(runtime, those, methods, drawing.look(index)))
    figure = drawing.laid_out(figure)
    figure.update_xaxes(title="Latency p50, ms (log scale)", **drawing.log_axis())
    # By number, for plotly would read a name as markup, a date or a number.
    figure.update_yaxes(
        tickvals=list(range(len(methods))),
        ticktext=[drawing.label(method) for method in methods],
        range=[len(methods) - 0.5, -0.5],
    )
    yield Chart(
        id="by-runtime",
        title="Latency in each runtime",
        caption="Left is faster. Bars are intervals.",
        figure=figure if drawn else None,
        missing=tuple(
            f"{model.name}: {model.p50_ms.missing}" for model in models if model not in drawn
        ),
        alternative="; ".join(
            f"{runtimes.in_runtime(model.variant)}: {numbers.show(model.p50_ms, MILLISECONDS)}"
            for model in drawn
        ),
        height=9.0 + 2.2 * len(methods),
    )


def _trace(runtime: str, models: list[Row], methods: list[str], look: drawing.Look) -> go.Scatter:
    return go.Scatter(
        x=[model.p50_ms.value for model in models],
        y=[methods.index(model.variant.method) for model in models],
        error_x=drawing.error_bars([model.p50_ms for model in models]),
        mode="markers",
        name=drawing.label(runtime),
        marker={"symbol": look.symbol, "size": 12, "color": look.colour},
        customdata=[
            drawing.hover(
                runtimes.in_runtime(model.variant),
                f"p50 {numbers.show(model.p50_ms, MILLISECONDS)}",
            )
            for model in models
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
