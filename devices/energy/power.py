"""Power over time, and the energy of one stretch of it.

    >>> trace = Trace((0.0, 1.0, 2.0), (5.0, 5.0, 7.0))
    >>> trace.joules(0.5, 1.5)
    5.25

Times are unix seconds. `Sampler` reads a source in a thread of its own, in the process that waits:
what is measured runs in another one and is not touched.
"""

import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Self

_LEAST_SAMPLES = 3
_IDLE_GROUPS = 10


@dataclass(frozen=True, slots=True)
class Source:
    """A source of readings of power.

    Attributes:
        name: of the sensor, for the reader of a report.
        covers: which part of the machine draws that power.
        period_s: seconds between two readings.
        watts: reads it; raises OSError or ValueError where it cannot.
    """

    name: str
    covers: str
    period_s: float
    watts: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Trace:
    """Samples of power.

    Attributes:
        times: unix seconds, rising.
        watts: at those times.
    """

    times: Sequence[float]
    watts: Sequence[float]

    def joules(self, start: float, end: float) -> float | str:
        """Energy from start to end by the trapezoidal rule, power interpolated at both ends.

        Returns:
            Joules, or the reason why the samples do not give it: they do not cover the stretch, or
            two of them are further apart than a third of it.
        """
        if not self.times or self.times[0] > start or self.times[-1] < end:
            return f"no samples of power cover the {end - start:.3g} s that were timed"
        first, last = bisect_right(self.times, start) - 1, bisect_left(self.times, end)
        times = self.times[first : last + 1]
        gap = max((b - a for a, b in pairwise(times)), default=0.0)
        if gap > (end - start) / _LEAST_SAMPLES:
            return (
                f"samples of power are up to {gap:.3g} s apart, too far for the {end - start:.3g} s"
                f" that were timed (at least {_LEAST_SAMPLES} to a stretch)"
            )
        inner = [start, *(moment for moment in times if start < moment < end), end]
        powers = [self._at(moment) for moment in inner]
        steps = zip(pairwise(inner), pairwise(powers), strict=True)
        return sum((b - a) * (p + q) / 2 for (a, b), (p, q) in steps)

    def _at(self, moment: float) -> float:
        after = min(max(bisect_left(self.times, moment), 1), len(self.times) - 1)
        (t, u), (p, q) = self.times[after - 1 : after + 1], self.watts[after - 1 : after + 1]
        return p + (q - p) * (moment - t) / (u - t)


@dataclass(frozen=True, slots=True)
class Idle:
    """Power of the idle machine.

    Attributes:
        watts: mean.
        low: mean of the group of samples with the lowest.
        high: mean of the group with the highest, of ten groups one after the other.
        seconds: how long it was measured.
    """

    watts: float
    low: float
    high: float
    seconds: float


def idle(trace: Trace, start: float, end: float) -> Idle | str:
    """Power between two moments with its spread, or the reason why it is not known."""
    joules = trace.joules(start, end)
    if isinstance(joules, str):
        return joules.replace("were timed", "were left idle")
    inside = [w for t, w in zip(trace.times, trace.watts, strict=True) if start <= t <= end]
    groups = min(_IDLE_GROUPS, len(inside))
    edges = [len(inside) * i // groups for i in range(groups + 1)]
    means = [sum(inside[a:b]) / (b - a) for a, b in pairwise(edges)]
    watts = joules / (end - start)
    return Idle(watts, min(*means, watts), max(*means, watts), end - start)


class Sampler:
    """Reads a source periodically until it is closed.

    Attributes:
        broken: why it stopped reading, None while it reads.
    """

    def __init__(self, source: Source) -> None:
        self.broken: str | None = None
        self._source = source
        self._times: list[float] = []
        self._watts: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="power", daemon=True)

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Read no more."""
        self._stop.set()
        self._thread.join()

    def trace(self, until: float) -> Trace:
        """What was read so far; waits for the first reading after `until` (unix seconds)."""
        patience = time.monotonic() + 1.0 + 10 * self._source.period_s
        while self.broken is None and time.monotonic() < patience:
            if self._times and self._times[-1] >= until:
                break
            time.sleep(self._source.period_s / 2)
        count = len(self._watts)
        return Trace(self._times[:count], self._watts[:count])

    def _sample(self) -> None:
        while not self._stop.is_set():
            before = time.time()
            try:
                watts = self._source.watts()
            except (OSError, ValueError) as error:
                self.broken = f"{self._source.name} cannot be read: {error}"
                return
            moment = (before + time.time()) / 2
            # A clock that was set back meanwhile: the samples would no longer rise.
            if not self._times or moment > self._times[-1]:
                self._times.append(moment)
                self._watts.append(watts)
            self._stop.wait(max(0.0, self._source.period_s - (time.time() - before)))
