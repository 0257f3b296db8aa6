"""What ``edgestill bench`` writes of a measurement: raw spread, CSV, one HTML page.

    write(lines(measured, folder), as_html(measured, folder), models, csv_file=Path("m.csv"))

A model's name is anyone's text: a cell of the CSV is never a formula, and jinja escapes the page.
"""

import csv
import html
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...devices.bench import bench
from ...devices.onboard.stats.estimate import Estimate
from ..engine.store import disk_errors, write_atomic
from ..report import energy, memory, numbers

if TYPE_CHECKING:
    from rich.console import RenderableType

Cell = str | int | float
Line = dict[str, Cell]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula (OWASP, "CSV injection")."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How the single queries of one model lie, over all its processes; no interval of anything.

    Attributes:
        mean_ms: of all queries.
        sd_ms: standard deviation of the queries.
        min_ms: the shortest.
        max_ms: the longest.
    """

    mean_ms: float
    sd_ms: float
    min_ms: float
    max_ms: float


def spreads(folder: Path) -> dict[str, Spread]:
    """By model, from the raw samples that ``devices.bench.bench.measure`` leaves in its folder."""
    files: dict[str, list[Path]] = {}
    for one in json.loads((folder / "processes.json").read_text(encoding="utf-8")):
        files.setdefault(one["subject"], []).append(folder / one["samples"])
    found = {}
    for name, paths in files.items():
        ms = np.concatenate([np.load(path, allow_pickle=False) for path in paths]) / 1e6
        found[name] = Spread(*(float(value) for value in (ms.mean(), ms.std(), ms.min(), ms.max())))
    return found


def fastest(measured: bench.Benchmark) -> list[str]:
    """How much faster the fastest model ran than each other, in sentences; none for one model."""
    medians = {one.name: one.p50_ms.value for one in measured.models}
    known = {name: value for name, value in medians.items() if value is not None}
    if len(medians) < 2 or not known:
        return []
    best = min(known, key=known.__getitem__)
    over = {one.of: one.p50 for one in measured.ratios if one.over == best}
    return [_faster(best, name, over[name]) for name in medians if name in over]


def _faster(best: str, other: str, ratio: Estimate) -> str:
    shown = numbers.show(ratio, numbers.RATIO)
    if ratio.low is None or ratio.high is None or ratio.low > 1.0:
        return f"{best} ran {shown} times as fast as {other}"
    return f"{best} and {other}: no difference could be shown, ratio {shown}"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>TITLE</title>
</head>
<body style="color: {foreground}; background-color: {background}">
<pre style="font-family: monospace">{code}</pre>
</body>
</html>
"""


def can_write(*files: Path | None) -> None:
    """Fail in the first second, not after the measurement.

    Raises:
        StorageError: a file that cannot be written.
    """
    for file in files:
        if file is not None:
            with disk_errors(file, opening=True):
                probe = file.with_name(f".{file.name}.probe")
                write_atomic(probe, b"")
                probe.unlink()


def write(
    lines: Sequence[Line],
    shown: "str | RenderableType",
    models: Sequence[Path],
    *,
    csv_file: Path | None = None,
    html_file: Path | None = None,
) -> None:
    """Write the files that were asked for.

    Args:
        lines: of the CSV.
        shown: the page, or what becomes one as a terminal shows it.
        models: what was measured, for a title.
        csv_file: where the CSV goes; None: nowhere.
        html_file: where the page goes; None: nowhere.

    Raises:
        StorageError: the disk is full.
    """
    if csv_file is not None:
        with disk_errors(csv_file):
            write_atomic(csv_file, as_csv(lines).encode())
    if html_file is not None:
        title = ", ".join(one.name for one in models)
        page = shown if isinstance(shown, str) else as_page(shown, title)
        with disk_errors(html_file):
            write_atomic(html_file, page.encode())


