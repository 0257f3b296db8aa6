"""An answer as one JSON document, and back.

    >>> answer = CountAnswer(runtime="onnxruntime 1.32.0", machine="x86_64", python="3.11.9")
    >>> from_json(CountAnswer, to_json(answer)) == answer
    True

Unknown and missing keys are refused: a device may have an older copy of this package.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ....errors import MeasureError
from ..machine.conditions import Conditions
from .answer import (
    Answer,
    AnswersAnswer,
    ArenaAnswer,
    ColdStartAnswer,
    CountAnswer,
    Fixed,
    InspectAnswer,
    LoadAnswer,
    LoadgenAnswer,
    MeasureAnswer,
    MemoryAnswer,
    OperatorsAnswer,
    OperatorTime,
    PeaksAnswer,
    ProbeAnswer,
    ProcessFacts,
    Rate,
    ServerAnswer,
    SustainedAnswer,
    Window,
)
from .job import (
    AnswersJob,
    ArenaJob,
    AttainJob,
    CountJob,
    InspectJob,
    JobFor,
    MeasureJob,
    MemoryJob,
    OperatorsJob,
    ProbeJob,
    ScenarioJob,
)

A = TypeVar("A", bound=Answer)
R = TypeVar("R")
Decoder = Callable[[Any], Any]


def answer_type(job: JobFor[A]) -> type[A]:
    """The record that a job answers with; where the scenario is unknown, that of any load."""
    kind: type[Any] = (
        _SCENARIOS.get(job.scenario, LoadAnswer)
        if isinstance(job, ScenarioJob)
        else _ANSWERS[type(job)]
    )
    return kind


def to_json(answer: Answer) -> dict[str, Any]:
    """The answer as JSON-ready values."""
    return dataclasses.asdict(answer)


def from_json(kind: type[A], document: Mapping[str, Any]) -> A:
    """The answer out of its JSON-ready values.

    Raises:
        MeasureError: a key that is unknown or missing, or a value of another form.
    """
    try:
        return _record(kind, document, _PARTS)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise MeasureError(f"a worker's answer of another form ({error!r:.200})") from None


def _record(
    kind: type[R], document: Mapping[str, Any], parts: Mapping[str, Decoder] | None = None
) -> R:
    """A dataclass out of an object with exactly its keys, parts of it decoded by their key."""
    expected = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    wrong = {"unknown": document.keys() - expected, "missing": expected - document.keys()}
    for what, keys in wrong.items():
        if keys:
            raise MeasureError(
                f"a worker's answer with {what} keys: {', '.join(sorted(keys))}",
                expected=f"the keys of {kind.__name__}",
                fix="let the worker run the same version of edgestill",
            )
    decoders = parts or {}
    return kind(
        **{
            key: decoders[key](value) if key in decoders and value is not None else value
            for key, value in document.items()
        }
    )


def _process(document: Mapping[str, Any]) -> ProcessFacts:
    return _record(ProcessFacts, document, {"modules": tuple, "cores": tuple})


def _conditions(documents: Sequence[Mapping[str, Any]]) -> tuple[Conditions, Conditions]:
    before, after = documents
    return _record(Conditions, before), _record(Conditions, after)


def _ports(documents: Sequence[Mapping[str, Any]]) -> Any:
    from ..model.modelfile import Input

    return tuple(_record(Input, port, {"shape": tuple}) for port in documents)


def _cost(document: Mapping[str, Any]) -> Any:
    from ..model.cost import Cost

    return _record(Cost, document, {"notes": tuple})


def _costs(documents: Sequence[Mapping[str, Any]]) -> Any:
    from ..model.cost import NodeCost

    return tuple(_record(NodeCost, cost) for cost in documents)


def _outline(document: Mapping[str, Any]) -> Any:
    from ..model import outline

    return outline.from_json(document)


def _needs(document: Mapping[str, Any]) -> Any:
    from ..model.liveness import Needs

    return _record(Needs, document)


def _arena(document: Mapping[str, Any]) -> Any:
    from ..runtimes.contract import Arena

    return _record(Arena, document)


def _tensors(documents: Sequence[Mapping[str, Any]]) -> Any:
    from ..runtimes.contract import Tensor

    return tuple(_record(Tensor, tensor, {"shape": tuple}) for tensor in documents)


def _rate(document: Mapping[str, Any]) -> Rate:
    return _record(Rate, document)


_PARTS: Mapping[str, Decoder] = {
    "process": _process,
    "providers": tuple,
    "columns": tuple,
    "external_files": tuple,
    "libraries": tuple,
    "conditions": _conditions,
    "windows": lambda windows: tuple(_record(Window, window) for window in windows),
    "inputs": _ports,
    "outputs": _ports,
    "cost": _cost,
    "costs": _costs,
    "operators": lambda times: tuple(_record(OperatorTime, time) for time in times),
    "source": _outline,
    "optimized": _outline,
    "fixed": lambda fixed: _record(Fixed, fixed),
    "graph": _needs,
    "bytes_s": _rate,
    "fp32_flop_s": _rate,
    "int8_op_s": _rate,
    "arena": _arena,
    "takes": _tensors,
    "gives": _tensors,
}
"""How a value is read that is not a number or a text, by its key."""

_ANSWERS: Mapping[type[JobFor[Any]], type[Answer]] = {
    MeasureJob: MeasureAnswer,
    InspectJob: InspectAnswer,
    OperatorsJob: OperatorsAnswer,
    MemoryJob: MemoryAnswer,
    AttainJob: PeaksAnswer,
    CountJob: CountAnswer,
    AnswersJob: AnswersAnswer,
    ArenaJob: ArenaAnswer,
    ProbeJob: ProbeAnswer,
}
_SCENARIOS: Mapping[str, type[Answer]] = {
    "multi-stream": LoadAnswer,
    "server": ServerAnswer,
    "sustained": SustainedAnswer,
    "loadgen": LoadgenAnswer,
    "cold-start": ColdStartAnswer,
}
