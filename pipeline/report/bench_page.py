"""The page of ``bench --html``: figures with their intervals, and charts of latency. No script.

page(measured, curves, rows, sentences, notes)
"""

from collections.abc import Mapping, Sequence

from ...devices.scenarios.figures import Benchmark, Figures
from . import drawing, numbers, samples, templates
from .chart import Chart
from .charts import latency_plot
from .numbers import MILLISECONDS
from .plot import Axis, Plot, Point, Series
from .sections import Cell, Table

_LINE_PX = 56


def page(
    measured: Benchmark,
    processes: Mapping[str, Sequence[samples.Latencies]],
    rows: Sequence[tuple[str, Sequence[str]]],
    sentences: Sequence[str],
    notes: Sequence[str],
) -> str:
    """The page.

    Args:
        measured: what was measured.
        processes: raw latencies by model, an array a process.
        rows: what, and a cell a model.
        sentences: who is faster.
        notes: how it was measured.
    """
    names = tuple(model.name for model in measured.models)
    table = Table(
        "A column a model, intervals below the figures",
        ("Figure", *names),
        tuple((Cell(what), *map(_cell, cells)) for what, cells in rows),
    )
    return templates.render(
        "bench.html.jinja",
        names=names,
        table=table,
        charts=charts(measured.models, processes),
        sentences=sentences,
        notes=notes,
        warnings=measured.warnings,
    )


def charts(
    models: Sequence[Figures], processes: Mapping[str, Sequence[samples.Latencies]]
) -> tuple[Chart, Chart]:
    """Percentiles with their intervals, and every query."""
    looks = {model.name: drawing.look(at) for at, model in enumerate(models, 1)}
    curves = {name: samples.curve(arrays) for name, arrays in processes.items()}
    return (
        _percentiles(models),
        Chart(
            id="latency",
            title="Latency of every query",
            caption="Lower and flatter is better. Queries of all processes are pooled. A line ends "
            "where fewer than seven queries are slower.",
            plots=(latency_plot(curves, looks),) if curves else (),
            missing=tuple(f"{name}: no raw samples" for name in looks if name not in curves),
            alternative="; ".join(
                f"{name}: {numbers.how_many(curve.queries, 'query', 'queries')}"
                for name, curve in curves.items()
            ),
        ),
    )


def _percentiles(models: Sequence[Figures]) -> Chart:
    figures = {
        "p50": [model.p50_ms for model in models],
        "p90": [model.p90_ms for model in models],
        "p99": [model.p99_ms for model in models],
    }
    series = []
    for number, (name, estimates) in enumerate(figures.items(), 1):
        points = tuple(
            Point(
                estimate.value,
                # One above the other, so that their intervals do not cover each other.
                at + 0.22 * (number - 2),
                drawing.ends(estimate),
                told=f"{numbers.printable(model.name)}, {name}: "
                f"{numbers.show(estimate, MILLISECONDS)}",
            )
            for at, (model, estimate) in enumerate(zip(models, estimates, strict=True))
            if estimate.value is not None
        )
        if points:
            series.append(Series(name, drawing.look(number), points))
    plot = Plot(
        tuple(series),
        Axis("Latency, ms (log scale)", log=True),
        drawing.lines([model.name for model in models]),
        height=60.0 + _LINE_PX * len(models),
    )
    return Chart(
        id="percentiles",
        title="Percentiles of latency",
        caption="Left is faster. Bars are intervals over processes.",
        plots=(plot,) if series else (),
        missing=tuple(
            f"{model.name}, {name}: {estimate.missing}"
            for name, estimates in figures.items()
            for model, estimate in zip(models, estimates, strict=True)
            if estimate.value is None
        ),
        alternative="; ".join(
            f"{model.name}: p50 {numbers.show(model.p50_ms, MILLISECONDS)}" for model in models
        ),
    )


def _cell(text: str) -> Cell:
    """A figure with the interval in brackets behind it below the figure."""
    value, bracket, interval = text.partition(" (")
    if bracket and interval.endswith(")") and value and not value.startswith("unknown"):
        return Cell(value, interval.removesuffix(")"))
    return Cell(text)
