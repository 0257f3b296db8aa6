"""How the test samples of a figure were drawn, and how sure an interval of it has to be.

>>> Sampling(0.99).n(300), Sampling(0.99, np.array([7, 7, 9])).n(3)
(300, 2)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.stats.distributions import check_confidence


@dataclass(frozen=True, slots=True, eq=False)
class Sampling:
    """How samples were drawn, and how sure an interval has to be.

    Attributes:
        confidence: of every interval, in (0, 1).
        groups: the group of each sample, [n]: its speaker, subject, site. Samples of one group are
            not independent, so the group is what is counted. None where samples are independent.
    """

    confidence: float
    groups: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        check_confidence(self.confidence)

    def n(self, samples: int) -> int:
        """How many independent observations some samples are."""
        return samples if self.groups is None else len(np.unique(self.groups))

    def behind(self, parts: Iterable[NDArray[Any]]) -> tuple[int, ...]:
        """How many independent observations each part rests on, without those that have none.

        Args:
            parts: of each, the numbers of its samples.
        """
        return tuple(self.of(rows).n(len(rows)) for rows in parts if len(rows))

    def of(self, rows: NDArray[Any]) -> "Sampling":
        """The same for some of the samples.

        Args:
            rows: their numbers, or a mask of all samples.
        """
        return self if self.groups is None else Sampling(self.confidence, self.groups[rows])

    def at(self, confidence: float) -> "Sampling":
        """The same samples with another confidence."""
        return Sampling(confidence, self.groups)

    def units(self, samples: int) -> tuple[NDArray[np.int64], int]:
        """The number of the independent unit of each sample, int64 [n], and how many units.

        Raises:
            ValueError: another number of samples than of groups.
        """
        if self.groups is None:
            return np.arange(samples, dtype=np.int64), samples
        if len(self.groups) != samples:
            raise ValueError(f"{len(self.groups)} groups for {samples} samples")
        names, numbers = np.unique(self.groups, return_inverse=True)
        return numbers.astype(np.int64), len(names)
