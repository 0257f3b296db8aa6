"""Energy of what was timed, over an idle machine's: which source measures it, and when.

    with watching(idle_seconds=2.0) as watch:
        energy = QueryEnergy.of(run(job, timeout_s=300))  # when it timed, and how many queries
        watch.note(energy)                                # energy.uj: of a query, over idle
    print(watch.warnings)

RAPL's counters are read by the measured process itself, exactly at both ends of what it timed; here
they measure the idle machine only. Other sensors are sampled by a thread of this process. A meter's
log is read after the last process; of a remote device it is the only source, and the two clocks
must agree.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Protocol, TypeVar

from ...errors import DataError
from ..onboard.machine.system import ROOT
from . import meter, sensors
from .power import Idle, Sampler, Source, Trace, idle
from .query_energy import QueryEnergy

T = TypeVar("T")
_IDLE_SAMPLES = 5
_EDGE_S = 0.05
"""Left out at both ends of the idle stretch: what starts and ends it is not idle."""


class Watch(Protocol):
    """Takes the energy of each measured process.

    Attributes:
        warnings: what a reader should know, in plain sentences.
    """

    warnings: tuple[str, ...]

    def note(self, energy: QueryEnergy) -> None:
        """Measure the energy of one process, now or when the watch ends."""


@contextmanager
def watching(
    *,
    idle_seconds: float,
    log: Path | None = None,
    here: bool = True,
    root: Path = ROOT,
    ask: sensors.Ask | None = None,
) -> Iterator[Watch]:
    """Measure the idle machine first, then the energy of each process that is noted.

    Args:
        idle_seconds: how long the machine is left idle first; without a source no time is spent.
        log: the log of a meter, which then is the source.
        here: whether this machine is measured; its sensors say nothing of another.
        root: of the file system whose `/sys` is read.
        ask: as of `sensors.find`.

    Raises:
        DataError: a meter's log that cannot be read, or does not cover what was timed.
    """
    if log is not None:
        yield from _by_meter(log, idle_seconds)
        return
    if not here:
        yield Unwatched()
        return
    counters = sensors.rapl(root / "sys/class/powercap")
    if not isinstance(counters, str):
        yield _Counted(_idle_machine(counters, idle_seconds), counters)
        return
    source = sensors.find(root, ask)
    if isinstance(source, str):
        yield Unwatched()
        return
    with Sampler(source) as sampler:
        yield _Sampled(sampler, source, *_left_idle(idle_seconds))


def subtract(energy: QueryEnergy, gross_uj: float, still: Idle, how: str) -> None:
    """Set a query's energy over the idle machine's, with its uncertainty.

    Args:
        energy: of a process; `timed_seconds` and `queries` are read, all else is set.
        gross_uj: microjoules of all that was timed.
        still: the idle machine.
        how: the source, for the reader of a report.
    """
    queries, seconds = energy.queries, energy.timed_seconds
    energy.uj = (gross_uj - 1e6 * still.watts * seconds) / queries
    energy.missing = None
    energy.gross_uj = gross_uj / queries
    # How much less and more it would be with the idle power at the ends of its spread.
    energy.less_uj = 1e6 * (still.high - still.watts) * seconds / queries
    energy.more_uj = 1e6 * (still.watts - still.low) * seconds / queries
    energy.method = (
        f"measured: {how}; idle of {still.watts:.3g} W ({still.low:.3g} to {still.high:.3g}, "
        f"measured for {still.seconds:.3g} s before the runs) subtracted"
    )


class Unwatched:
    """No source measures the energy of a process."""

    warnings: tuple[str, ...] = ()

    def note(self, energy: QueryEnergy) -> None:
        """Leave the energy as it is."""


class _Counted:
    """RAPL: the worker counted what it timed; here the idle machine's share is subtracted."""

    def __init__(self, still: Idle | str, source: Source) -> None:
        self._still, self._source = still, source
        self.warnings = _unknown(still)

    def note(self, energy: QueryEnergy) -> None:
        if energy.uj is None or isinstance(self._still, str):
            return
        how = f"{self._source.name} ({self._source.covers})"
        subtract(energy, energy.uj * energy.queries, self._still, how)


class _Sampled:
    """A sensor that a thread samples all the time."""

    def __init__(self, sampler: Sampler, source: Source, start: float, end: float) -> None:
        self._sampler, self._source = sampler, source
        self._still = idle(sampler.trace(end), start, end)
        self.warnings = _unknown(self._still)

    def note(self, energy: QueryEnergy) -> None:
        start, end = _timed(energy)
        how = f"{self._source.name} ({self._source.covers}), sampled"
        joules = self._sampler.trace(end).joules(start, end)
        missing = next((why for why in (self._still, joules) if isinstance(why, str)), None)
        if missing or isinstance(self._still, str) or isinstance(joules, str):
            energy.uj, energy.missing = None, self._sampler.broken or missing
            self.warnings = (f"no energy was measured: {energy.missing}",)
            return
        subtract(energy, 1e6 * joules, self._still, how)


class _Logged:
    """A meter's log, read after the last process."""

    warnings: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.energies: list[QueryEnergy] = []

    def note(self, energy: QueryEnergy) -> None:
        self.energies.append(energy)


def _by_meter(log: Path, idle_seconds: float) -> Iterator[Watch]:
    # A file that is no log is refused before anything is measured.
    times = meter.read(log).times
    period = median(b - a for a, b in pairwise(times)) if len(times) > 1 else 0.0
    start, end = _left_idle(max(idle_seconds, _IDLE_SAMPLES * period))
    watch = _Logged()
    yield watch
    if not watch.energies:
        return
    trace = meter.read_until(log, max(_timed(energy)[1] for energy in watch.energies))
    still = _covered(idle(trace, start, end), trace, log)
    for energy in watch.energies:
        joules = _covered(trace.joules(*_timed(energy)), trace, log)
        subtract(energy, 1e6 * joules, still, f"the meter's log {log.name}")


def _covered(value: T | str, trace: Trace, log: Path) -> T:
    if not isinstance(value, str):
        return value
    span = f"{trace.times[0]:.1f} to {trace.times[-1]:.1f}" if trace.times else "nothing"
    raise DataError(
        value,
        expected="a log of the whole measurement, at least three samples to each timed stretch",
        where=f"{log} ({span}, unix seconds)",
        fix="start the meter first, see that its clock agrees, or time for longer (--seconds)",
    )


def _unknown(still: Idle | str) -> tuple[str, ...]:
    return (f"idle power is unknown: {still}",) if isinstance(still, str) else ()


def _timed(energy: QueryEnergy) -> tuple[float, float]:
    return energy.timed_from, energy.timed_from + energy.timed_seconds


def _left_idle(seconds: float) -> tuple[float, float]:
    """Do nothing for so long; the unix seconds between which nothing was done."""
    time.sleep(_EDGE_S)
    start = time.time()
    time.sleep(seconds)
    end = time.time()
    time.sleep(_EDGE_S)
    return start, end


def _idle_machine(source: Source, seconds: float) -> Idle | str:
    with Sampler(source) as sampler:
        time.sleep(2 * source.period_s)
        start, end = _left_idle(seconds)
        return idle(sampler.trace(end), start, end)