def as_csv(lines: Sequence[Line]) -> str:
    """A line each, with the columns of all; empty where a line has no such figure."""
    out, columns = io.StringIO(), dict.fromkeys(key for line in lines for key in line)
    writer = csv.DictWriter(out, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def as_page(shown: "RenderableType", title: str) -> str:
    """One page that shows what a terminal does; it runs no script and loads nothing."""
    from rich.console import Console

    console = Console(record=True, file=io.StringIO(), width=120)
    console.print(shown)
    head = html.escape(f"edgestill bench: {numbers.printable(title)}").replace("{", "{{")
    return console.export_html(
        inline_styles=True, code_format=_PAGE.replace("TITLE", head.replace("}", "}}"))
    )


def lines(measured: bench.Benchmark, folder: Path) -> list[Line]:
    """A line a model, a column a figure, three where it has an interval; empty where unknown."""
    spread, settings = spreads(folder), measured.settings
    about = {
        "processes": measured.processes,
        "threads": settings.session.threads,
        "batch": settings.feed.batch,
    }
    return [
        {
            **dict(cells(one)),
            **dict(cells(spread[one.name])),
            **_over_first(measured, one.name),
            **about,
        }
        for one in measured.models
    ]


def _over_first(measured: bench.Benchmark, name: str) -> dict[str, Cell]:
    first, itself = measured.models[0].name, Estimate.exact(1.0, "itself", "ratio")
    pair = next((r for r in measured.ratios if (r.of, r.over) == (name, first)), None)
    p10, p50 = (pair.p10, pair.p50) if pair else (itself, itself)
    return dict([*figure("p10_over_first", p10), *figure("p50_over_first", p50)])


def cells(record: Any) -> Iterator[tuple[str, Cell]]:
    """The plain figures of a record by name, those of records inside it too."""
    for one in fields(record):
        value = getattr(record, one.name)
        if isinstance(value, Estimate):
            yield from figure(one.name, value)
        elif isinstance(value, str):
            yield one.name, text(value)
        elif value is None or isinstance(value, int | float):
            yield one.name, "" if value is None else value
        elif is_dataclass(value):
            yield from cells(value)


def figure(name: str, value: Estimate) -> Iterator[tuple[str, Cell]]:
    """A figure and both ends of its interval, each under a name of its own."""
    for column, number in (
        (name, value.value),
        (f"{name}_low", value.low),
        (f"{name}_high", value.high),
    ):
        yield column, "" if number is None else number


def text(told: str) -> str:
    """Anyone's text as a cell that no spreadsheet takes for a formula."""
    shown = numbers.printable(told)
    return f"'{shown}" if told.startswith(_FORMULA) or shown.startswith(_FORMULA) else shown


def rows(measured: bench.Benchmark, folder: Path) -> list[tuple[str, list[str]]]:
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
        ("mean ± sd", [over_queries(m.name)[0] for m in models]),
        ("min … max", [over_queries(m.name)[1] for m in models]),
        ("queries", [f"{m.queries:,} in {_runs(m.p50_ms.n)}" for m in models]),
        ("load", [numbers.show(m.load_ms, ms) for m in models]),
        ("first inference", [numbers.show(m.first_inference_ms, ms) for m in models]),
        ("peak memory", [numbers.show(m.peak_memory_bytes, size) for m in models]),
        *(
            (name, [numbers.show(each, size) for each in estimates])
            for name, estimates in memory.lines(models, short=True)
        ),
        ("file size", [numbers.amount(m.file_bytes, size) for m in models]),
        (power, [numbers.show(*shown) for shown in drawn]),
        ("outliers", [f"{numbers.count(m.outliers)} of {m.queries:,}" for m in models]),
        ("MACs", [numbers.count(m.macs) for m in models]),
        ("parameters", [numbers.count(m.parameters) for m in models]),
    ]


def how(measured: bench.Benchmark) -> str:
    """How it was measured, in a line."""
    s = measured.settings
    shaped = ", ".join(f"{name} {list(shape)}" for name, shape in s.feed.shapes.items())
    return (
        f"{numbers.how_many(measured.processes, 'fresh process', 'fresh processes')} a model, in "
        f"turn; {numbers.how_many(s.session.threads, 'thread')}, "
        f"{shaped or f'batch {s.feed.batch}'}, "
        f"spinning {'on' if s.session.spinning else 'off'}, inputs made up, {measured.runtime}, "
        f"on {measured.host.cpu}"
    )


def notes(measured: bench.Benchmark) -> list[str]:
    """What the figures of memory and energy are."""
    _, drawn = energy.line(measured.models, measured.ratios)
    methods = energy.methods(measured.models, drawn)
    views = [f"memory: {memory.NOTE}"] if any(one.footprint for one in measured.models) else []
    return [*views, *(f"energy: {method}" for method in methods)]


def as_html(measured: bench.Benchmark, folder: Path) -> str:
    """One page that needs nothing but itself and runs no script."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edgestill.pipeline.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = numbers.printable
    return environment.get_template("bench.html.jinja").render(
        names=[one.name for one in measured.models],
        rows=rows(measured, folder),
        sentences=fastest(measured),
        notes=_notes(measured),
        warnings=measured.warnings,
    )


def _notes(measured: bench.Benchmark) -> Sequence[str]:
    host = measured.host
    return (
        how(measured),
        f"intervals at {100 * measured.settings.confidence:g} %, the process as the unit; measured "
        f"{measured.measured} on {host.cpu} ({host.arch}), {host.os}, kernel {host.kernel}",
        *notes(measured),
    )


def _runs(count: int) -> str:
    return numbers.how_many(count, "process", "processes")
