"""What a worker answers: one record for each kind of job.

    >>> PROBE = ProbeAnswer(runtime="onnxruntime 1.32.0", providers=(), process_threads=1)
    >>> PROBE.process_threads
    1

A process that times a cold start holds nothing but the standard library, so this module imports
what needs numpy for the type checker only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..machine.conditions import Conditions
    from ..model.cost import Cost, NodeCost
    from ..model.liveness import Needs
    from ..model.modelfile import Input
    from ..model.outline import Outline
    from ..runtimes.contract import Arena, Tensor


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """The process that did a job.

    Attributes:
        modules: names of all imported modules, sorted.
        cores: logical cores that it was allowed to use, sorted; None where no system
            call tells.
        process_start_ms: from starting the process to its first own line; None where its parent
            gave no start.
        memory_limit: what limited its memory, `control group` or `address space`; None: nothing.
    """

    modules: tuple[str, ...] = ()
    cores: tuple[int, ...] | None = None
    process_start_ms: float | None = None
    memory_limit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What every job answers.

    Attributes:
        runtime: the runtime and its version.
        process: the process that did the job; the worker fills it in.
    """

    runtime: str
    process: ProcessFacts = ProcessFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer(Answer):
    """Which runtime loads here.

    Attributes:
        providers: execution providers of the runtime.
        process_threads: threads of the process; None where the kernel does not give them.
    """

    providers: tuple[str, ...]
    process_threads: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectAnswer(Answer):
    """What a model takes, gives and costs.

    Attributes:
        format: format of the file, such as `onnx` and `ort`.
        inputs: of the model.
        outputs: of the model.
        cost: of one inference; None where it was not counted.
        cost_missing: why `cost` is None.
        external_files: paths of the files that hold the model's data beside it.
        file_bytes: size of the model with these files.
        training: the operators that act as in training, as a sentence; None where there is none.
        library_bytes: size of the runtime's shared libraries that are in memory with the model;
            None where the kernel does not list them.
        libraries: their names.
    """

    format: str
    inputs: tuple[Input, ...]
    outputs: tuple[Input, ...]
    cost: Cost | None
    cost_missing: str | None
    external_files: tuple[str, ...]
    file_bytes: int
    training: str | None = None
    library_bytes: int | None = None
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTime:
    """The time of one operator of the optimized graph, medians over the runs.

    Attributes:
        node: its index in that graph; None where it cannot be placed.
        name: the runtime's name for it; untrusted text.
        op: operator type.
        provider: execution provider.
        calls: calls a query.
        us: microseconds a query.
        type: type of its first input; empty where it has none.
        elements: numbers in its first input; None where the runtime did not report them.
        bytes: bytes read and written a query; None where the runtime did not report them.
    """

    node: int | None
    name: str
    op: str
    provider: str
    calls: float
    us: float
    type: str
    elements: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorsAnswer(Answer):
    """The time of each operator and the graphs to read it by.

    Attributes:
        p10_us: 10th percentile of queries without profiling, microseconds.
        p50_us: median query without profiling.
        p50_profiled_us: median query with profiling.
        runs: profiled queries.
        operators: in the order they ran.
        source: the graph of the file.
        costs: one for each node of `source`.
        optimized: the graph that the runtime made of it.
    """

    p10_us: float
    p50_us: float
    p50_profiled_us: float
    runs: int
    operators: tuple[OperatorTime, ...]
    source: Outline
    costs: tuple[NodeCost, ...]
    optimized: Outline


