"""``edgestill bench --scenario``: loads other than one query after the other, run and shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.bench.bench import Settings, Subject
from ...devices.onboard.settings import Feed, Timing
from ...devices.onboard.stats.estimate import Estimate
from ...devices.place.place import Local, Place, bounds_of, place_of
from ...devices.profiles.profile import HOST, load
from ...devices.scenarios import scenarios
from ...devices.scenarios.figures import (
    ColdFigures,
    Load,
    LoadgenFigures,
    OfflineFigures,
    Scenario,
    ServerFigures,
    StreamFigures,
    SustainedFigures,
    ThreadsFigures,
)
from ...errors import UsageError
from ..progress import Progress
from ..report import numbers
from .bench_latency import Ask, asked_shapes, new_folder, subjects_of
from .bench_scenario_options import Asked
from .bench_tables import Line, cells

BATCHES = (1, 2, 4, 8, 16, 32)
_STREAMS = 2
_SERVER_SECONDS = 5.0
_SUSTAINED_SECONDS = 120.0
_WINDOWS = 60
_MOST_QUERIES = 1_000_000
_ROWS_SHOWN = 12

Row = tuple[str, ...]


def measure(
    models: Sequence[Path],
    shapes: Sequence[str],
    out: Path | None,
    progress: Progress,
    asked: Asked,
    *,
    ask: Ask | None = None,
    batch: int,
    threads: int | None,
    spinning: bool | None,
    processes: int,
    seconds: float,
    device: str = HOST,
) -> tuple[Scenario[Any], Path]:
    """Measure models in a scenario, with inputs made from their own schemas.

    Args:
        models: ``.onnx`` or ``.ort`` files.
        shapes: as in ``foreign.measure``, like all that is not told here.
        out: where raw figures go; None: a new folder below ``artifacts/bench``.
        progress: told of each process.
        asked: the scenario and its options.
        ask: asks the user for an extent; None refuses instead.
        batch: extent of a dynamic first axis.
        threads: intra-op threads; None: what the device says, else 1.
        spinning: whether idle threads spin; None: what the device says, else not.
        processes: fresh processes a model.
        seconds: timed seconds a process where the scenario has no duration.
        device: what to measure on, a profile's name or path.

    Returns:
        What was found, and the folder of the raw figures.

    Raises:
        UsageError, ModelError, MeasureError: as ``foreign.measure``.
    """
    profile = load(device, where="--device")
    place = place_of(profile, where="--device")
    if asked.loadgen and not isinstance(place, Local):
        raise UsageError(
            f"--loadgen on {profile.name}", fix="leave one out: loadgen runs on this machine only"
        )
    subjects = subjects_of(models)
    given = asked_shapes(models, shapes, batch, ask)
    folder = out or new_folder()
    # One thread to all cores that it may use.
    counts = tuple(range(1, place.describe().available_cores + 1))
    usual = {"server": _SERVER_SECONDS, "sustained": _SUSTAINED_SECONDS}
    settings = Settings(
        **bounds_of(profile, threads, spinning),
        feed=Feed(batch=batch, shapes=given),
        timing=Timing(
            seconds=asked.duration or usual.get(asked.scenario, seconds), max_queries=_MOST_QUERIES
        ),
        processes=processes,
        timeout_s=_timeout_s(asked),
    )
    turns = {"offline": len(asked.batches or BATCHES), "threads": len(counts)}
    turns["single-stream"] = 2
    total = len(subjects) * settings.processes * turns.get(asked.scenario, 1)
    with progress.steps(asked.scenario, total) as steps:
        found = _run(subjects, settings, folder, asked, counts, steps.advance, place)
    return found, folder


def document(found: Scenario[Any], folder: Path) -> dict[str, Any]:
    """The scenario as one JSON document."""
    return {**asdict(found), "folder": str(folder)}


def lines(found: Scenario[Any]) -> list[Line]:
    """For a CSV: a line a model, or where it has several rows of figures a line each."""
    made: list[Line] = []
    for model in found.models:
        whole = {"scenario": found.scenario, **dict(cells(model))}
        told = [getattr(model, one.name) for one in fields(model)]
        inside = [each for one in told if isinstance(one, tuple) for each in one]
        rows = [each for each in inside if is_dataclass(each)]
        made += [{**whole, **dict(cells(one))} for one in rows] or [whole]
    return made


def summary(found: Scenario[Any]) -> RenderableType:
    """The scenario as one table a model, with what a reader should know below."""
    head, rows = _TABLES[found.scenario]
    parts: list[RenderableType] = []
    for model in found.models:
        parts.append(Text(numbers.printable(model.name), style="bold"))
        table = Table(
            box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=head is not _PAIRS
        )
        for name in head:
            table.add_column(Text(name), overflow="fold")
        for row in rows(model):
            table.add_row(*map(Text, row))
        parts.append(table)
    s = found.settings
    how = (
        f"{found.scenario}, {numbers.how_many(s.processes, 'fresh process', 'fresh processes')} "
        f"a row, inputs made up, {found.runtime}"
    )
    parts.append(Text(how, style="dim"))
    parts += [Text(f"warning: {text}", style="yellow") for text in found.warnings]
    return Group(*parts)


def _timeout_s(asked: Asked) -> float:
    """A run at too high a rate goes on for twice its length."""
    return 300.0 + 3.0 * (asked.duration or _SUSTAINED_SECONDS)


def _run(
    subjects: Sequence[Subject],
    settings: Settings,
    out: Path,
    asked: Asked,
    counts: tuple[int, ...],
    told: Callable[[str], None],
    place: Place,
) -> Scenario[Any]:
    how: dict[str, Any] = {"on_process": told, "place": place}
    match asked.scenario:
        case "multi-stream":
            streams = asked.streams or _STREAMS
            return scenarios.multi_stream(subjects, settings, out, streams, **how)
        case "offline":
            batches = asked.batches or BATCHES
            return scenarios.offline(subjects, settings, out, batches, **how)
        case "server":
            load = Load(
                rate_per_s=asked.rate or 0.0,
                poisson=asked.arrivals != "constant",
                deadline_ms=asked.deadline_ms,
                streams=asked.streams or 1,
            )
            return scenarios.server(subjects, settings, out, load, **how)
        case "threads":
            return scenarios.threads(subjects, settings, out, counts, **how)
        case "cold-start":
            return scenarios.cold_start(subjects, settings, out, **how)
        case "sustained":
            return scenarios.sustained(subjects, settings, out, _WINDOWS, **how)
        case _:
            return scenarios.cross_check(subjects, settings, out, on_process=told)


def _ms(estimate: Estimate) -> str:
    return numbers.show(estimate, numbers.MILLISECONDS)


def _plain(estimate: Estimate) -> str:
    return numbers.show(estimate, numbers.RATIO)


def _streams(one: StreamFigures) -> list[Row]:
    return [
        ("streams", str(one.streams)),
        *_latency(one.latency),
        ("samples/s", _plain(one.samples_per_s)),
    ]


def _latency(latency: Any) -> list[Row]:
    return [
        ("p50", _ms(latency.p50_ms)),
        ("p90", _ms(latency.p90_ms)),
        ("p99", _ms(latency.p99_ms)),
    ]


def _offline(one: OfflineFigures) -> list[Row]:
    return [
        (
            f"{each.batch}{' (best)' if each.batch == one.best else ''}",
            _plain(each.samples_per_s),
            _plain(each.gain),
            _ms(each.p50_ms),
        )
        for each in one.batches
    ]


def _server(one: ServerFigures) -> list[Row]:
    rows = [
        *_latency(one.latency),
        ("utilisation", numbers.show(one.utilisation, numbers.PERCENT)),
        ("sustained", one.sustained),
        ("queries", f"{one.queries:,}, {one.unanswered:,} unanswered"),
    ]
    if one.miss_share is not None and one.missed is not None:
        share = numbers.show(one.miss_share, numbers.PERCENT)
        rows.append(("deadline missed", f"{one.missed:,}; in a process {share}"))
    shown = ["none" if ms is None else f"{ms:.3g}" for ms in one.by_tenth_ms]
    rows.append(("p50 by tenth, ms", " ".join(shown)))
    return rows


def _threads(one: ThreadsFigures) -> list[Row]:
    return [(str(each.threads), _ms(each.p50_ms), _plain(each.speedup)) for each in one.counts]


def _cold(one: ColdFigures) -> list[Row]:
    return [
        ("process start", _ms(one.process_ms)),
        ("import", _ms(one.import_ms)),
        ("load", _ms(one.load_ms)),
        ("first inference", _ms(one.first_inference_ms)),
        ("total", _ms(one.total_ms)),
    ]


def _sustained(one: SustainedFigures) -> list[Row]:
    throttled = "unknown: not counted here" if one.throttled is None else f"{one.throttled} times"
    step = -(-len(one.windows) // _ROWS_SHOWN)
    return [
        ("drift", numbers.show(one.drift, numbers.PERCENT)),
        ("clock, end over beginning", _plain(one.clock)),
        ("throttled for heat", throttled),
        *(
            (
                f"from {each.start_s:.1f} s",
                f"p50 {each.p50_ms:.4g} ms"
                + ("" if each.p90_ms is None else f", p90 {each.p90_ms:.4g} ms")
                + ("" if each.mhz is None else f", {each.mhz:.0f} MHz"),
            )
            for each in one.windows[::step]
        ),
    ]


def _loadgen(one: LoadgenFigures) -> list[Row]:
    return [
        ("p90", _ms(one.p90_ms)),
        ("loadgen's p90", _ms(one.loadgen_p90_ms)),
        ("ratio", _plain(one.ratio)),
        ("inside of loadgen's", _ms(one.inside_p90_ms)),
        ("ratio to that", _plain(one.ratio_inside)),
        ("loadgen's own call", _ms(one.crossing_ms)),
        ("valid runs", f"{one.valid} of {one.runs}"),
        ("loadgen's logs", one.logs),
    ]


_PAIRS = ("", "")
_TABLES: Mapping[str, tuple[Row, Callable[[Any], list[Row]]]] = {
    "multi-stream": (_PAIRS, _streams),
    "offline": (("batch", "samples/s", "over the first", "p50 of a batch"), _offline),
    "server": (_PAIRS, _server),
    "threads": (("threads", "p50", "speed-up"), _threads),
    "cold-start": (_PAIRS, _cold),
    "sustained": (_PAIRS, _sustained),
    "loadgen": (_PAIRS, _loadgen),
}
