"""What was measured of every file, and what was predicted where nothing could be measured."""

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Benchmark
from .record import Record


class OperatorTime(Record):
    """One operator of the graph as the runtime executes it, and what was fused into it."""

    name: str
    """The module it was exported from where that is known, else the node's name."""
    op: str
    """The runtime's name of it."""
    family: str
    """What it computes: ``Conv`` of a ``QLinearConv``."""
    fused: tuple[str, ...]
    """Types of the file's operators that it computes, in their order; empty where the runtime
    inserted it."""
    calls: float
    """Per query."""
    us: float
    """Microseconds per query, without the overhead of profiling."""
    share: float
    type: str
    """Numeric type it computes in."""
    macs: int | None
    """None where some could not be counted."""
    operations: int | None
    """Arithmetic operations; a multiply-accumulate counts two."""
    parameters: int
    bytes: int | None
    """Read and written, with weights."""
    roof_us: float | None
    """Its time at the roof of the machine it ran on; None where either is not known."""
    after: tuple[int, ...] | None = None
    """Positions, in the record, of the operators whose results it reads; through such as were not
    timed. None where an older version did not record it."""

    @property
    def intensity(self) -> float | None:
        """Operations per byte."""
        return self.operations / self.bytes if self.operations and self.bytes else None

    @property
    def gop_s(self) -> float | None:
        """Attained, 10^9 operations per second."""
        return self.operations / self.us / 1e3 if self.operations and self.us else None

    @property
    def attained(self) -> float | None:
        """Fraction of the roof; above 1 where data came from a cache."""
        return self.roof_us / self.us if self.roof_us is not None and self.us else None


class Roof(Record):
    """The roof of the machine that operators ran on, for the cores in use."""

    device: str
    gflop_s: float
    """Peak in fp32."""
    gop_s: float | None
    """Peak in int8; None where it is not known."""
    gb_s: float
    """Bandwidth of main memory."""
    cores: int
    """In use."""


class OperatorsRecord(Record):
    """The time of one file by operator."""

    name: str
    runtime: str
    threads: int
    runs: int
    """Profiled queries."""
    query_us: float
    """A query without profiling, the 10th percentile; the operators add up to it."""
    p50_us: float
    """The median query without profiling."""
    profiled_us: float
    """The median query with it."""
    operators: tuple[OperatorTime, ...]
    """In the order of execution."""
    unplaced_macs: int
    """Of operators of the file that were not found in the graph that the runtime executes."""
    roof: Roof | None
    roof_missing: str | None
    """Why there is none."""


class Predicted(Record):
    """What one file would take on a device that is known by its profile only. Not measured."""

    name: str
    target: str
    """The device's name."""
    device: str
    """Its title."""
    threads: int
    p50_ms: Estimate
    call_us: float
    """The overhead of calling operators in it, microseconds."""
    spread: float
    """Standard deviation of the log efficiencies, from which the band is computed."""
    unroofed: int
    """Operators without a roof."""


class BenchmarkRecord(Record):
    """Latency, memory, energy and size of the teacher and every variant."""

    benchmark: Benchmark
    measured_on: str
    """The name of the device that everything here was measured on."""
    target: str
    """The name of the device to ship to."""
    on_target: bool | None
    """Whether these two are one device. None where the record does not say (schema 2.0). Unless
    True, no latency, memory or energy of this record decides a budget."""
    operators: tuple[OperatorsRecord, ...] = ()
    predicted: tuple[Predicted, ...] = ()
    """On the target, where that is not the device measured on."""