@dataclass(frozen=True, slots=True)
class Rate:
    """Units a second over repeats of one kernel.

    Attributes:
        median: of the repeats.
        p90: 90th percentile of the repeats.
        best: of the repeats.
        repeats: how many were timed.
    """

    median: float
    p90: float
    best: float
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeaksAnswer(Answer):
    """What one thread attains of this machine.

    Attributes:
        bytes_s: bytes copied a second.
        fp32_flop_s: fp32 operations a second.
        int8_op_s: int8 operations a second.
        numpy: version of numpy, which copies and multiplies in fp32.
        blas: the library behind numpy's matrix product.
    """

    bytes_s: Rate
    fp32_flop_s: Rate
    int8_op_s: Rate
    numpy: str
    blas: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountAnswer(Answer):
    """What ran while its instructions were counted.

    Attributes:
        machine: the architecture, as `uname -m` prints it.
        python: version of Python.
    """

    machine: str
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersAnswer(Answer):
    """What wrote a model's outputs.

    Attributes:
        machine: the architecture, as `uname -m` prints it.
    """

    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaAnswer(Answer):
    """What a model takes of a microcontroller's memory.

    Attributes:
        arena: the memory.
        takes: the model's inputs with their scales.
        gives: its outputs with theirs.
    """

    arena: Arena
    takes: tuple[Tensor, ...]
    gives: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """What was the same for every process that measures memory.

    Attributes:
        addresses: whether the process ran without address randomization.
        malloc: whether malloc's thresholds were fixed.
    """

    addresses: bool
    malloc: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryAnswer(Answer):
    """Memory of one model in a process that times nothing.

    Attributes:
        peak_memory_bytes: high-water mark over the baseline; None where it is not measured.
        peak_memory_missing: why it is None.
        pss_bytes: growth of the proportional share; None where it is not measured.
        pss_missing: why it is None.
        fixed: what did not vary.
        graph: memory by the graph alone; None where the job did not want it.
    """

    peak_memory_bytes: int | None
    peak_memory_missing: str | None
    pss_bytes: int | None
    pss_missing: str | None
    fixed: Fixed
    graph: Needs | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnswer(Answer):
    """A model that was warmed up and then run under a load.

    Attributes:
        settled: whether its latencies had settled before the clock started.
        timed_from: unix seconds when the clock started.
        timed_seconds: how long it ran.
        energy_uj: microjoules of a query by RAPL, the idle machine's not subtracted; None where
            they are not measured.
        energy_missing: why they are None.
        conditions: the machine before and after.
        providers: execution providers of the session.
        involuntary_switches: how often the kernel took the core away meanwhile; None where it does
            not count that.
    """

    settled: bool
    timed_from: float
    timed_seconds: float
    energy_uj: float | None
    energy_missing: str | None
    conditions: tuple[Conditions, Conditions]
    providers: tuple[str, ...]
    involuntary_switches: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedAnswer(RunAnswer):
    """A run whose queries this package timed.

    Attributes:
        queries: how many.
    """

    queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureAnswer(TimedAnswer):
    """One query after the other.

    Attributes:
        load_ms: from the file to a session.
        first_inference_ms: the first query.
        warmup_queries: queries of the warm-up.
        warmup_seconds: how long it took.
        cpu_seconds: CPU time of this process while the queries were timed.
        feeds: batches that were queried in turn.
        peak_memory_bytes: high-water mark over the baseline; None where it is not measured.
        peak_memory_total_bytes: the high-water mark itself.
        peak_memory_missing: why the two are None.
        pss_bytes: growth of the proportional share; None where it is not measured.
        pss_missing: why it is None.
        process_threads: threads of the process; None where the kernel does not give them.
        python: version of Python.
    """

    load_ms: float
    first_inference_ms: float
    warmup_queries: int
    warmup_seconds: float
    cpu_seconds: float
    feeds: int
    peak_memory_bytes: int | None
    peak_memory_total_bytes: int | None
    peak_memory_missing: str | None
    pss_bytes: int | None
    pss_missing: str | None
    process_threads: int | None
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAnswer(TimedAnswer):
    """A load of several columns a query, such as `multi-stream`.

    Attributes:
        columns: names of the columns of the samples file.
    """

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAnswer(LoadAnswer):
    """Queries at a fixed rate.

    Attributes:
        unanswered: queries that the end of the run found still waiting.
    """

    unanswered: int


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a sustained run.

    Attributes:
        start_s: from the beginning.
        queries: how many ended in it.
        p50_ns: median latency.
        p90_ns: 90th percentile of latency, None where there were too few for one.
        mhz: the fastest of the allowed cores' clocks at its end, None where unreadable.
        throttled: how often the kernel had seen the cores throttled since it started, None where
            it does not count.
    """

    start_s: float
    queries: int
    p50_ns: float
    p90_ns: float | None
    mhz: float | None
    throttled: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SustainedAnswer(LoadAnswer):
    """One query after the other for minutes.

    Attributes:
        windows: stretches of the run, in order.
    """

    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadgenAnswer(RunAnswer):
    """A run that MLPerf's loadgen drove; see `loadgen.Loadgen`.

    Attributes:
        p50_ns: loadgen's median latency.
        p90_ns: loadgen's 90th percentile.
        early_stopping_p90_ns: its early-stopping estimate of that.
        inside_p50_ns: median latency of the same queries by our clock around the session.
        inside_p90_ns: 90th percentile of those.
        valid: whether loadgen called the run valid.
    """

    p50_ns: float
    p90_ns: float
    early_stopping_p90_ns: float | None
    inside_p50_ns: float
    inside_p90_ns: float
    valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStartAnswer(Answer):
    """The first answer of a fresh process.

    Attributes:
        import_ms: to import numpy and the runtime.
        load_ms: from the file to a session.
        first_inference_ms: the first query.
    """

    import_ms: float
    load_ms: float
    first_inference_ms: float


ScenarioAnswer = LoadAnswer | LoadgenAnswer | ColdStartAnswer
