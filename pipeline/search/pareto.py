"""Which points no other beats, and how much of the space they cover.

>>> front([(0.1, 3.0), (0.2, 1.0), (0.3, 2.0)])
[0, 1]
>>> hypervolume([(0.25, 0.5), (0.5, 0.25)], (1.0, 1.0))
0.5

Everything here is to be minimized; ``Box`` turns scores and resources into that.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

Values = Sequence[float]
SCORE = "score"
"""The key of the score among the values of a point; it is to be maximized, all others minimized."""
_LEAST = 1e-12
"""Where a resource is 0, for its logarithm."""


def dominates(a: Values, b: Values) -> bool:
    """Whether a is as good as b in all, and better in one."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)


def front(points: Sequence[Values]) -> list[int]:
    """Places of the points that no other dominates; of equal ones the first."""
    seen: set[tuple[float, ...]] = set()
    found = []
    for at, point in enumerate(points):
        if tuple(point) not in seen and not any(dominates(other, point) for other in points):
            found.append(at)
        seen.add(tuple(point))
    return found


Span = tuple[float, float]
"""The best and the worst that a figure may be, to be minimized; of an exact one they are equal."""


def unbeaten(points: Sequence[Sequence[Span]]) -> list[int]:
    """Places of the points that are not shown to be beaten; of equal ones the first.

    A point is beaten by another that is at its worst still as good in all as it is at its best, or
    has the same figure, and better in one. Of two that differ by noise, both stay.
    """
    found: list[int] = []
    for at, point in enumerate(points):
        twin = any(tuple(points[other]) == tuple(point) for other in found)
        if not twin and not any(_beats(other, point) for other in points):
            found.append(at)
    return found


def _beats(a: Sequence[Span], b: Sequence[Span]) -> bool:
    pairs = list(zip(a, b, strict=True))
    return all(x == y or x[1] <= y[0] for x, y in pairs) and any(
        x != y and x[1] <= y[0] for x, y in pairs
    )


def hypervolume(points: Sequence[Values], reference: Values) -> float:
    """The volume that points dominate, up to a reference point.

    By slicing along the last dimension (While, Hingston, Barone & Huband 2006, "A faster algorithm
    for calculating hypervolume", IEEE Trans. Evolutionary Computation 10(1), where it is HSO).

    Args:
        points: of any number of dimensions; what reaches beyond the reference counts for nothing.
        reference: the worst corner.
    """
    inside = [
        point for point in points if all(x < r for x, r in zip(point, reference, strict=True))
    ]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(point[0] for point in inside)
    ordered = sorted(inside, key=lambda point: point[-1])
    ends = [*(point[-1] for point in ordered[1:]), reference[-1]]
    volume, below = 0.0, []
    for point, end in zip(ordered, ends, strict=True):
        below.append(point[:-1])
        if end > point[-1]:
            kept = [below[at] for at in front(below)]
            below = kept
            volume += hypervolume(kept, reference[:-1]) * (end - point[-1])
    return volume


@dataclass(frozen=True, slots=True)
class Box:
    """Two corners, between which every point has coordinates from 0 (best) to 1 (worst).

    Attributes:
        best: of each figure, and of the score.
        worst: of each.
    """

    best: dict[str, float]
    worst: dict[str, float]

    @classmethod
    def around(cls, points: Sequence[Mapping[str, float]]) -> Self:
        """The smallest box that holds all points; each has the same keys."""
        ends = {key: sorted(point[key] for point in points) for key in points[0]}
        best = {key: values[-1 if key == SCORE else 0] for key, values in ends.items()}
        worst = {key: values[0 if key == SCORE else -1] for key, values in ends.items()}
        return cls(best, worst)

    def coordinates(self, point: Mapping[str, float]) -> tuple[float, ...]:
        """A point's; a resource by its logarithm, so that half of it is worth the same anywhere."""
        return tuple(self._coordinate(key, point[key]) for key in self.best)

    def _coordinate(self, key: str, value: float) -> float:
        best, worst = self.best[key], self.worst[key]
        if key != SCORE:
            best, worst, value = (math.log(max(one, _LEAST)) for one in (best, worst, value))
        return (value - best) / (worst - best) if worst != best else 0.0

    def covered(self, points: Sequence[Mapping[str, float]]) -> float:
        """The share of the box that points dominate; a figure that is the same for all is left out.

        Returns:
            From 0 to 1; 1 where one point is the best in all.
        """
        differ = [key for key in self.best if self.best[key] != self.worst[key]]
        if not points:
            return 0.0
        if not differ:
            return 1.0
        narrow = Box({k: self.best[k] for k in differ}, {k: self.worst[k] for k in differ})
        return hypervolume([narrow.coordinates(point) for point in points], (1.0,) * len(differ))


def minimized(point: Mapping[str, float]) -> tuple[float, ...]:
    """A point's values, the score turned around."""
    return tuple(-value if key == SCORE else value for key, value in point.items())
