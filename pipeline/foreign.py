"""``edgestill bench``: measure models nobody vouches for, from their own schema.

Each is looked at and run in a child process, never here.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..devices import bench
from ..devices.modelfile import Input, printable
from ..errors import UsageError
from .progress import Progress
from .report import numbers

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
    threads: int,
    spinning: bool,
    processes: int,
    seconds: float,
) -> tuple[bench.Benchmark, Path]:
    """Measure models interleaved, with inputs made from their own schemas.

    Args:
        models: ``.onnx`` or ``.ort`` files.
        shapes: ``input=1,3,224,224`` texts for inputs with dynamic axes other than the batch.
        out: where raw samples go; None: a new folder below ``artifacts/bench``.
        progress: told of each process.
        ask: asks the user for an extent; None refuses instead.
        batch: extent of a dynamic first axis.
        threads: intra-op threads.
        spinning: whether idle threads spin.
        processes: fresh processes a model.
        seconds: timed seconds a process.

    Returns:
        What was found, and the folder of the raw samples.

    Raises:
        UsageError: a shape that is missing or does not fit.
        ModelError: a model that is missing, broken, dangerous or gives no finite output.
        MeasureError: a measuring process died or ran out of time.
    """
    looked, given = looked_at(models, shapes, batch, ask)
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    folder = out or Path("artifacts/bench") / stamp
    settings = bench.Settings(
        threads=threads,
        spinning=spinning,
        batch=batch,
        processes=processes,
        seconds=seconds,
        max_queries=1_000_000,
        shapes=given,
    )
    subjects = [bench.Subject(name, one.path) for name, one in looked.items()]
    with progress.steps("benchmark", len(subjects) * processes) as steps:
        found = bench.measure(
            subjects, settings, folder, on_process=lambda _, __, name: steps.advance(name)
        )
    return found, folder


def looked_at(
    models: Sequence[Path], shapes: Sequence[str], batch: int, ask: Ask | None
) -> tuple[dict[str, bench.Inspection], Shapes]:
    """What each model says of itself, by a name for it, and full shapes where axes are dynamic.

    Raises:
        UsageError, ModelError, MeasureError: as ``measure``.
    """
    names = _names(models)
    given = given_shapes(shapes)
    looked = {name: bench.inspect(path) for name, path in zip(names, models, strict=True)}
    schema = [one for each in looked.values() for one in each.inputs]
    unknown = sorted(given.keys() - {one.name for one in schema})
    if unknown:
        raise UsageError(
            found=f"a shape for {printable(unknown[0])}",
            expected=f"one of {', '.join(sorted({printable(one.name) for one in schema}))}",
            where="--shape",
        )
    return looked, _completed(schema, given, batch, ask)


def document(measured: bench.Benchmark, folder: Path) -> dict[str, Any]:
    """The measurement as one JSON document."""
    return {**asdict(measured), "folder": str(folder)}


def summary(measured: bench.Benchmark) -> RenderableType:
    """The measurement as a table, one column a model, with ratios to the first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for model in measured.models:
        table.add_column(Text(numbers.printable(model.name)), overflow="fold")
    ms, size = numbers.MILLISECONDS, numbers.BYTES
    rows: tuple[tuple[str, list[str]], ...] = (
        ("p50", [numbers.show(m.p50_ms, ms) for m in measured.models]),
        ("p90", [numbers.show(m.p90_ms, ms) for m in measured.models]),
        ("p99", [numbers.show(m.p99_ms, ms) for m in measured.models]),
        ("load", [numbers.show(m.load_ms, ms) for m in measured.models]),
        ("first inference", [numbers.show(m.first_inference_ms, ms) for m in measured.models]),
        ("peak memory", [numbers.show(m.peak_memory_bytes, size) for m in measured.models]),
        ("file size", [numbers.amount(m.file_bytes, size) for m in measured.models]),
        ("energy proxy", [numbers.show(m.energy_uj, numbers.MICROJOULES) for m in measured.models]),
        ("MACs", [numbers.count(m.macs) for m in measured.models]),
        ("parameters", [numbers.count(m.parameters) for m in measured.models]),
    )
    for name, cells in rows:
        table.add_row(name, *map(Text, cells))
    ratios = [
        Text(f"{r.of} takes {numbers.show(r.p50, numbers.RATIO)} of the time of {r.over}")
        for r in measured.ratios
    ]
    s = measured.settings
    shaped = ", ".join(f"{numbers.printable(k)} {list(v)}" for k, v in s.shapes.items())
    shaped = shaped or f"batch {s.batch}"
    how = Text(
        f"{numbers.how_many(s.processes, 'fresh process', 'fresh processes')} a model, "
        f"{numbers.how_many(s.threads, 'thread')}, {shaped}, "
        f"spinning {'on' if s.spinning else 'off'}, inputs made up, {measured.runtime}",
        style="dim",
    )
    methods = dict.fromkeys(m.energy_uj.method for m in measured.models if m.energy_uj.value)
    energy = [Text(f"energy proxy: {method}", style="dim") for method in methods]
    warnings = [Text(f"warning: {text}", style="yellow") for text in measured.warnings]
    return Group(table, *ratios, how, *energy, *warnings)


def _names(models: Sequence[Path]) -> list[str]:
    """The files' names, or their paths where two share a name."""
    names = [path.name for path in models]
    if len(set(names)) < len(names):
        names = [str(path) for path in models]
    if len(set(names)) < len(names):
        raise UsageError("the same model twice", fix="name each model once")
    return names


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
