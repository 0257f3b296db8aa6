"""The roofline: how fast a machine could do a piece of work if nothing but its peaks held it up.

>>> machine = Machine("board", fp32_op_s=10e9, int8_op_s=20e9, byte_s=4e9, cores=4)
>>> roof_us(Work("float32", operations=2e6, bytes=1e3), machine)
200.0

Attainable operations a second are the lesser of the cores' peak and intensity times bandwidth, with
intensity in operations a byte (Williams, Waterman & Patterson, "Roofline: an insightful visual
performance model for multicore architectures", CACM 52(4), 2009). The bandwidth is that of main
memory, so work whose data lies in a cache may well be above the roof.
"""

from dataclasses import dataclass, replace

from ..profiles.profile import Profile

INT8 = "int8"
"""What `Work.type` is where products are of 8-bit integers; all else runs at the fp32 peak."""
_NEEDED = ("fp32_gflop_s", "bandwidth_gb_s")


@dataclass(frozen=True, slots=True)
class Machine:
    """The figures of a machine that its roof is made of.

    Attributes:
        title: in words.
        fp32_op_s: peak of one core, operations a second; a multiply-accumulate is two.
        int8_op_s: likewise in int8; None where it is not known.
        byte_s: bandwidth of main memory, bytes a second, of all cores together.
        cores: of the kind described; None where it is not known.
        clock_hz: highest sustained; None where it is not known.
    """

    title: str
    fp32_op_s: float
    int8_op_s: float | None
    byte_s: float
    cores: int | None = None
    clock_hz: float | None = None

    def with_threads(self, threads: int) -> int:
        """Cores that so many threads use."""
        return threads if self.cores is None else min(threads, self.cores)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A machine as its figures have it, and with each of them at its lowest and highest."""

    value: Machine
    low: Machine
    high: Machine


@dataclass(frozen=True, slots=True)
class Work:
    """What an operator does.

    Attributes:
        type: numeric type it computes in, as `cost.NodeCost` names it.
        operations: arithmetic; None where it is unknown.
        bytes: read and written; None where it is unknown.
    """

    type: str
    operations: float | None
    bytes: float | None


def machine_of(profile: Profile) -> Bounds | str:
    """The figures of a profile, or in a sentence which of them are missing."""
    missing = [key for key in _NEEDED if key not in profile.figures]
    if missing:
        return f"the profile {profile.name} has no {' and no '.join(missing)}"

    def figure(key: str, end: str) -> float | None:
        told = profile.figures.get(key)
        if told is None:
            return None
        bound: float | None = getattr(told, end)
        return told.value if bound is None else bound

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
    # An operator takes longest at low figures; the clock of overheads goes the same way.
    return Bounds(value, replace(machine("low"), cores=value.cores), machine("high"))


def attained_by(bounds: Bounds) -> Bounds:
    """Figures that were measured on a machine: it does what it was seen to do, and maybe more.

    ``probe`` gives as their low the median of repeats, which other programs disturb, and operators
    are timed at the 10th percentile, which they disturb much less.
    """
    return replace(bounds, low=bounds.value)


def roof_us(work: Work, machine: Machine, *, cores: float = 1.0) -> float | None:
    """Microseconds that the work takes at the roof; None where the roof or the work is not known.

    Args:
        work: the work.
        machine: where.
        cores: by which the peak is multiplied.
    """
    peak = machine.int8_op_s if work.type == INT8 else machine.fp32_op_s
    if work.operations is None or work.bytes is None or peak is None:
        return None
    return 1e6 * max(work.operations / (peak * cores), work.bytes / machine.byte_s)
