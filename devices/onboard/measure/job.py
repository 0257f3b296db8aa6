"""What a parent asks of a worker: one JSON document each.

    >>> from_json(to_json(InspectJob("m.onnx"))).model
    'm.onnx'

Unknown keys are refused on the far side as well: the two may be of different versions.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from ....errors import UsageError
from ..settings import Feed, Session, Timing, feed_of, session_of, timing_of

if TYPE_CHECKING:
    # Not at run time: to make these records takes time before a cold start's first own line.
    from .answer import (  # noqa: F401  # the names stand in strings
        Answer,
        AnswersAnswer,
        ArenaAnswer,
        CountAnswer,
        InspectAnswer,
        MeasureAnswer,
        MemoryAnswer,
        OperatorsAnswer,
        PeaksAnswer,
        ProbeAnswer,
        ScenarioAnswer,
    )

A = TypeVar("A", bound="Answer")


@dataclass(frozen=True, slots=True)
class JobFor(Generic[A]):
    """A job that is answered with an `A`."""

    if TYPE_CHECKING:

        @property
        def session(self) -> Session:
            """How the runtime holds the model."""


@dataclass(frozen=True, slots=True)
class MeasureJob(JobFor["MeasureAnswer"]):
    """Measure one model in this process.

    Attributes:
        model: path of the model.
        samples: where the raw latencies go, a `.npy` file of int64 nanoseconds.
        session: how the runtime holds the model.
        feed: what it is queried with.
        timing: how long it is timed.
        kind: which job this is.
    """

    model: str
    samples: str
    session: Session = field(default_factory=Session)
    feed: Feed = field(default_factory=Feed)
    timing: Timing = field(default_factory=Timing)
    kind: Literal["measure"] = "measure"


@dataclass(frozen=True, slots=True)
class InspectJob(JobFor["InspectAnswer"]):
    """Say what a model takes, gives and costs, without running it.

    Attributes:
        model: path of the model.
        session: how the runtime loads it.
        feed: batch and shapes, for the costs.
        kind: which job this is.
    """

    model: str
    session: Session = field(default_factory=Session)
    feed: Feed = field(default_factory=Feed)
    kind: Literal["inspect"] = "inspect"


@dataclass(frozen=True, slots=True)
class OperatorsJob(JobFor["OperatorsAnswer"]):
    """Time every operator of one model in this process.

    Attributes:
        model: path of the model, an ONNX file.
        session: how the runtime holds the model.
        feed: what it is queried with.
        runs: how many queries to take the times of; fewer of a model that takes long.
        warmup_seconds: when to stop waiting for the latencies to settle.
        kind: which job this is.
    """

    model: str
    session: Session = field(default_factory=Session)
    feed: Feed = field(default_factory=Feed)
    runs: int = 200
    warmup_seconds: float = 0.5
    kind: Literal["operators"] = "operators"


@dataclass(frozen=True, slots=True)
class ScenarioJob(JobFor["ScenarioAnswer"]):
    """Measure one model under a load other than one query after the other.

    Attributes:
        model: path of the model.
        scenario: which load, see `measure.scenario`.
        samples: where the raw figures go, a `.npy` file; `cold-start` has none.
        session: how the runtime holds the model.
        feed: what it is queried with.
        timing: how long it is timed; in `sustained`, `max_queries` is of each window.
        streams: how many threads query.
        rate_per_s: of `server`, queries a second.
        poisson: of `server`, whether gaps are random.
        seed: of `server`, of random gaps.
        windows: of `sustained`, how many stretches to look at.
        kind: which job this is.
    """

    model: str
    scenario: str
    samples: str
    session: Session = field(default_factory=Session)
    feed: Feed = field(default_factory=Feed)
    timing: Timing = field(default_factory=Timing)
    streams: int = 1
    rate_per_s: float = 1.0
    poisson: bool = True
    seed: int = 0
    windows: int = 1
    kind: Literal["scenario"] = "scenario"


@dataclass(frozen=True, slots=True)
class CountJob(JobFor["CountAnswer"]):
    """Run one model where something around this process counts its instructions.

    Attributes:
        model: path of the model.
        counter: what counts: `callgrind` or `qemu`.
        pairs: marked regions of one inference, each followed by one of two; even, for what repeats
            every two.
        session: how the runtime holds the model; a count is of one thread.
        feed: what it is queried with; of real inputs, the first batch.
        kind: which job this is.
    """

    model: str
    counter: Literal["callgrind", "qemu"]
    pairs: int = 6
    session: Session = field(default_factory=Session)
    feed: Feed = field(default_factory=Feed)
    kind: Literal["count"] = "count"


@dataclass(frozen=True, slots=True)
class AnswersJob(JobFor["AnswersAnswer"]):
    """Write what one model answers.

    Attributes:
        model: path of the model.
        outputs: the `.npz` to write, one array an output, its name being `output_0` and so on.
        feed: the inputs to answer, an `.npz`.
        session: how the runtime holds the model.
        optimized: a folder for `optimized.onnx`, the graph that runs, or None.
        every: whether every sample is answered, in order, along the first axis of each input; else
            the queries that a measurement takes.
        queries: of so many queries at most, made-up ones where there are no real inputs, every
            answer by itself, the names being `query_0_output_0` and so on; `samples` holds how many
            samples each has. None: an output's answers are one array.
        kind: which job this is.
    """

    model: str
    outputs: str
    feed: Feed
    session: Session = field(default_factory=Session)
    optimized: str | None = None
    every: bool = False
    queries: int | None = None
    kind: Literal["answers"] = "answers"


@dataclass(frozen=True, slots=True)
class MemoryJob(JobFor["MemoryAnswer"]):
    """Memory of one model in this process, without its latency.

    Attributes:
        model: path of the model.
        session: how the runtime holds the model.
        feed: what it is queried with.
        queries: how many to run; memory patterns come with the second.
        analyze: whether to work out from the graph what its weights and tensors take as well.
        kind: which job this is.
    """

    model: str
    session: Session = field(default_factory=Session)
    feed: Feed = field(default_factory=Feed)
    queries: int = 8
    analyze: bool = False
    kind: Literal["memory"] = "memory"


@dataclass(frozen=True, slots=True)
class ArenaJob(JobFor["ArenaAnswer"]):
    """Say how much memory a microcontroller needs for a model.

    Attributes:
        model: path of the model, a `.tflite` file.
        session: names the runtime; one that has an arena.
        feed: what it is queried with; made up.
        kind: which job this is.
    """

    model: str
    session: Session = field(default_factory=lambda: Session(runtime="tflite-micro"))
    feed: Feed = field(default_factory=Feed)
    kind: Literal["arena"] = "arena"


@dataclass(frozen=True, slots=True)
class ProbeJob(JobFor["ProbeAnswer"]):
    """Say which runtime is there.

    Attributes:
        session: one thread.
        kind: which job this is.
    """

    session: Session = field(default_factory=Session)
    kind: Literal["probe"] = "probe"


@dataclass(frozen=True, slots=True)
class AttainJob(JobFor["PeaksAnswer"]):
    """Say what one thread attains of this machine: memory bandwidth, fp32 and int8 arithmetic.

    Attributes:
        model: path of an ONNX file that multiplies int8 matrices (`probe.int8_matmul`).
        array_bytes: of each array that is copied; well above the last cache.
        side: rows and columns of the matrices; 384 take about a millisecond.
        seconds: how long each of the three is repeated.
        session: one thread; more would share what is measured.
        kind: which job this is.
    """

    model: str
    array_bytes: int
    side: int = 384
    seconds: float = 1.0
    session: Session = field(default_factory=Session)
    kind: Literal["attain"] = "attain"


RESULTS: Mapping[str, str] = {"samples": ".npy", "outputs": ".npz"}
"""The fields that name the file for a job's results, of which a job has one, and its suffix."""
Job = (
    MeasureJob
    | InspectJob
    | OperatorsJob
    | MemoryJob
    | AttainJob
    | ScenarioJob
    | CountJob
    | AnswersJob
    | ArenaJob
    | ProbeJob
)
_KINDS: Mapping[str, type[Job]] = {
    "measure": MeasureJob,
    "inspect": InspectJob,
    "operators": OperatorsJob,
    "memory": MemoryJob,
    "attain": AttainJob,
    "scenario": ScenarioJob,
    "count": CountJob,
    "answers": AnswersJob,
    "arena": ArenaJob,
    "probe": ProbeJob,
}
_PARTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "session": session_of,
    "feed": feed_of,
    "timing": timing_of,
}


def to_json(job: JobFor[Any]) -> str:
    """The job as one JSON document."""
    return json.dumps(dataclasses.asdict(job))


def from_json(text: str) -> Job:
    """The job out of its JSON document.

    Raises:
        UsageError: no JSON object, an unknown kind, or a key that is unknown or missing.
    """
    try:
        document: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"a job that is not JSON ({error})") from None
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise UsageError(f"job kind {kind!r}", expected=f"one of {', '.join(_KINDS)}")
    try:
        parts = {key: _PARTS[key](document[key]) for key in _PARTS if key in document}
        return _KINDS[kind](**{**document, **parts})
    except TypeError as error:
        raise UsageError(f"a job with wrong keys ({error})") from None
