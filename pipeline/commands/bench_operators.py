"""``edgestill bench --operators`` and ``--predict``: on a terminal or as JSON.

>>> found = look(models, Machines(None, None, False), Silent(), chosen, threads=1)  # doctest: +SKIP
>>> Console().print(summary(found))                                        # doctest: +SKIP
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.onboard.runtimes import check_traces
from ...devices.onboard.settings import Feed, Session
from ...devices.operators.roofline import Bounds, machine_of
from ...devices.profiles.profile import HOST, load
from ...devices.scenarios.run import conditions
from ...errors import UsageError
from ..finished.inspected import Inspected
from ..finished.scenario import Chosen
from ..judge.operator_types import Kind, by_type, slowest, total
from ..judge.operators import figures_here, profiled
from ..judge.predictions import predicted
from ..progress import Progress
from ..records import OperatorsRecord, OperatorTime, Predicted
from ..report import numbers
from .bench_files import Line, figure, text

_SHOWN = 15
"""Slowest operators that are printed; all are in the JSON."""
_ON_SCREEN = 4
"""Of these, and of types, what one screen has room for."""


@dataclass(frozen=True, slots=True)
class Profiled:
    """Operators of models, and predictions.

    Attributes:
        records: one a model.
        predicted: one a model, where a device was predicted for.
    """

    records: tuple[OperatorsRecord, ...]
    predicted: tuple[Predicted, ...]


@dataclass(frozen=True, slots=True)
class Machines:
    """Which machine is profiled on, and which is predicted for.

    Attributes:
        device: to predict for; else the profile of this machine, by its name or path.
        host_profile: figures of this machine, as ``edgestill devices probe`` writes them; None:
            they are measured.
        predicting: whether ``device`` is predicted for.
    """

    device: str | None
    host_profile: Path | None
    predicting: bool


def look(
    models: Inspected, machines: Machines, progress: Progress, chosen: Chosen, *, threads: int
) -> Profiled:
    """Profile models, operator by operator, and predict them on a device if that is requested.

    Args:
        models: ``.onnx`` files.
        machines: this one, and the one to predict for.
        progress: advances after each process.
        chosen: the scenario: ``offline`` profiles each batch size, ``threads`` each number of
            threads, ``single-stream`` the model as it is.
        threads: intra-op threads.

    Raises:
        UsageError: a device that is none or lacks the figures of a roof.
        ModelError, MeasureError: as ``profiled``.
    """
    for subject in models.subjects:
        check_traces(subject.path)
    target = _target(machines.device) if machines.predicting else None
    runs = list(_runs(models, chosen, threads))
    with progress.steps("operators", len(runs) + 1) as steps:
        named = None if machines.host_profile is None else str(machines.host_profile)
        here = figures_here(named if machines.predicting else named or machines.device)
        if target is not None and isinstance(here, str):
            raise UsageError(here, expected="figures of this machine", where="--host-profile")
        steps.advance("this machine")
        records = []
        for run in runs:
            records.append(profiled(run.name, run.path, here, session=run.session, feed=run.feed))
            steps.advance(run.name)
    if target is None or isinstance(here, str):
        return Profiled(tuple(records), ())
    at, name = target, str(machines.device)
    predictions = [
        predicted(record, record.p50_us / 1e3, here, at, target_name=name, threads=threads)
        for record in records
    ]
    return Profiled(tuple(records), tuple(predictions))


class _Run(NamedTuple):
    name: str
    path: Path
    session: Session
    feed: Feed


def _runs(models: Inspected, chosen: Chosen, threads: int) -> Iterator[_Run]:
    """Each model under each condition of the scenario."""
    for subject in models.subjects:
        for condition in conditions(chosen.scenario, chosen.options):
            label = f" ({condition.name})" if condition.name else ""
            yield _Run(
                f"{subject.name}{label}",
                subject.path,
                Session(threads=condition.threads or threads),
                models.own_feed(subject, condition.batch),
            )


def _target(device: str | None) -> Bounds:
    if device is None or device == HOST:
        raise UsageError(
            "--predict without a device",
            expected="one to predict for",
            fix="name it: --device raspberry-pi-4; this machine is measured, not predicted",
        )
    bounds = machine_of(load(device, where="--device"))
    if isinstance(bounds, str):
        raise UsageError(
            bounds,
            expected="a profile with these figures, each a table of value and source",
            where=f"--device {device}",
        )
    return bounds


def document(profiled: Profiled) -> dict[str, Any]:
    """Everything as one JSON document, with the derived figures."""
    return {
        "models": [_document(record) for record in profiled.records],
        "predicted": [
            {"status": "PREDICTED", **prediction.model_dump(mode="json")}
            for prediction in profiled.predicted
        ],
    }


def _document(record: OperatorsRecord) -> dict[str, Any]:
    document = record.model_dump(mode="json")
    for line, operator in zip(document["operators"], record.operators, strict=True):
        line |= _derived(operator)
    kinds = [asdict(kind) | _derived(kind) for kind in by_type(record.operators)]
    return {**document, "types": kinds}


def _derived(row: OperatorTime | Kind) -> dict[str, float | None]:
    return {"intensity": row.intensity, "gop_s": row.gop_s, "attained": row.attained}


def page(profiled: Profiled) -> str:
    """One page with charts that needs nothing but itself and runs no script."""
    from ..report import bench_page

    said = [list(headlines(record)) for record in profiled.records]
    predictions = [line for one in profiled.predicted for line in predicted_lines(one)]
    return bench_page.operators_page(
        profiled.records,
        [*(lines[0] for lines in said), *predictions],
        [line for lines in said for line in lines[1:]],
    )


def screen(profiled: Profiled) -> RenderableType:
    """The same with the first of each table."""
    details = _text("details: more types and operators: --verbose", "dim")
    return Group(summary(profiled, most=_ON_SCREEN), details)


def summary(profiled: Profiled, most: int = _SHOWN) -> RenderableType:
    """Two tables a model, by type and of the slowest operators, and what was predicted.

    Args:
        profiled: the models.
        most: operators of each, and as many types.
    """
    parts: list[RenderableType] = []
    for record in profiled.records:
        parts += [_text(line) for line in headlines(record)]
        head = ("type", "how many")
        kinds = by_type(record.operators)[:most]
        parts.append(
            _table(head, [((k.op, str(k.count)), k) for k in kinds], record.roof is not None)
        )
        slow = slowest(record.operators, most)
        lines = [((o.name, _runs_as(o)), o) for o in slow]
        parts.append(_table(("slowest", "runs as"), lines, record.roof is not None))
        if record.roof_missing is not None:
            parts.append(_text(f"no roofline: {record.roof_missing}", "dim"))
    for prediction in profiled.predicted:
        parts += [_text(line) for line in predicted_lines(prediction)]
    return Group(*parts)


def lines(profiled: Profiled) -> list[Line]:
    """For a CSV: a line an operator; of a prediction a line a model."""
    if profiled.predicted:
        return [
            {
                "name": text(one.name),
                "target": text(one.target),
                "what": "PREDICTED",
                **dict(figure("p50_ms", one.p50_ms)),
            }
            for one in profiled.predicted
        ]
    plain = (str, int, float)
    return [
        {
            "model": text(record.name),
            **{
                key: text(value) if isinstance(value, str) else "" if value is None else value
                for key, value in one.model_dump().items()
                if value is None or isinstance(value, plain)
            },
        }
        for record in profiled.records
        for one in record.operators
    ]


def headlines(record: OperatorsRecord) -> Iterator[str]:
    """What a record says of a file, in plain sentences."""
    macs = total([operator.macs for operator in record.operators])
    unknown = dict.fromkeys(one.op for one in record.operators if one.macs is None)
    counted = (
        f"{macs:,} multiply-accumulates"
        if macs is not None
        else f"operations not all counted ({', '.join(unknown)})"
    )
    yield (
        f"{record.name}: {record.query_us:.1f} µs a query in "
        f"{numbers.how_many(len(record.operators), 'operator')}, {counted}"
    )
    if record.unplaced_macs:
        yield f"{record.unplaced_macs:,} of the file's could not be found in the graph that runs"
    yield (
        f"by onnxruntime's profiling of {record.runs} queries, less what profiling costs (the "
        f"median query takes {record.p50_us:.0f} µs without and {record.profiled_us:.0f} with it), "
        f"{numbers.how_many(record.threads, 'thread')}, {record.runtime}"
    )
    if record.roof is not None:
        int8 = "unknown" if record.roof.gop_s is None else f"{record.roof.gop_s:.3g}"
        yield (
            f"roof of {record.roof.device}, {numbers.how_many(record.roof.cores, 'core')}: "
            f"{record.roof.gflop_s:.3g} GFLOP/s in fp32, {int8} Gop/s in int8, "
            f"{record.roof.gb_s:.3g} GB/s of main memory; above 100 % of it data came from a cache"
        )


def predicted_lines(prediction: Predicted) -> Iterator[str]:
    """A prediction and how it was made; every line says that it is one."""
    p50 = numbers.show(prediction.p50_ms, numbers.MILLISECONDS)
    yield f"PREDICTED on {prediction.target}, never measured: {prediction.name} p50 {p50}"
    yield f"PREDICTED for {prediction.device}, {numbers.how_many(prediction.threads, 'thread')}"
    yield prediction.p50_ms.method
    if prediction.unroofed:
        yield (
            f"PREDICTED: {prediction.unroofed} operators have no roof (not counted); they are "
            "scaled by whichever figure is the slowest"
        )


def _runs_as(operator: OperatorTime) -> str:
    more = [op for op in operator.fused if op != operator.op]
    return f"{operator.op} ({' '.join(more)})" if more else operator.op


def _table(
    head: tuple[str, str],
    lines: Sequence[tuple[tuple[str, str], OperatorTime | Kind]],
    roofed: bool,
) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in head:
        table.add_column(name, overflow="fold", max_width=26)
    names = ("µs", "share", "MACs", "bytes", "op/B", "Gop/s", *(("roof",) if roofed else ()))
    for name in names:
        table.add_column(name, justify="right")
    for cells, row in lines:
        figures = (
            f"{row.us:.1f}",
            f"{row.share:.0%}",
            _short(row.macs),
            _short(row.bytes),
            _short(row.intensity),
            _given(row.gop_s, ".3g"),
        )
        last = (_given(row.attained, ".0%"),) if roofed else ()
        table.add_row(*(_text(cell) for cell in (*cells, *figures, *last)))
    return table


def _short(value: float | None) -> str:
    """A count in three digits, as ``2.36M``."""
    if value is None:
        return "—"
    factor, name = next(
        (step for step in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= step[0]), (1.0, "")
    )
    return f"{value / factor:.3g}{name}"


def _given(value: float | None, form: str) -> str:
    return "—" if value is None else format(value, form)


def _text(text: str, style: str = "") -> Text:
    return Text(numbers.printable(text), style)
