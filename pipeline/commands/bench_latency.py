"""``edgestill bench``: measure models nobody vouches for, from their own schema.

Each is looked at and run in a child process, never here.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.bench import bench
from ...devices.onboard.model.modelfile import Input, printable
from ...devices.onboard.settings import Feed, Timing
from ...devices.place.place import bounds_of, place_of
from ...devices.profiles.profile import HOST, load
from ...errors import UsageError
from ..progress import Progress, measuring
from ..report import numbers
from .bench_tables import fastest, how, notes, rows, spreads

Ask = Callable[[str], str]
Shapes = dict[str, tuple[int, ...]]


def measure(
    models: Sequence[Path],
    shapes: Sequence[str],
    out: Path | None,
    progress: Progress,
    *,
    ask: Ask | None = None,
    batch: int,
    threads: int | None = None,
    spinning: bool | None = None,
    device: str = HOST,
    processes: int,
    seconds: float,
    precision: float | None = None,
    max_seconds: float = 120.0,
    meter: Path | None = None,
) -> tuple[bench.Benchmark, Path]:
    """Measure models interleaved, with inputs made from their own schemas.

    Args:
        models: ``.onnx`` or ``.ort`` files.
        shapes: ``input=1,3,224,224`` texts for inputs with dynamic axes other than the batch.
        out: where raw samples go; None: a new folder below ``artifacts/bench``.
        progress: told of each process.
        ask: asks the user for an extent; None refuses instead.
        batch: extent of a dynamic first axis.
        threads: intra-op threads; None: what the device says, else 1.
        spinning: whether idle threads spin; None: what the device says, else not.
        device: what to measure on, a profile's name or path.
        processes: fresh processes a model; with a precision the fewest.
        seconds: timed seconds a process.
        precision: share of each median latency that half its interval is to be; None: whatever it
            is after those processes.
        max_seconds: how long to go on for that.
        meter: a power meter's log that is being written meanwhile.

    Returns:
        What was found, and the folder of the raw samples.

    Raises:
        UsageError: a shape that is missing or does not fit, or no such device or no way to it.
        ModelError: a model that is missing, broken, dangerous or gives no finite output.
        DataError: a meter's log that cannot be read or does not cover the measurement.
        MeasureError: a measuring process died or ran out of time; a ``ReachError`` where the way
            to the device is at fault.
    """
    profile = load(device, where="--device")
    place = place_of(profile, where="--device")
    subjects = subjects_of(models)
    given = asked_shapes(models, shapes, batch, ask)
    folder = out or new_folder()
    settings = bench.Settings(
        **bounds_of(profile, threads, spinning),
        feed=Feed(batch=batch, shapes=given),
        timing=Timing(seconds=seconds, max_queries=1_000_000),
        processes=processes,
        footprint=True,
    )
    until = None
    if precision is not None:
        until = bench.Until(
            lambda models, _: all(one.p50_ms.known_within(precision) for one in models), max_seconds
        )
    with measuring(progress, len(subjects) * processes) as on_process:
        found = bench.measure(
            subjects,
            settings,
            folder,
            references=[one.name for one in subjects],
            until=until,
            meter=meter,
            on_process=on_process,
            place=place,
        )
    return found, folder


def document(measured: bench.Benchmark, folder: Path) -> dict[str, Any]:
    """The measurement as one JSON document."""
    spread = {name: asdict(one) for name, one in spreads(folder).items()}
    return {**asdict(measured), "spread": spread, "folder": str(folder)}


def summary(measured: bench.Benchmark, folder: Path) -> RenderableType:
    """The measurement as a table, one column a model, and the fastest against the others."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for model in measured.models:
        table.add_column(Text(numbers.printable(model.name)), overflow="fold")
    for name, cells in rows(measured, folder):
        table.add_row(name, *map(Text, cells))
    faster = [Text(numbers.printable(each), style="bold") for each in fastest(measured)]
    told = [how(measured), *notes(measured)]
    said = [Text(numbers.printable(each), style="dim") for each in told]
    warnings = [Text(f"warning: {text}", style="yellow") for text in measured.warnings]
    return Group(table, *faster, *said, *warnings)


