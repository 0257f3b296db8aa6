"""How ``edgestill bench`` shows one query after the other: a column a model, and who is faster.

write(lines(benchmark, folder), page(benchmark, folder), models, csv_file=Path("m.csv"))
"""

from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.bench import ratio_text
from ...devices.onboard.settings import Feed
from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Benchmark
from ...devices.scenarios.result import Result
from ..finished.measured import latencies, spreads
from ..report import energy, memory, numbers
from .bench_files import Cell, Line, cells, figure


def summary(measured: Benchmark, folder: Path) -> RenderableType:
    """The measurement as a table, one column a model, and the fastest against the others."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for model in measured.models:
        table.add_column(Text(numbers.printable(model.name)), overflow="fold")
    for name, figures in rows(measured, folder):
        table.add_row(name, *map(Text, figures))
    faster = [Text(numbers.printable(sentence), style="bold") for sentence in fastest(measured)]
    below = [
        Text(numbers.printable(sentence), style="dim")
        for sentence in (how(measured), *notes(measured))
    ]
    warnings = [Text(f"warning: {text}", style="yellow") for text in measured.warnings]
    return Group(table, *faster, *below, *warnings)


def fastest(measured: Benchmark) -> list[str]:
    """The latency of each other model over the fastest one's, in sentences; none for one model."""
    medians = {model.name: model.p50_ms.value for model in measured.models}
    measurable = {name: value for name, value in medians.items() if value is not None}
    if len(medians) < 2 or not measurable:
        return []
    best = min(measurable, key=measurable.__getitem__)
    over = {ratio.of: ratio.p50 for ratio in measured.ratios if ratio.over == best}
    return [_slower(name, best, over[name]) for name in medians if name in over]


def _slower(other: str, best: str, ratio: Estimate) -> str:
    return f"{other} takes {ratio_text.stated(ratio, 'latency', best)}"


def lines(measured: Benchmark, folder: Path) -> list[Line]:
    """A line a model, a column a figure, three where it has an interval; empty where unknown."""
    spread, settings = spreads(folder), measured.settings
    about = {
        "processes": measured.processes,
        "threads": settings.session.threads,
        "batch": settings.feed.batch,
    }
    return [
        {
            **dict(cells(model)),
            **dict(cells(spread[model.name])),
            **_over_first(measured, model.name),
            **about,
        }
        for model in measured.models
    ]


def _over_first(measured: Benchmark, name: str) -> dict[str, Cell]:
    first, itself = measured.models[0].name, Estimate.exact(1.0, "itself", "ratio")
    pair = next((r for r in measured.ratios if (r.of, r.over) == (name, first)), None)
    p10, p50 = (pair.p10, pair.p50) if pair else (itself, itself)
    return dict([*figure("p10_over_first", p10), *figure("p50_over_first", p50)])


def rows(measured: Benchmark, folder: Path) -> list[tuple[str, list[str]]]:
    """The figures as people read them: what, and a cell a model."""
    models, spread = measured.models, spreads(folder)
    ms, size = numbers.MILLISECONDS, numbers.BYTES
    power, drawn = energy.line(models, measured.ratios)

    def over_queries(name: str) -> tuple[str, str]:
        s = spread[name]
        mean, sd, least, most = (
            numbers.amount(v, ms) for v in (s.mean_ms, s.sd_ms, s.min_ms, s.max_ms)
        )
        return f"{mean} ± {sd}", f"{least} … {most}"

    return [
        ("p50", [numbers.show(m.p50_ms, ms) for m in models]),
        ("p90", [numbers.show(m.p90_ms, ms) for m in models]),
        ("p99", [numbers.show(m.p99_ms, ms) for m in models]),
        ("p90, early stopping", [numbers.show(m.early_stopping_p90_ms, ms) for m in models]),
        ("p99, early stopping", [numbers.show(m.early_stopping_p99_ms, ms) for m in models]),
        ("mean ± sd", [over_queries(m.name)[0] for m in models]),
        ("min … max", [over_queries(m.name)[1] for m in models]),
        ("queries", [f"{m.queries:,} in {_runs(m.p50_ms.n)}" for m in models]),
        ("load", [numbers.show(m.load_ms, ms) for m in models]),
        ("first inference", [numbers.show(m.first_inference_ms, ms) for m in models]),
        ("peak memory", [numbers.show(m.peak_memory_bytes, size) for m in models]),
        *(
            (name, [numbers.show(estimate, size) for estimate in estimates])
            for name, estimates in memory.lines(models, short=True)
        ),
        ("file size", [numbers.amount(m.file_bytes, size) for m in models]),
        (power, [numbers.show(*shown) for shown in drawn]),
        ("outliers", [f"{numbers.count(m.outliers)} of {m.queries:,}" for m in models]),
        ("MACs", [numbers.count(m.macs) for m in models]),
        ("parameters", [numbers.count(m.parameters) for m in models]),
    ]


def how(measured: Benchmark) -> str:
    """How it was measured, in a line."""
    s = measured.settings
    shaped = ", ".join(f"{name} {list(shape)}" for name, shape in s.feed.shapes.items())
    return (
        f"{numbers.how_many(measured.processes, 'fresh process', 'fresh processes')} a model, in "
        f"turn; {numbers.how_many(s.session.threads, 'thread')}, "
        f"{shaped or f'batch {s.feed.batch}'}, "
        f"spinning {'on' if s.session.spinning else 'off'}, {inputs_text(s.feed)}, "
        f"{measured.runtime}, on {measured.host.cpu}"
    )


def inputs_text(feed: Feed) -> str:
    """What the models were queried with, in words."""
    return (
        "generated inputs" if feed.inputs is None else f"inputs of {numbers.printable(feed.inputs)}"
    )


def notes(measured: Benchmark) -> list[str]:
    """What the figures of memory and energy are."""
    _, drawn = energy.line(measured.models, measured.ratios)
    methods = energy.methods(measured.models, drawn)
    views = [f"memory: {memory.NOTE}"] if any(model.footprint for model in measured.models) else []
    return [*views, *(f"energy: {method}" for method in methods)]


def page(measured: Benchmark, folder: Path) -> str:
    """One page that needs nothing but itself and runs no script."""
    from ..report import bench_page

    return bench_page.page(
        measured,
        latencies(folder),
        rows(measured, folder),
        fastest(measured),
        (how(measured), measured_on(measured), *notes(measured)),
    )


def measured_on(measured: Result[Any]) -> str:
    """When it was measured and on which machine, in a line."""
    host = measured.host
    return (
        f"intervals at {100 * measured.settings.confidence:g} %, the process as the unit; measured "
        f"{measured.measured} on {host.cpu} ({host.arch}), {host.os}, kernel {host.kernel}"
    )


def _runs(count: int) -> str:
    return numbers.how_many(count, "process", "processes")
