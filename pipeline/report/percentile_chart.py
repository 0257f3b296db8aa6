"""Percentiles of latency with their intervals, a line a model.

percentiles([("fp32", figures)]).plots[0].series[0].name     # 'p50'
"""

from collections.abc import Sequence
from typing import Protocol

from ...devices.onboard.stats.estimate import Estimate
from . import drawing, numbers
from .chart import Chart
from .numbers import MILLISECONDS
from .plot import Axis, Plot, Point, Series

_LINE_PX = 56


class HasPercentiles(Protocol):
    """What has three percentiles of latency."""

    @property
    def p50_ms(self) -> Estimate:
        """The median."""

    @property
    def p90_ms(self) -> Estimate:
        """90th percentile."""

    @property
    def p99_ms(self) -> Estimate:
        """99th percentile."""


def percentiles(models: Sequence[tuple[str, HasPercentiles]]) -> Chart:
    """The chart.

    Args:
        models: name and percentiles of each, in the order of the lines.
    """
    return marks(
        "percentiles",
        "Percentiles of latency",
        {
            "p50": [(name, model.p50_ms) for name, model in models],
            "p90": [(name, model.p90_ms) for name, model in models],
            "p99": [(name, model.p99_ms) for name, model in models],
        },
    )


def marks(
    element: str, title: str, figures: dict[str, list[tuple[str, Estimate]]], decides: str = "p50"
) -> Chart:
    """Times of models in milliseconds, a line a model, a mark a figure.

    Args:
        element: id of the chart in its page.
        title: of the chart.
        figures: by name, name and figure of each model.
        decides: the figure that the words for who cannot see it name.
    """
    names = [name for name, _ in next(iter(figures.values()))]
    step = min(0.22, 0.8 / len(figures))
    series = []
    for number, (figure, estimates) in enumerate(figures.items()):
        points = tuple(
            Point(
                estimate.value,
                # One above the other, so that their intervals do not cover each other.
                at + step * (number - (len(figures) - 1) / 2),
                drawing.ends(estimate),
                told=f"{numbers.printable(name)}, {figure}: {numbers.show(estimate, MILLISECONDS)}",
            )
            for at, (name, estimate) in enumerate(estimates)
            if estimate.value is not None
        )
        if points:
            series.append(Series(figure, drawing.look(number + 1), points))
    plot = Plot(
        tuple(series),
        Axis("Latency, ms (log scale)", log=True),
        drawing.lines(names),
        height=60.0 + _LINE_PX * len(names),
    )
    return Chart(
        id=element,
        title=title,
        caption="Left is faster. Bars are intervals over processes.",
        plots=(plot,) if series else (),
        missing=tuple(
            f"{name}, {figure}: {estimate.missing}"
            for figure, estimates in figures.items()
            for name, estimate in estimates
            if estimate.value is None
        ),
        alternative="; ".join(
            f"{name}: {decides} {numbers.show(estimate, MILLISECONDS)}"
            for name, estimate in figures[decides]
        ),
    )
