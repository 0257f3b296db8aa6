"""How ``edgestill bench`` shows latencies on one screen: what is compared, and what is beyond.

    stdout().print(screen(benchmark, columns=80))

A column a model while they fit, else a row a model. What else there is to know is counted in one
line; ``bench_latency.summary`` prints it.
"""

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Benchmark, Figures
from ..report import energy, numbers
from .bench_latency import fastest
from .file_names import apart, in_lines

_NAMES = 16
_COLUMN = 27
"""Columns of the names of figures, and of one model with its intervals."""
_NAME = 22
"""Of a model's name that has a row."""
_SENTENCES = 3


def screen(measured: Benchmark, *, columns: int) -> RenderableType:
    """The figures of every model, who is faster, and what is not on this screen."""
    folder, names = apart([model.name for model in measured.models])
    fits = len(names) <= max(1, (columns - _NAMES) // _COLUMN)
    table = _by_figure(measured, names, columns) if fits else _by_model(measured, names)
    sentences = fastest(measured) if fits else []
    return Group(
        *([Text(f"in {numbers.printable(folder)}:")] if folder else []),
        table,
        *(Text(numbers.printable(said), "bold") for said in sentences[:_SENTENCES]),
        Text(_details(measured), "dim"),
    )


def _by_figure(measured: Benchmark, names: list[str], columns: int) -> Table:
    """A column a model."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", max_width=_NAMES, overflow="fold")
    width = (columns - _NAMES) // len(names) - 2
    for name in names:
        table.add_column(Text(in_lines(name, width), "bold"), no_wrap=True)
    for title, cells in _figures(measured):
        table.add_row(title, *cells)
    return table


def _figures(measured: Benchmark) -> Iterator[tuple[str, list[Text]]]:
    models = measured.models
    ms, size = numbers.MILLISECONDS, numbers.BYTES
    power, drawn = energy.line(models, measured.ratios)
    yield "p50", [_with_interval(model.p50_ms, ms) for model in models]
    yield "p90", [_with_interval(model.p90_ms, ms) for model in models]
    yield "p99", [_with_interval(model.p99_ms, ms) for model in models]
    yield "load", [_with_interval(model.load_ms, ms) for model in models]
    yield "first inference", [_with_interval(model.first_inference_ms, ms) for model in models]
    yield "peak memory", [_with_interval(model.peak_memory_bytes, size) for model in models]
    yield "file size", [Text(numbers.amount(model.file_bytes, size)) for model in models]
    proxy = power.partition(",")[0]
    yield proxy, [_with_interval(estimate, unit) for estimate, unit in drawn]
    yield "queries", [Text(f"{model.queries:,} in {_runs(model)}") for model in models]


def _by_model(measured: Benchmark, names: list[str]) -> Table:
    """A row a model, with its latency over the fastest one's."""
    ms, size = numbers.MILLISECONDS, numbers.BYTES
    over = _over_fastest(measured)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(Text("model", "bold"), no_wrap=True)
    for title in ("p50", "interval", "ratio", "memory", "file"):
        table.add_column(Text(title, "bold"), justify="right", no_wrap=True)
    for name, model in zip(names, measured.models, strict=True):
        ratio = over.get(model.name)
        table.add_row(
            Text(in_lines(name, _NAME)),
            _brief(model.p50_ms, ms),
            Text(numbers.without_reason(model.p50_ms, ms)[1] or "", "dim"),
            Text("fastest", "bold green") if ratio is None else _brief(ratio, numbers.RATIO, "×"),
            _brief(model.peak_memory_bytes, size),
            Text(numbers.amount(model.file_bytes, size)),
        )
    return table


def _over_fastest(measured: Benchmark) -> dict[str, Estimate]:
    """The ratio of each model's latency to the fastest one's; none of the fastest."""
    known = {m.name: m.p50_ms.value for m in measured.models if m.p50_ms.value is not None}
    if not known:
        return {model.name: model.p50_ms for model in measured.models}
    best = min(known, key=known.__getitem__)
    ratios = {ratio.of: ratio.p50 for ratio in measured.ratios if ratio.over == best}
    missing = Estimate.unknown("not measured beside the fastest")
    return {
        model.name: ratios.get(model.name, missing)
        for model in measured.models
        if model.name != best
    }


def _details(measured: Benchmark) -> str:
    """What is not on this screen."""
    count = len(measured.warnings)
    warned = f"{numbers.how_many(count, 'warning')}, " if count else ""
    return f"details: {warned}how it was measured, more figures: --verbose"


def _with_interval(estimate: Estimate, unit: numbers.Unit) -> Text:
    if estimate.value is None:
        return Text("unknown", "dim")
    value, interval = numbers.without_reason(estimate, unit)
    text = Text(numbers.printable(value))
    return text.append(f" ({interval})", "dim") if interval else text


def _brief(estimate: Estimate, unit: numbers.Unit, mark: str = "") -> Text:
    if estimate.value is None:
        return Text("unknown", "dim")
    return Text(f"{numbers.without_reason(estimate, unit)[0]}{mark}")


def _runs(model: Figures) -> str:
    return numbers.how_many(model.p50_ms.n, "process", "processes")
