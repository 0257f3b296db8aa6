"""When a measurement may end, and which confidence its intervals have after several looks.

    >>> looks = Looks(9, 0.99, Until(lambda models, ratios: True, max_seconds=60.0))
    >>> [repetition for repetition in looks.repetitions(lambda confidence: ([], []))]
    [0, 1, 2, 3, 4, 5, 6, 7, 8]
    >>> looks.confidence
    0.995

Looking at an interval again and again, and stopping when it suits, is wrong far more often than the
interval says (Armitage, McPherson & Rowe, "Repeated significance tests on accumulating data", JRSS
A 132, 1969). So there are few looks, at numbers of repetitions that are fixed beforehand, a third
more each. The allowed error is divided among them: look k gets 1 / (k (k + 1)) of it, which adds up
to one for any number of looks. By Bonferroni's inequality the intervals of all looks together then
have the requested confidence. Such repeated confidence intervals (Jennison & Turnbull, "Interim
analyses: the repeated confidence interval approach", JRSS B 51, 1989) are valid under any rule of
stopping, by the figures or by the clock. The clock, too, ends a measurement at a look only.

The first look gets half of the error, so that the usual case needs few processes. Bonferroni,
rather than boundaries computed jointly, works for medians, memory and ratios alike and for any
number of looks. Percentiles of latency need none of it: their intervals hold at every number of
processes at once (``onboard.stats.betting``), and take in that processes in a row may resemble each
other. Ratios of pairs are not affected by that, because the order within a pair is random
(``engine``).

What is decided of one model is not measured again for the sake of another: ``Until.unfinished``.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError
from ..onboard.stats.distributions import fewest_for_median

Conclusions = tuple[Sequence[Any], Sequence[Any]]
"""The figures of all models, and their ratios; of what class, the scenario says."""


@dataclass(frozen=True, slots=True)
class Until:
    """When to stop repeating.

    Attributes:
        enough: whether the figures of all models and their ratios are precise enough.
        max_seconds: repetitions that would not end within this time are not started.
        max_processes: most processes of a model.
        unfinished: names of the models that further repetitions are for, from the same; None: all.
            A model that is left out stays so.
        counts: numbers of processes at which a look is worth its share of the error besides; none
            is before the smallest.
    """

    enough: Callable[[Sequence[Any], Sequence[Any]], bool]
    max_seconds: float
    max_processes: int = 2000
    unfinished: Callable[[Sequence[Any], Sequence[Any]], frozenset[str]] | None = None
    counts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            UsageError: a value out of range.
        """
        # Written so that NaN fails too.
        if not 0 < self.max_seconds < math.inf:
            raise UsageError(f"{self.max_seconds}", expected="above 0", where="max_seconds")
        if self.max_processes < 1:
            raise UsageError(f"{self.max_processes}", expected="at least 1", where="max_processes")


def confidence_at(look: int, confidence: float) -> float:
    """Confidence of the intervals of look 1, 2, … where all of them together have another.

    1 - (1 - confidence) / (k (k + 1)): the shares add up to 1 - 1 / (k + 1).
    """
    return 1.0 - (1.0 - confidence) / (look * (look + 1))


def schedule(first: int, most: int, counts: Collection[int] = ()) -> Iterator[int]:
    """Processes a model at each look: ``first``, then a third more each, up to ``most``.

    Args:
        first: at the first look.
        most: at the last.
        counts: at which there is a look too.
    """
    n = min(first, most)
    while n < most:
        yield n
        n = min([most, n + math.ceil(n / 3), *(count for count in counts if count > n)])
    yield n


class Looks:
    """Repetitions until it is enough.

    Attributes:
        look: how many looks there were.
        confidence: of the intervals of the last look.
        enough: whether the rule was met; True where there is no rule.
        unfinished: names of the models that the next repetition is for; None: all.
    """

    def __init__(
        self,
        processes: int,
        confidence: float,
        until: Until | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes, self._overall, self._until = processes, confidence, until
        self._clock = clock
        self.look = 1
        self.confidence = confidence if until is None else confidence_at(1, confidence)
        self.enough = True
        self.unfinished: frozenset[str] | None = None

    def counts(self) -> list[int]:
        """Processes a model at each look.

        The first look is where there can be an interval; an earlier one would waste its share.
        """
        if self._until is None:
            return [self._processes]
        smallest = min(self._until.counts, default=1)
        first = max(self._processes, fewest_for_median(self.confidence), smallest)
        most = max(self._processes, self._until.max_processes)
        return list(schedule(first, most, self._until.counts))

    def repetitions(self, conclude: Callable[[float], Conclusions]) -> Iterator[int]:
        """The numbers of the repetitions, from 0, until the rule is met or time is up.

        Args:
            conclude: the figures and ratios of the repetitions so far, at a confidence.
        """
        began = self._clock()
        yield from range(self._processes)
        if self._until is None:
            return
        done, seconds_each = self._processes, (self._clock() - began) / self._processes
        for look, count in enumerate(self.counts(), 1):
            spent = self._clock() - began
            if count > done and spent + seconds_each * (count - done) > self._until.max_seconds:
                break
            yield from range(done, count)
            if count > done:
                seconds_each = (self._clock() - began - spent) / (count - done)
            done = count
            self.look, self.confidence = look, confidence_at(look, self._overall)
            models, ratios = conclude(self.confidence)
            self.enough = self._until.enough(models, ratios)
            if self.enough:
                return
            seconds_each *= self._left(models, ratios)
        self.enough = self._until.enough(*conclude(self.confidence))

    def _left(self, models: Sequence[Any], ratios: Sequence[Any]) -> float:
        """Go on with the models that are unfinished only; what part of those so far they are."""
        if self._until is None or self._until.unfinished is None:
            return 1.0
        before = len(models) if self.unfinished is None else len(self.unfinished)
        names = self._until.unfinished(models, ratios)
        self.unfinished = frozenset(names if self.unfinished is None else self.unfinished & names)
        return len(self.unfinished) / max(1, before)
