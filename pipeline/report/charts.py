"""The charts, as plots built from a report; how they look is ``drawing`` and ``svg``.

for chart in charts(report, run / "records" / "samples"):
    chart.plots     # empty where there is nothing to draw; chart.missing says why
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...devices.onboard.stats.estimate import Estimate
from ..records import TEACHER, Report
from . import (
    adaptation,
    class_chart,
    drawing,
    numbers,
    operator_charts,
    operators,
    rows,
    runtime_chart,
    samples,
    search_chart,
    training_chart,
)
from .chart import Chart
from .numbers import BYTES, MILLISECONDS
from .plot import Axis, Look, Plot, Point, Series
from .rows import Row

_LARGEST_MARK_PX = 40
_BAR_PX = 26
PERCENTILES = (
    (1.0, "least"),
    (2.0, "p50"),
    (4.0, "p75"),
    (10.0, "p90"),
    (100.0, "p99"),
    (1_000.0, "p99.9"),
    (10_000.0, "p99.99"),
)
"""Ticks of an axis of percentiles, by 1 / (1 - p)."""


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
        *([adaptation.chart(report.adaptation, report)] if report.adaptation else []),
        training_chart.chart(report),
        *class_chart.charts(report),
        *search_chart.charts(report),
        *_operators(report),
    )


def _looks(models: Sequence[Row]) -> dict[str, Look]:
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


def _tradeoff(models: Sequence[Row], looks: dict[str, Look], metric: str) -> Chart:
    unit = numbers.score_unit(metric)
    scale = drawing.scale(unit)
    drawn = [
        (model, model.p50_ms.value, model.score.value)
        for model in models
        if model.p50_ms.value is not None and model.score.value is not None
    ]
    largest = max((model.variant.bytes for model, _, _ in drawn), default=1)
    series = tuple(
        Series(
            drawing.label(model.name),
            looks[model.name],
            (
                Point(
                    p50,
                    score * scale,
                    drawing.ends(model.p50_ms),
                    drawing.ends(model.score, scale),
                    max(8.0, _LARGEST_MARK_PX * (model.variant.bytes / largest) ** 0.5),
                    f"{numbers.printable(model.name)}: "
                    f"p50 {numbers.show(model.p50_ms, MILLISECONDS)}, "
                    f"{metric} {numbers.show(model.score, unit)}, "
                    f"file {numbers.amount(model.variant.bytes, BYTES)}",
                ),
            ),
        )
        for model, p50, score in drawn
    )
    plot = Plot(
        series,
        Axis("Latency p50, ms (log scale)", log=True),
        Axis(drawing.title(f"{metric} on test", unit)),
        height=300.0,
    )
    return Chart(
        id="tradeoff",
        title=f"{numbers.capital(metric)} against latency",
        caption="Up and to the left is better. The area of a mark is the file size; bars are "
        "intervals.",
        plots=(plot,) if drawn else (),
        missing=tuple(_why_missing(models, "p50_ms") + _why_missing(models, "score")),
        alternative="; ".join(
            f"{m.name}: p50 {numbers.show(m.p50_ms, MILLISECONDS)}, "
            f"{metric} {numbers.show(m.score, unit)}, "
            f"file {numbers.amount(m.variant.bytes, BYTES)}"
            for m in models
        ),
    )


def _latencies(models: Sequence[Row], looks: dict[str, Look], folder: Path) -> Chart:
    curves: dict[str, samples.Curve] = {}
    missing = []
    for model in models:
        pattern = model.figures.samples if model.figures else ""
        processes = samples.read(folder, pattern) if pattern else "not measured in this run"
        if isinstance(processes, str):
            missing.append(f"{model.name}: {processes}")
        else:
            curves[model.name] = samples.curve(processes)
    words = [
        f"{name}: {numbers.how_many(curve.queries, 'query', 'queries')} "
        f"in {numbers.how_many(curve.processes, 'process', 'processes')}"
        for name, curve in curves.items()
    ]
    return Chart(
        id="latency",
        title="Latency of every query",
        caption="Lower and flatter is better; a rise at the right is a slow tail. Queries of all "
        "processes are pooled. A line ends where fewer than seven queries are slower: too few to "
        "estimate a percentile.",
        plots=(latency_plot(curves, looks),) if curves else (),
        missing=tuple(missing),
        alternative="; ".join(words) or "nothing to draw",
    )


def latency_plot(curves: dict[str, samples.Curve], looks: dict[str, Look]) -> Plot:
    """Latency by percentile, a line a model."""
    return Plot(
        tuple(
            Series(
                drawing.label(name),
                looks[name],
                tuple(
                    Point(odds, ms) for odds, ms in zip(curve.odds, curve.milliseconds, strict=True)
                ),
                kind="steps",
            )
            for name, curve in curves.items()
        ),
        Axis("Percentile of queries", log=True, ticks=PERCENTILES),
        Axis("Latency, ms (log scale)", log=True),
        height=300.0,
    )


def _footprint(models: Sequence[Row], looks: dict[str, Look]) -> Chart:
    measured = [model for model in models if model.memory_bytes.value is not None]
    sizes = [Estimate.exact(m.variant.bytes, "file", "bytes") for m in models]
    memory = [model.memory_bytes for model in measured]
    plots = [_bars("Model file", models, sizes, looks)]
    if measured:
        plots.append(_bars("Peak memory over the import baseline", measured, memory, looks))
    return Chart(
        id="footprint",
        title="Size and memory",
        caption="Shorter is better. Bars on memory are ranges over processes.",
        plots=tuple(plots),
        missing=tuple(_why_missing(models, "memory_bytes")),
        alternative="; ".join(
            f"{m.name}: file {numbers.amount(m.variant.bytes, BYTES)}, "
            f"peak memory {numbers.show(m.memory_bytes, BYTES)}"
            for m in models
        ),
    )


def _bars(
    title: str, models: Sequence[Row], bytes_each: Sequence[Estimate], looks: dict[str, Look]
) -> Plot:
    """Horizontal bars, one a model, in the unit that suits the longest."""
    values = [estimate.value or 0.0 for estimate in bytes_each]
    most = max(values, default=0.0)
    divisor, unit = next((step for step in BYTES.steps if most >= step[0]), BYTES.steps[-1])
    series = tuple(
        Series(
            model.name,
            looks[model.name],
            (
                Point(
                    value / divisor,
                    float(place),
                    drawing.ends(estimate, 1 / divisor) if estimate.low != estimate.high else None,
                    text=numbers.amount(value, BYTES),
                    told=f"{numbers.printable(model.name)}: {numbers.show(estimate, BYTES)}",
                ),
            ),
            kind="bars",
            listed=False,
        )
        for place, (model, value, estimate) in enumerate(
            zip(models, values, bytes_each, strict=True)
        )
    )
    return Plot(
        series,
        Axis(unit, span=(0.0, (most or 1.0) / divisor * 1.28)),
        drawing.lines([model.name for model in models]),
        title,
        52.0 + _BAR_PX * len(models),
    )


def _operators(report: Report) -> Iterator[Chart]:
    """The time of the subject by operator type, and the roofline."""
    records = operators.shown(report)
    if not records:
        return
    subject = next(
        (record for record in records if record.name == report.verdict.nearest), records[0]
    )
    yield from operator_charts.of_file(subject)
    yield operator_charts.rooflines(records, subject)


def _why_missing(models: Sequence[Row], figure: str) -> list[str]:
    estimates: list[tuple[str, Estimate]] = [
        (model.name, getattr(model, figure)) for model in models
    ]
    return [f"{name}: {e.missing}" for name, e in estimates if e.value is None]
