"""Charts of models under another load than one query after the other, by scenario.

    for chart in charts(result):
        chart.plots

A scenario without a line in the table has its figures as a table only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.result import Result
from . import drawing, numbers
from .chart import Chart
from .numbers import MILLISECONDS, PERCENT, RATIO, Unit
from .percentile_chart import marks, percentiles
from .plot import Axis, Plot, Point, Series

if TYPE_CHECKING:
    # The page draws figures, and needs nothing of what measures them.
    from ...devices.scenarios.cold_start import ColdFigures
    from ...devices.scenarios.loadgen import LoadgenFigures
    from ...devices.scenarios.multi_stream import StreamFigures
    from ...devices.scenarios.offline import OfflineFigures
    from ...devices.scenarios.server import ServerFigures
    from ...devices.scenarios.sustained import SustainedFigures
    from ...devices.scenarios.threads import ThreadsFigures

_MARKED = 24
"""Points of a line, above which they have no marks."""
_Curve = tuple[str, Sequence[tuple[float, Estimate]]]
"""A model's name, and its figures each with its place."""


def charts(result: Result[Any]) -> tuple[Chart, ...]:
    """The charts of a scenario, empty where it has none."""
    drawn = _CHARTS.get(result.scenario)
    return drawn(result.models) if drawn else ()


def _multi_stream(models: "Sequence[StreamFigures]") -> tuple[Chart, ...]:
    return (percentiles([(model.name, model.latency) for model in models]),)


def _offline(models: "Sequence[OfflineFigures]") -> tuple[Chart, ...]:
    size = Axis(
        "Samples of a batch (log scale)",
        log=True,
        ticks=_ticks({row.batch for model in models for row in model.batches}),
    )
    rates = [(m.name, [(row.batch, row.samples_per_s) for row in m.batches]) for m in models]
    times = [(m.name, [(row.batch, row.p50_ms) for row in m.batches]) for m in models]
    return (
        _curves(
            "throughput", "Throughput by batch size", "Higher is better.",
            rates, size, Axis("Samples a second"), RATIO, "batch",
        ),
        _curves(
            "batches", "Latency of a batch", "Lower is better.",
            times, size, Axis("p50, ms (log scale)", log=True), MILLISECONDS, "batch",
        ),
    )  # fmt: skip


def _server(models: "Sequence[ServerFigures]") -> tuple[Chart, ...]:
    tenths = [
        (model.name, [(10.0 * at + 5.0, ms) for at, ms in enumerate(model.by_tenth_ms)])
        for model in models
    ]
    busy = tuple(
        Point(
            100.0 * model.utilisation.value,
            float(at),
            drawing.ends(model.utilisation, 100.0),
            told=f"{numbers.printable(model.name)}: {numbers.show(model.utilisation, PERCENT)}",
        )
        for at, model in enumerate(models)
        if model.utilisation.value is not None
    )
    full = Series(
        "all the time",
        drawing.look(0),
        (Point(100.0, -0.5), Point(100.0, len(models) - 0.5)),
        kind="line",
    )
    return (
        percentiles([(model.name, model.latency) for model in models]),
        Chart(
            id="queue",
            title="Latency in the course of a run",
            caption="A line that rises says that the queue grows. Medians over processes, by when "
            "a query was due.",
            plots=_courses(tenths, Axis("Share of the run, %", span=(0.0, 100.0))),
            missing=tuple(
                f"{name}: no query of {sum(ms is None for _, ms in course)} tenths was answered"
                for name, course in tenths
                if any(ms is None for _, ms in course)
            ),
            alternative="; ".join(
                f"{name}: first tenth {_ms(course[0][1])}, last {_ms(course[-1][1])}"
                for name, course in tenths
                if course
            ),
        ),
        Chart(
            id="utilisation",
            title="How busy a stream is",
            caption="Above 100 % the rate cannot be sustained. Bars are intervals over processes.",
            plots=(
                Plot(
                    (Series("busy", drawing.look(1), busy), full),
                    Axis("Utilisation, %"),
                    drawing.lines([model.name for model in models]),
                    height=60.0 + 34.0 * len(models),
                ),
            )
            if busy
            else (),
            missing=tuple(
                f"{model.name}: {model.utilisation.missing}"
                for model in models
                if model.utilisation.value is None
            ),
            alternative="; ".join(
                f"{model.name}: {numbers.show(model.utilisation, PERCENT)}" for model in models
            ),
        ),
    )


def _threads(models: "Sequence[ThreadsFigures]") -> tuple[Chart, ...]:
    count = Axis(
        "Intra-op threads", ticks=_ticks({row.threads for model in models for row in model.counts})
    )
    times = [(m.name, [(row.threads, row.p50_ms) for row in m.counts]) for m in models]
    gains = [(m.name, [(row.threads, row.speedup) for row in m.counts]) for m in models]
    return (
        _curves(
            "by-threads", "Latency by threads", "Lower is better.",
            times, count, Axis("p50, ms (log scale)", log=True), MILLISECONDS, "threads",
        ),
        _curves(
            "speed-up", "Speed-up by threads", "Higher is better; 1 is the first number.",
            gains, count, Axis("Times as fast"), RATIO, "threads",
        ),
    )  # fmt: skip


