"""Ranges of a ``.tflite`` file's tensors: those of samples, and those that were learned.

LiteRT's own calibration smooths the extremes of samples and clips what it smoothed. Here they are
the extremes of all samples, each calibrated alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..learned_ranges import LearnedRanges

Ranges = dict[str, dict[str, Any]]
Calibrate = Callable[[Mapping[str, NDArray[Any]]], Ranges]
"""Gives the extremes of each tensor on one query."""
_ENDS = ("min", "max")
_NEAR = 1e-3
"""Of an activation's span: kernels sum in another order, and another activation is further off."""


@dataclass(slots=True)
class Calibration:
    """What the ranges of one model are made of.

    Attributes:
        name: of the input.
        queries: of calibration samples, as the file takes them.
        turn: makes a query of samples what the file takes.
        limits: of the input, whatever the samples hold; None: their extremes.
        learned: what a training learned of activations; None: nothing.
        found: how many of the learned ones are known again in the file, once ``ranges`` was called.
    """

    name: str
    queries: Sequence[NDArray[Any]]
    turn: Callable[[NDArray[Any]], NDArray[Any]]
    limits: Sequence[float] | None = None
    learned: LearnedRanges | None = None
    found: int = field(default=0, init=False)

    def ranges(self, calibrate: Calibrate, signature: str) -> Ranges:
        """From where to where each tensor reaches.

        Args:
            calibrate: by the float file.
            signature: of the file, with which the names of its ends begin.
        """
        ranges = merged(calibrate, ({self.name: query} for query in self.queries))
        if self.learned is not None:
            batch = len(self.queries[0])
            rows = _queries(len(self.learned.samples), batch)
            seen = [calibrate({self.name: self.turn(self.learned.samples[row])}) for row in rows]
            self.found = with_learned(ranges, self.learned, rows, seen)
        if self.limits is not None:
            start = f"{signature}_{self.name}"
            (tensor,) = (known for known in ranges if known.startswith(start))
            _set(ranges[tensor], self.limits)
        return ranges


def merged(calibrate: Calibrate, queries: Any) -> Ranges:
    """The extremes of each tensor over all queries."""
    ranges: Ranges = {}
    for query in queries:
        for name, found in calibrate(query).items():
            known = ranges.setdefault(name, dict(found))
            if known and found:
                known["min"] = np.minimum(known["min"], found["min"])
                known["max"] = np.maximum(known["max"], found["max"])
    return ranges


def with_learned(
    ranges: Ranges, learned: LearnedRanges, rows: NDArray[Any], seen: Sequence[Ranges]
) -> int:
    """Give tensors the ranges that were learned of them; how many of the learned ones were found.

    A tensor is an activation if it has its extremes in every query.

    Args:
        ranges: of all tensors; those that are found are changed.
        learned: of activations.
        rows: the samples [queries, batch] of each query.
        seen: the extremes of tensors in each query.
    """
    lows = learned.extremes[:, rows, 0].min(axis=2)
    highs = learned.extremes[:, rows, 1].max(axis=2)
    wanted = np.stack((lows, highs), axis=2)
    spans = np.maximum(highs.max(axis=1) - lows.min(axis=1), np.finfo(np.float32).tiny)
    found: set[int] = set()
    for tensor, known in ranges.items():
        if not known or np.size(known["min"]) != 1:
            continue
        own = np.array([[np.ravel(query[tensor][end])[0] for end in _ENDS] for query in seen])
        apart = np.abs(wanted - own).max(axis=(1, 2)) / spans
        nearest = int(apart.argmin())
        if apart[nearest] <= _NEAR:
            found.add(nearest)
            _set(known, learned.ranges[nearest])
    return len(found)


def _queries(samples: int, batch: int) -> NDArray[Any]:
    """Which samples a query takes [queries, batch]; the last is filled up from the first ones."""
    return np.resize(np.arange(samples), (-(-samples // batch), batch))


def _set(known: dict[str, Any], limits: Sequence[float] | NDArray[Any]) -> None:
    for end, value in zip(_ENDS, limits, strict=True):
        known[end] = np.full_like(known[end], value)
