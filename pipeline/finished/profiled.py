"""The time of models operator by operator, and what a device known by its profile would take.

>>> found = look(models, Machines(None, None, False), Silent(), chosen, threads=1)  # doctest: +SKIP
>>> found["fp32.onnx"].operators[0].us                                     # doctest: +SKIP
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ...devices.onboard.runtimes import check_traces
from ...devices.onboard.settings import Feed, Session
from ...devices.operators.roofline import Bounds, machine_of
from ...devices.profiles.profile import HOST, load
from ...devices.scenarios.run import conditions
from ...errors import UsageError, no_name
from ..judge.operator_types import Kind, by_type, slowest, total
from ..judge.operators import figures_here, profiled
from ..judge.predictions import predicted
from ..printable import how_many
from ..progress import Progress
from ..records import OperatorsRecord, OperatorTime, Predicted
from ..report import numbers
from .inspected import Inspected
from .result import Result, figure
from .scenario import Chosen
from .screen import Screen, cell

_ON_SCREEN = 12


@dataclass(frozen=True, slots=True, repr=False)
class Profiled(Result):
    """Operators of models, and predictions.

    Attributes:
        models: one record a model, or a condition of it; its operators in the order of execution.
        predicted: one a model, where a device was predicted for.
    """

    models: tuple[OperatorsRecord, ...]
    predicted: tuple[Predicted, ...]

    def __getitem__(self, name: str) -> OperatorsRecord:
        """The operators of the model of this name.

        Raises:
            UnknownNameError: there is none; it is a KeyError, too.
        """
        for record in self.models:
            if record.name == name:
                return record
        raise no_name(name, (record.name for record in self.models))

    def screen(self) -> Screen:
        """The slowest operators of each model, or the predictions."""
        if self.predicted:
            return Screen(
                title=f"{numbers.how_many(len(self.models), 'model')}, PREDICTED, never measured",
                head=("model", "device", "p50"),
                rows=tuple(
                    (one.name, one.target, cell(one.p50_ms, numbers.MILLISECONDS))
                    for one in self.predicted
                ),
                below=(self.predicted[0].p50_ms.method,),
            )
        each = max(1, _ON_SCREEN // len(self.models))
        return Screen(
            title=f"{numbers.how_many(len(self.models), 'model')}, operator by operator",
            head=("model", "operator", "runs as", "µs", "share", "of the roof"),
            rows=tuple(
                (
                    record.name,
                    one.name,
                    one.op,
                    f"{one.us:.1f}",
                    f"{one.share:.0%}",
                    "—" if one.attained is None else f"{one.attained:.0%}",
                )
                for record in self.models
                for one in slowest(record.operators, each)
            ),
            below=tuple(next(headlines(record)) for record in self.models[:3]),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping an operator; of a prediction one a model."""
        if self.predicted:
            return [
                {
                    "name": one.name,
                    "target": one.target,
                    "what": "PREDICTED",
                    **dict(figure("p50_ms", one.p50_ms)),
                }
                for one in self.predicted
            ]
        plain = (str, int, float)
        return [
            {
                "model": record.name,
                **{
                    key: value
                    for key, value in one.model_dump().items()
                    if value is None or isinstance(value, plain)
                },
            }
            for record in self.models
            for one in record.operators
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``bench --operators --json``."""
        return {
            "models": [_document(record) for record in self.models],
            "predicted": [
                {"status": "PREDICTED", **prediction.model_dump(mode="json")}
                for prediction in self.predicted
            ],
        }


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


def _document(record: OperatorsRecord) -> dict[str, Any]:
    document = record.model_dump(mode="json")
    for line, operator in zip(document["operators"], record.operators, strict=True):
        line |= _derived(operator)
    kinds = [asdict(kind) | _derived(kind) for kind in by_type(record.operators)]
    return {**document, "types": kinds}


def _derived(row: OperatorTime | Kind) -> dict[str, float | None]:
    return {"intensity": row.intensity, "gop_s": row.gop_s, "attained": row.attained}


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
            f"PREDICTED: {how_many(prediction.unroofed, 'operator')} without a roof (not counted), "
            "scaled by whichever figure is the slowest"
        )
