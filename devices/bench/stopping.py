"""When a measurement may end, and what may be claimed after looking more than once.

    >>> looks = Looks(9, 0.99, Until(lambda models, ratios: True, max_seconds=60.0))
    >>> [repetition for repetition in looks.repetitions(lambda confidence: ([], []))]
    [0, 1, 2, 3, 4, 5, 6, 7, 8]
    >>> looks.confidence
    0.995

Who looks at an interval again and again and stops when he likes it is wrong far more often than the
interval says (Armitage, McPherson & Rowe, "Repeated significance tests on accumulating data", JRSS
A 132, 1969). So the looks are few, at repetitions fixed beforehand, a third more each, and the
error that is allowed is shared out among them: look k has 1 / (k (k + 1)) of it, which adds up to
one however many looks there are. By Bonferroni's inequality the intervals of all looks then hold
together with the confidence asked for. Such repeated confidence intervals (Jennison & Turnbull,
"Interim analyses: the repeated confidence interval approach", JRSS B 51, 1989) hold under any rule
of stopping, by what was seen or by the clock. The clock, too, ends a measurement at a look only.

What it takes is that one process is no more likely to be slow than another. A neighbour that stays
for many of them breaks that: who measures in a quiet spell finds the quiet figure, at whatever
confidence. It can make a figure too large, and too small only against a truth that counts the
neighbour in; ratios of pairs are spared, for their order within a pair is drawn (``bench``).

The half that the first look has keeps the usual case cheap; Bonferroni, rather than boundaries
worked out jointly, serves percentiles, memory and ratios alike and any number of looks.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError
from ..onboard.stats.distributions import order_statistic

Conclusions = tuple[Sequence[Any], Sequence[Any]]
"""The figures of all models, and their ratios; of what class, the scenario says."""


@dataclass(frozen=True, slots=True)
class Until:
    """When to stop repeating.

    Attributes:
        enough: whether the figures of all models and their ratios will do.
        max_seconds: no repetitions are begun that would not end within as many seconds.
        max_processes: of a model, at the most.
    """

    enough: Callable[[Sequence[Any], Sequence[Any]], bool]
    max_seconds: float
    max_processes: int = 400

    def __post_init__(self) -> None:
        """Refuse what no run could honour.

        Raises:
            UsageError: a figure out of its range.
        """
        # Written so that NaN fails too.
        if not 0 < self.max_seconds < math.inf:
            raise UsageError(f"{self.max_seconds}", expected="above 0", where="max_seconds")
        if self.max_processes < 1:
            raise UsageError(f"{self.max_processes}", expected="at least 1", where="max_processes")


def confidence_at(look: int, confidence: float) -> float:
    """Confidence of the intervals of look 1, 2, … where all of them hold together with another.

    1 - (1 - confidence) / (k (k + 1)): the shares add up to 1 - 1 / (k + 1).
    """
    return 1.0 - (1.0 - confidence) / (look * (look + 1))


def fewest(confidence: float) -> int:
    """Processes from which the median over them has an interval of this confidence."""
    n = 1
    while not order_statistic(n, confidence):
        n += 1
    return n


def schedule(first: int, most: int) -> Iterator[int]:
    """Processes a model at each look: ``first``, then a third more each, up to ``most``."""
    n = min(first, most)
    while n < most:
        yield n
        n = min(most, n + math.ceil(n / 3))
    yield n


class Looks:
    """Repetitions until it is enough.

    Attributes:
        look: how many looks there were.
        confidence: of the intervals of the last look.
        enough: whether it was enough; also where there was nothing to wait for.
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

    def counts(self) -> list[int]:
        """Processes a model at each look.

        The first look is where there can be an interval: an earlier one would waste its share.
        """
        if self._until is None:
            return [self._processes]
        first = max(self._processes, fewest(self.confidence))
        return list(schedule(first, max(self._processes, self._until.max_processes)))

    def repetitions(self, conclude: Callable[[float], Conclusions]) -> Iterator[int]:
        """The numbers of the repetitions, from 0, for as long as it takes.

        Args:
            conclude: what may be said, at a confidence, of the repetitions so far.
        """
        began = self._clock()
        yield from range(self._processes)
        if self._until is None:
            return
        done = self._processes
        for look, count in enumerate(self.counts(), 1):
            spent = self._clock() - began
            if count > done and spent / done * count > self._until.max_seconds:
                break
            yield from range(done, count)
            done = count
            self.look, self.confidence = look, confidence_at(look, self._overall)
            self.enough = self._until.enough(*conclude(self.confidence))
            if self.enough:
                return
        self.enough = self._until.enough(*conclude(self.confidence))
