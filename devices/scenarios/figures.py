"""The figures of models that answered one query after the other, as reports show and keep them.

`conclude` makes them; `single_stream.measure` brings them all.
"""

from dataclasses import dataclass, field

from ..onboard.stats.estimate import Estimate
from .result import Result

_NOT_COUNTED = Estimate.unknown(
    "instructions were not counted; benchmark.instructions = true does", unit="instructions"
)
NO_ARENA = Estimate.unknown(
    "only a file for microcontrollers (format tflite-micro) has an arena", unit="bytes"
)
_UNRECORDED = "the version that measured this did not record it"
_NO_PEAK = Estimate.unknown(_UNRECORDED, unit="bytes")
_NO_EARLY_STOPPING = Estimate.unknown(_UNRECORDED, unit="ms")
_NO_RATIO = Estimate.unknown(_UNRECORDED, unit="ratio")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory in other views than the peak; no two of them may be added up.

    Attributes:
        pss_bytes: growth of the proportional set size from before the model to after its queries.
        peak_as_timed_bytes: the peak over the imports in the processes that were timed, where
            malloc keeps of what is freed what it will.
        peak_without_arena_bytes: the peak over the imports with `enable_cpu_mem_arena` off.
        peak_without_plan_bytes: the same with `enable_mem_pattern` off as well.
        weight_bytes: all stored tensors of the graph as the runtime rewrote it.
        activation_bytes: its tensors that are alive together at most (`onboard.model.liveness`).
    """

    pss_bytes: Estimate
    peak_without_arena_bytes: Estimate
    peak_without_plan_bytes: Estimate
    weight_bytes: Estimate
    activation_bytes: Estimate
    peak_as_timed_bytes: Estimate = _NO_PEAK


@dataclass(frozen=True, slots=True)
class Figures:
    """One model's figures; latencies are of one query, which is one batch.

    Attributes:
        name: the subject's.
        file: the model file's name.
        file_bytes: size of all its files.
        p50_ms: median latency of a query, in whichever process.
        p90_ms: 90th percentile of it.
        p99_ms: 99th percentile of it.
        load_ms: from the file to a session.
        first_inference_ms: the first query after that.
        peak_memory_bytes: the most that was resident, less what the imports took, in processes of
            their own in which addresses and malloc's thresholds are fixed.
        energy_uj: microjoules a query.
        macs: multiply-accumulates a query, None where some could not be counted.
        parameters: trained numbers, None where they could not be counted.
        weight_bytes: size of all stored tensors, None where they could not be counted.
        queries: how many were timed, over all processes.
        settled_processes: how many processes had settled when timing began.
        samples: folder of the raw latencies, relative to the output folder.
        instructions: of one query, a count; see ``counting``.
        footprint: memory in other views, None where it was not requested.
        outliers: queries far above the others of their process (`disturbance.OUTLIERS`).
        early_stopping_p90_ms: MLPerf's early-stopping estimate of the p90 of a process, which
            few queries make larger, and its median over processes. It decides no budget.
        early_stopping_p99_ms: that of the p99.
        runtime: what ran it, and its version; None where an older report does not record it.
        arena_bytes: memory that it takes on a microcontroller, a count.
        macs_by_type: multiply-accumulates by numeric type, None where they could not be counted.
        counted_for: the shapes of the query that operations were counted for, by input.
        counted_in: the file that operations and trained numbers were counted in, where that is
            another file with the same operations; None: its own.
        library_bytes: size of the runtime's shared libraries that were in memory with the model,
            on the machine that inspected it; None where that is not known.
        libraries: their names.
    """

    name: str
    file: str
    file_bytes: int
    p50_ms: Estimate
    p90_ms: Estimate
    p99_ms: Estimate
    load_ms: Estimate
    first_inference_ms: Estimate
    peak_memory_bytes: Estimate
    energy_uj: Estimate
    macs: int | None
    parameters: int | None
    weight_bytes: int | None
    queries: int
    settled_processes: int
    samples: str
    instructions: Estimate = _NOT_COUNTED
    footprint: Footprint | None = None
    outliers: int | None = None
    early_stopping_p90_ms: Estimate = _NO_EARLY_STOPPING
    early_stopping_p99_ms: Estimate = _NO_EARLY_STOPPING
    runtime: str | None = None
    arena_bytes: Estimate = NO_ARENA
    macs_by_type: dict[str, int] | None = None
    counted_for: dict[str, tuple[int, ...]] = field(default_factory=dict)
    counted_in: str | None = None
    library_bytes: int | None = None
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ratio:
    """One model over another; below 1 is better.

    Attributes:
        of: the subject's name.
        over: the reference's name.
        p50: of median latencies, paired by repetition.
        peak_memory: of peak memory over baseline.
        energy: of energy a query.
        size: of file sizes.
        p10: of 10th percentiles of each process's latencies, paired by repetition. Other load only
            adds time, and least to the quickest queries, so this needs the fewest processes to
            distinguish two models (Chen & Revels, "Robust benchmarking in noisy environments",
            arXiv:1608.04295, take the minimum for that). It does not show a difference among slow
            queries only.
    """

    of: str
    over: str
    p50: Estimate
    peak_memory: Estimate
    energy: Estimate
    size: Estimate
    p10: Estimate = _NO_RATIO


@dataclass(frozen=True, slots=True)
class Benchmark(Result[Figures]):
    """All that one benchmark found.

    Attributes:
        models: figures, one a subject, in the order given.
        ratios: each other subject over each reference.
    """

    models: tuple[Figures, ...]
    ratios: tuple[Ratio, ...]

    def __post_init__(self) -> None:
        """Count the processes of a benchmark that an older version kept without their number."""
        if not self.processes:
            object.__setattr__(self, "processes", self.models[0].p50_ms.n)