def _cold_start(models: "Sequence[ColdFigures]") -> tuple[Chart, ...]:
    parts = {
        "process start": [(model.name, model.process_ms) for model in models],
        "import": [(model.name, model.import_ms) for model in models],
        "load": [(model.name, model.load_ms) for model in models],
        "first inference": [(model.name, model.first_inference_ms) for model in models],
        "total": [(model.name, model.total_ms) for model in models],
    }
    return (marks("cold-start", "From nothing to the first answer", parts, decides="total"),)


def _sustained(models: "Sequence[SustainedFigures]") -> tuple[Chart, ...]:
    times = [(m.name, [(row.start_s, row.p50_ms) for row in m.windows]) for m in models]
    clocks = [(m.name, [(row.start_s, row.mhz) for row in m.windows]) for m in models]
    since = Axis("Seconds from the beginning")
    readable = any(row.mhz is not None for model in models for row in model.windows)
    return (
        Chart(
            id="course",
            title="Latency over minutes",
            caption="A flat line is a machine that keeps its speed. Medians of windows.",
            plots=_courses(times, since),
            missing=(),
            alternative="; ".join(
                f"{model.name}: changed by {numbers.show(model.drift, PERCENT)}" for model in models
            ),
        ),
        *((_clock(models, clocks, since),) if readable else ()),
    )


def _clock(
    models: "Sequence[SustainedFigures]",
    clocks: Sequence[tuple[str, Sequence[tuple[float, float | None]]]],
    since: Axis,
) -> Chart:
    return Chart(
        id="clock",
        title="Clock over minutes",
        caption="A fall is a throttled core, or the end of its boost.",
        plots=_courses(clocks, since, Axis("Clock, MHz")),
        missing=tuple(
            f"{name}: the clock cannot be read"
            for name, course in clocks
            if all(mhz is None for _, mhz in course)
        ),
        alternative="; ".join(
            f"{model.name}: end over beginning {numbers.show(model.clock, RATIO)}"
            for model in models
        ),
    )


def _loadgen(models: "Sequence[LoadgenFigures]") -> tuple[Chart, ...]:
    loops = {
        "this loop": [(model.name, model.p90_ms) for model in models],
        "loadgen": [(model.name, model.loadgen_p90_ms) for model in models],
        "inside loadgen": [(model.name, model.inside_p90_ms) for model in models],
    }
    return (marks("loops", "p90 by two loops", loops, decides="this loop"),)


_CHARTS: Mapping[str, Callable[[Any], tuple[Chart, ...]]] = {
    "multi-stream": _multi_stream,
    "offline": _offline,
    "server": _server,
    "threads": _threads,
    "cold-start": _cold_start,
    "sustained": _sustained,
    "loadgen": _loadgen,
}
"""By the name of a scenario (`devices.scenarios.table`)."""


def _curves(
    element: str,
    title: str,
    better: str,
    curves: Sequence[_Curve],
    x: Axis,
    y: Axis,
    unit: Unit,
    at: str,
) -> Chart:
    """A line a model through figures with intervals."""
    series: list[Series] = []
    for place, (name, figures) in enumerate(curves, 1):
        known = [(where, figure) for where, figure in figures if figure.value is not None]
        points = tuple(
            Point(
                float(where),
                figure.value or 0.0,
                y_ends=drawing.ends(figure),
                told=f"{numbers.printable(name)}, {at} {where:g}: {numbers.show(figure, unit)}",
            )
            for where, figure in known
        )
        if points:
            series += _line(name, place, points)
    return Chart(
        id=element,
        title=title,
        caption=f"{better} Bars are intervals over processes.",
        plots=(Plot(tuple(series), x, y),) if series else (),
        missing=tuple(
            f"{name}, {at} {where:g}: {figure.missing}"
            for name, figures in curves
            for where, figure in figures
            if figure.value is None
        ),
        alternative="; ".join(
            f"{name}: "
            + ", ".join(f"{at} {where:g} {numbers.show(figure, unit)}" for where, figure in figures)
            for name, figures in curves
        ),
    )


def _courses(
    courses: Sequence[tuple[str, Sequence[tuple[float, float | None]]]],
    x: Axis,
    y: Axis | None = None,
) -> tuple[Plot, ...]:
    """A line a model through figures without intervals; no plot where nothing is known."""
    series: list[Series] = []
    for place, (name, course) in enumerate(courses, 1):
        points = tuple(Point(where, value) for where, value in course if value is not None)
        if points:
            series += _line(name, place, points)
    return (Plot(tuple(series), x, y or Axis("p50, ms (log scale)", log=True)),) if series else ()


def _line(name: str, place: int, points: tuple[Point, ...]) -> tuple[Series, Series]:
    """A line, and marks on it, which have the intervals; no marks where they would hide it."""
    look = drawing.look(place)
    marked = points if len(points) <= _MARKED else ()
    return (
        Series(drawing.label(name), look, points, kind="line"),
        Series(name, look, marked, listed=False),
    )


def _ticks(places: set[int]) -> tuple[tuple[float, str], ...]:
    """A tick for each place that was measured."""
    return tuple((float(place), f"{place:,}") for place in sorted(places))


def _ms(value: float | None) -> str:
    return "unanswered" if value is None else numbers.amount(value, MILLISECONDS)
