"""What is measured and how: the models and the settings that all scenarios share.

>>> Settings(processes=6).processes
6
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import UsageError
from ..onboard.settings import Feed, Session, Timing, above_zero, at_least


@dataclass(frozen=True, slots=True)
class Subject:
    """One model to measure.

    Attributes:
        name: in the report; unique among the models measured together.
        path: the `.onnx` or `.ort` file.
        graph: the ONNX file to count operations in, where `path` is not one.
        inputs: an `.npz` of its own inputs, where it takes other types than the models beside it;
            None: those of the settings.
    """

    name: str
    path: Path
    graph: Path | None = None
    inputs: Path | None = None

    def feed(self, feed: Feed) -> Feed:
        """What it is queried with, where the models beside it are queried with a feed."""
        return feed if self.inputs is None else replace(feed, inputs=str(self.inputs))


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure.

    Attributes:
        session: how the runtime holds each model.
        feed: what each model is queried with.
        timing: how long each process times queries.
        processes: fresh processes of each model; a p50 has an interval at 95 % from 6 on, at 99 %
            from 8, and from 16 for a verdict; a p90 from 37 and 53. With `Until`: the fewest.
        seed: of the order in which models take turns, and of random arrivals.
        timeout_s: seconds after which a process is ended.
        confidence: of all intervals; with `Until`, of the intervals of all looks together.
        cores: of the measured machine, to which each process is pinned; empty: any core.
        memory_mib: memory limit of each process, MiB; None: no limit.
        idle_seconds: how long the idle machine is measured, where power can be measured.
        memory_processes: fresh processes of each model that measure its memory only; 0: none.
        footprint: whether two more processes measure it without arena and without memory plan.
        guarded: whether the intervals of percentiles hold too if processes in a row resemble each
            other and latency drifts (`onboard.stats.percentiles`), for a verdict.
    """

    session: Session = field(default_factory=Session)
    feed: Feed = field(default_factory=Feed)
    timing: Timing = field(default_factory=Timing)
    processes: int = 9
    seed: int = 0
    timeout_s: float = 300.0
    confidence: float = 0.95
    cores: tuple[int, ...] = ()
    memory_mib: int | None = None
    idle_seconds: float = 2.0
    memory_processes: int = 3
    footprint: bool = False
    guarded: bool = False

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            UsageError: a value out of range.
        """
        at_least(1, processes=self.processes)
        at_least(0, seed=self.seed, memory_processes=self.memory_processes)
        above_zero(timeout_s=self.timeout_s, idle_seconds=self.idle_seconds)
        if not 0 < self.confidence < 1:
            raise UsageError(f"{self.confidence}", expected="between 0 and 1", where="confidence")
        if any(core < 0 for core in self.cores):
            raise UsageError(f"{min(self.cores)}", expected="at least 0", where="cores")
        if self.memory_mib is not None:
            at_least(1, memory_mib=self.memory_mib)
