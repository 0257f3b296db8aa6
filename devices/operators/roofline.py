"""The roofline: how fast a machine could do a piece of work if only its peaks limited it.

>>> machine = Machine("board", fp32_op_s=10e9, int8_op_s=20e9, byte_s=4e9, cores=4)
>>> roof_us(Work("float32", operations=2e6, bytes=1e3), machine)
200.0

The attainable operations a second are the lesser of the cores' peak and intensity times bandwidth,
with intensity in operations a byte (Williams, Waterman & Patterson, "Roofline: an insightful visual
performance model for multicore architectures", CACM 52(4), 2009). The bandwidth is that of main
memory, so work whose data fits a cache may be above the roof.
"""

from dataclasses import dataclass, replace

from ..profiles.profile import Profile

INT8 = "int8"
"""The `Work.type` of products of 8-bit integers; every other type runs at the fp32 peak."""
_NEEDED = ("fp32_gflop_s", "bandwidth_gb_s")


@dataclass(frozen=True, slots=True)
class Machine:
    """The figures of a machine that define its roof.

    Attributes:
        title: the device's name for people.
        fp32_op_s: peak of one core, operations a second; a multiply-accumulate is two.
        int8_op_s: likewise in int8; None if unknown.
        byte_s: bandwidth of main memory, bytes a second, of all cores together.
        cores: number of cores of this kind; None if unknown.
        clock_hz: highest sustained clock; None if unknown.
    """

    title: str
    fp32_op_s: float
    int8_op_s: float | None
    byte_s: float
    cores: int | None = None
    clock_hz: float | None = None

    def with_threads(self, threads: int) -> int:
        """How many cores this many threads use."""
        return threads if self.cores is None else min(threads, self.cores)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A machine with its figures as stated, each at its lowest, and each at its highest."""

    value: Machine
    low: Machine
    high: Machine


@dataclass(frozen=True, slots=True)
class Work:
    """What an operator does.

    Attributes:
        type: numeric type it computes in, as `cost.NodeCost` names it.
        operations: arithmetic operations; None if unknown.
        bytes: bytes read and written; None if unknown.
    """

    type: str
    operations: float | None
    bytes: float | None


def machine_of(profile: Profile) -> Bounds | str:
    """The figures of a profile, or a sentence that says which are missing."""
    missing = [key for key in _NEEDED if key not in profile.figures]
    if missing:
        return f"the profile {profile.name} has no {' and no '.join(missing)}"

    def figure(key: str, end: str) -> float | None:
        entry = profile.figures.get(key)
        if entry is None:
            return None
        bound: float | None = getattr(entry, end)
        return entry.value if bound is None else bound

    def machine(end: str) -> Machine:
        cores, clock = figure("cores", "value"), figure("clock_ghz", end)
        fp32, int8, bandwidth = (figure(k, end) for k in ("fp32_gflop_s", "int8_gop_s", _NEEDED[1]))
        return Machine(
            profile.title,
            fp32_op_s=1e9 * (fp32 or 0.0),
            int8_op_s=None if int8 is None else 1e9 * int8,
            byte_s=1e9 * (bandwidth or 0.0),
            cores=None if cores is None else int(cores),
            clock_hz=None if clock is None else 1e9 * clock,
        )

    value = machine("value")
    # Low figures, the clock among them, give the longest times.
    return Bounds(value, replace(machine("low"), cores=value.cores), machine("high"))


def attained_by(bounds: Bounds) -> Bounds:
    """Figures measured on a machine, with the measured value as their low.

    ``probe`` reports the median of repeats as low, which other programs disturb. Operators are
    timed at the 10th percentile, which they disturb much less, so the value is the right bound.
    """
    return replace(bounds, low=bounds.value)


def roof_us(work: Work, machine: Machine, *, cores: float = 1.0) -> float | None:
    """Microseconds that the work takes at the roof; None if the roof or the work is unknown.

    Args:
        work: the work.
        machine: the machine that does it.
        cores: factor on the peak of one core.
    """
    peak = machine.int8_op_s if work.type == INT8 else machine.fp32_op_s
    if work.operations is None or work.bytes is None or peak is None:
        return None
    return 1e6 * max(work.operations / (peak * cores), work.bytes / machine.byte_s)
