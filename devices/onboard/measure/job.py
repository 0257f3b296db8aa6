"""What a parent asks of a worker: one JSON document each.

    >>> from_json(to_json(ProbeJob()))
    ProbeJob(kind='probe')

Unknown keys are refused on the far side as well: the two may be of different versions.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ....errors import UsageError


@dataclass(frozen=True, slots=True)
class MeasureJob:
    """Measure one model in this process.

    Attributes:
        model: path of the model.
        samples: where the raw latencies go, a `.npy` file of int64 nanoseconds.
        inputs: an `.npz` of real inputs, or None to make them up.
        threads: intra-op threads.
        spinning: whether idle threads spin.
        optimization: graph optimization level.
        providers: execution providers.
        batch: samples a query.
        shapes: full shape by input name.
        seconds: how long to time.
        min_queries: fewest to time.
        max_queries: most to time.
        warmup_seconds: when to stop waiting for it to settle.
        seed: of made-up inputs.
        kind: which job this is.
    """

    model: str
    samples: str
    inputs: str | None = None
    threads: int = 1
    spinning: bool = False
    optimization: str = "all"
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    batch: int = 1
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    seconds: float = 0.3
    min_queries: int = 64
    max_queries: int = 10_000
    warmup_seconds: float = 2.0
    seed: int = 0
    kind: Literal["measure"] = "measure"


@dataclass(frozen=True, slots=True)
class InspectJob:
    """Say what a model takes, gives and costs, without running it.

    Attributes:
        model: path of the model.
        batch: samples a query, for the costs.
        shapes: full shape by input name, for the costs.
        threads: for loading it.
        kind: which job this is.
    """

    model: str
    batch: int = 1
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    threads: int = 1
    kind: Literal["inspect"] = "inspect"


@dataclass(frozen=True, slots=True)
class OperatorsJob:
    """Time every operator of one model in this process.

    Attributes:
        model: path of the model, an ONNX file.
        inputs: an `.npz` of real inputs, or None to make them up.
        threads: intra-op threads.
        batch: samples a query.
        shapes: full shape by input name.
        runs: how many queries to take the times of.
        warmup_seconds: when to stop waiting for it to settle.
        seed: of made-up inputs.
        kind: which job this is.
    """

    model: str
    inputs: str | None = None
    threads: int = 1
    batch: int = 1
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    runs: int = 200
    warmup_seconds: float = 0.5
    seed: int = 0
    kind: Literal["operators"] = "operators"


@dataclass(frozen=True, slots=True)
class ScenarioJob:
    """Measure one model under a load other than one query after the other.

    Attributes:
        model: path of the model.
        scenario: which load, see `measure.scenario`.
        samples: where the raw figures go, a `.npy` file; `cold-start` has none.
        inputs: an `.npz` of real inputs, or None to make them up.
        threads: intra-op threads.
        spinning: whether idle threads spin.
        optimization: graph optimization level.
        providers: execution providers.
        batch: samples a query.
        shapes: full shape by input name.
        seconds: how long to time.
        min_queries: fewest to time.
        max_queries: most to time; in `sustained`, a window.
        warmup_seconds: when to stop waiting for it to settle.
        seed: of made-up inputs and of arrivals.
        streams: how many threads query.
        rate_per_s: of `server`, queries a second.
        poisson: of `server`, whether gaps are random.
        windows: of `sustained`, how many stretches to look at.
        kind: which job this is.
    """

    model: str
    scenario: Literal["multi-stream", "server", "sustained", "cold-start", "loadgen"]
    samples: str
    inputs: str | None = None
    threads: int = 1
    spinning: bool = False
    optimization: str = "all"
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    batch: int = 1
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    seconds: float = 0.3
    min_queries: int = 64
    max_queries: int = 10_000
    warmup_seconds: float = 2.0
    seed: int = 0
    streams: int = 1
    rate_per_s: float = 1.0
    poisson: bool = True
    windows: int = 1
    kind: Literal["scenario"] = "scenario"


@dataclass(frozen=True, slots=True)
class CountJob:
    """Run one model where something around this process counts its instructions.

    Attributes:
        model: path of the model.
        counter: what counts: `callgrind` or `qemu`.
        pairs: marked regions of one inference, each followed by one of two; even, for what repeats
            every two.
        inputs: an `.npz` of real inputs, of which the first batch is taken, or None to make them
            up.
        threads: intra-op threads; a count is of one.
        optimization: graph optimization level.
        batch: samples a query.
        shapes: full shape by input name.
        seed: of made-up inputs.
        kind: which job this is.
    """

    model: str
    counter: Literal["callgrind", "qemu"]
    pairs: int = 6
    inputs: str | None = None
    threads: int = 1
    optimization: str = "all"
    batch: int = 1
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    seed: int = 0
    kind: Literal["count"] = "count"


@dataclass(frozen=True, slots=True)
class AnswersJob:
    """Write what one model answers.

    Attributes:
        model: path of the model.
        inputs: an `.npz` of inputs, samples along the first axis.
        outputs: the `.npz` to write, one array an output, its name being `output_0` and so on.
        threads: intra-op threads.
        optimization: graph optimization level.
        batch: samples a query.
        precise: whether an x86 CPU without VNNI computes int8 without saturation.
        optimized: a folder for `optimized.onnx`, the graph that runs, or None.
        kind: which job this is.
    """

    model: str
    inputs: str
    outputs: str
    threads: int = 1
    optimization: str = "all"
    batch: int = 1
    precise: bool = False
    optimized: str | None = None
    kind: Literal["answers"] = "answers"


@dataclass(frozen=True, slots=True)
class MemoryJob:
    """Memory of one model in this process, without its latency.

    Attributes:
        model: path of the model.
        inputs: an `.npz` of real inputs, or None to make them up.
        threads: intra-op threads.
        optimization: graph optimization level.
        providers: execution providers.
        batch: samples a query.
        shapes: full shape by input name.
        queries: how many to run; memory patterns come with the second.
        arena: whether the runtime keeps an arena.
        pattern: whether the runtime plans the tensors of a query into one block.
        analyze: whether to work out from the graph what its weights and tensors take as well.
        seed: of made-up inputs.
        kind: which job this is.
    """

    model: str
    inputs: str | None = None
    threads: int = 1
    optimization: str = "all"
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    batch: int = 1
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    queries: int = 8
    arena: bool = True
    pattern: bool = True
    analyze: bool = False
    seed: int = 0
    kind: Literal["memory"] = "memory"


@dataclass(frozen=True, slots=True)
class ProbeJob:
    """Say which runtime is there.

    Attributes:
        kind: which job this is.
    """

    kind: Literal["probe"] = "probe"


@dataclass(frozen=True, slots=True)
class AttainJob:
    """Say what one thread attains of this machine: memory bandwidth, fp32 and int8 arithmetic.

    Attributes:
        model: path of an ONNX file that multiplies int8 matrices (`probe.int8_matmul`).
        array_bytes: of each array that is copied; well above the last cache.
        side: rows and columns of the matrices; 384 take about a millisecond.
        seconds: how long each of the three is repeated.
        threads: one; more would share what is measured.
        kind: which job this is.
    """

    model: str
    array_bytes: int
    side: int = 384
    seconds: float = 1.0
    threads: Literal[1] = 1
    kind: Literal["attain"] = "attain"


Job = (
    MeasureJob
    | InspectJob
    | OperatorsJob
    | MemoryJob
    | AttainJob
    | ScenarioJob
    | CountJob
    | AnswersJob
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
    "probe": ProbeJob,
}


def to_json(job: Job) -> str:
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
    # JSON has no tuples; what went in as one comes out as one.
    if "shapes" in document:
        document["shapes"] = {name: tuple(dims) for name, dims in document["shapes"].items()}
    if "providers" in document:
        document["providers"] = tuple(document["providers"])
    try:
        return _KINDS[kind](**document)
    except TypeError as error:
        raise UsageError(f"a job with wrong keys ({error})") from None
