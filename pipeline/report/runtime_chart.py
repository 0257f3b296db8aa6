"""Latency of each variant in each runtime; no chart where there is one runtime only."""

from collections.abc import Iterator

from ..records import Report
from . import drawing, numbers, rows, runtimes
from .chart import Chart
from .numbers import MILLISECONDS
from .plot import Axis, Look, Plot, Point, Series
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
    plot = Plot(
        tuple(
            _series(runtime, those, methods, drawing.look(index))
            for index, (runtime, those) in enumerate(by_runtime.items(), 1)
        ),
        Axis("Latency p50, ms (log scale)", log=True),
        drawing.lines(methods),
        height=60.0 + 34.0 * len(methods),
    )
    yield Chart(
        id="by-runtime",
        title="Latency in each runtime",
        caption="Left is faster. Bars are intervals.",
        plots=(plot,) if drawn else (),
        missing=tuple(
            f"{model.name}: {model.p50_ms.missing}" for model in models if model not in drawn
        ),
        alternative="; ".join(
            f"{runtimes.in_runtime(model.variant)}: {numbers.show(model.p50_ms, MILLISECONDS)}"
            for model in drawn
        ),
    )


def _series(runtime: str, models: list[Row], methods: list[str], look: Look) -> Series:
    return Series(
        drawing.label(runtime),
        look,
        tuple(
            Point(
                model.p50_ms.value or 0.0,
                float(methods.index(model.variant.method)),
                drawing.ends(model.p50_ms),
                across=11.0,
                told=f"{numbers.printable(runtimes.in_runtime(model.variant))}: "
                f"p50 {numbers.show(model.p50_ms, MILLISECONDS)}",
            )
            for model in models
        ),
    )