def subjects_of(models: Sequence[Path]) -> list[bench.Subject]:
    """The models by their files' names, or by their paths where two share a name.

    Raises:
        UsageError: one model twice.
    """
    names = [path.name for path in models]
    if len(set(names)) < len(names):
        names = [str(path) for path in models]
    if len(set(names)) < len(names):
        raise UsageError("the same model twice", fix="name each model once")
    return [bench.Subject(name, path) for name, path in zip(names, models, strict=True)]


def asked_shapes(
    models: Sequence[Path], shapes: Sequence[str], batch: int, ask: Ask | None
) -> Shapes:
    """The full shape of every input with dynamic axes other than the batch, given or asked for.

    Args:
        models: looked at in child processes.
        shapes: ``input=1,3,224,224`` texts.
        batch: extent of a dynamic first axis.
        ask: asks the user for an extent; None refuses instead.

    Raises:
        UsageError: a shape that is missing or belongs to no input.
        ModelError: a model that is missing, broken or dangerous.
    """
    looked = (bench.inspect(path) for path in dict.fromkeys(models))
    return _full_shapes(looked, shapes, batch, ask)


def looked_at(
    models: Sequence[Path], shapes: Sequence[str], batch: int, ask: Ask | None
) -> tuple[dict[str, bench.Inspection], Shapes]:
    """What each model says of itself, by a name for it, and full shapes where axes are dynamic.

    Raises:
        UsageError, ModelError: as ``asked_shapes``.
    """
    looked = {one.name: bench.inspect(one.path) for one in subjects_of(models)}
    return looked, _full_shapes(looked.values(), shapes, batch, ask)


def _full_shapes(
    looked: Iterable[bench.Inspection], shapes: Sequence[str], batch: int, ask: Ask | None
) -> Shapes:
    given = given_shapes(shapes)
    schema = [one for each in looked for one in each.inputs]
    unknown = sorted(given.keys() - {one.name for one in schema})
    if unknown:
        raise UsageError(
            found=f"a shape for {printable(unknown[0])}",
            expected=f"one of {', '.join(sorted({printable(one.name) for one in schema}))}",
            where="--shape",
        )
    return _completed(schema, given, batch, ask)


def new_folder() -> Path:
    """A folder for raw samples, named by the time."""
    return Path("artifacts/bench") / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")


def given_shapes(texts: Sequence[str]) -> Shapes:
    """Shapes by input name, from ``input=1,3,224,224`` texts.

    Raises:
        UsageError: a text of another form.
    """
    return dict(_shape(text) for text in texts)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, mark, extents = text.rpartition("=")
    if not mark or not name or not re.fullmatch(r"[1-9][0-9]*(,[1-9][0-9]*)*", extents):
        raise UsageError(found=repr(text), expected="INPUT=1,3,224,224", where="--shape")
    return name, tuple(int(extent) for extent in extents.split(","))


def _completed(schema: Sequence[Input], given: Shapes, batch: int, ask: Ask | None) -> Shapes:
    """Full shapes for inputs with dynamic axes, each open axis asked for once.

    An open first axis is the batch; a symbol known from one input holds in all of them.
    """
    symbols = {
        symbol: extent
        for one in schema
        for symbol, extent in zip(one.shape, given.get(one.name, ()), strict=False)
        if isinstance(symbol, str)
    }
    completed = dict(given)
    for one in schema:
        open_axes = [i for i, e in enumerate(one.shape) if i and not isinstance(e, int)]
        if one.name in given or not open_axes:
            continue
        shape = [e if isinstance(e, int) else batch for e in one.shape]
        for i in open_axes:
            symbol = str(one.shape[i] or f"axis {i} of {one.name}")
            if symbol not in symbols:
                symbols[symbol] = _extent(one, i, ask)
            shape[i] = symbols[symbol]
        completed[one.name] = tuple(shape)
    return completed


def _extent(one: Input, axis: int, ask: Ask | None) -> int:
    name = f"axis {axis} ({printable(str(one.shape[axis] or 'unnamed'))}) of {printable(one.name)}"
    if ask is None:
        example = ",".join(str(e) if isinstance(e, int) else "N" for e in one.shape)
        raise UsageError(
            found=f"dynamic {name}",
            expected="its extent",
            fix=f"give the full shape: --shape {printable(one.name)}={example}",
        )
    said = ask(f"extent of {name}")
    if not re.fullmatch(r"[1-9][0-9]*", said.strip()):
        raise UsageError(found=repr(said), expected="a whole number above 0")
    return int(said)
