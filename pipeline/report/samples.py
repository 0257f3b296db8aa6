"""Raw latencies read from disk, reduced to the points of a chart.

    curve(read(run / "records" / "samples", "samples/int8-static-*.npy"))

A file is ``<model>-<repetition>.npy``, int64 nanoseconds, one process each.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

Latencies = NDArray[np.int64]

# MLPerf's early-stopping rule (99 % confidence, one query discarded) asks for 64 queries at p90,
# 662 at p99, 6 636 at p99.9: about 6.64 in the tail. Beyond that a curve would be drawn from luck.
_QUERIES_IN_TAIL = 6.64
_POINTS = 160
_ROUNDING = 1e-9
"""Of a sum of weights."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Latency by percentile of the queries of all processes, each process of equal weight.

    Attributes:
        odds: 1 / (1 - p): 2 at the median, 10 at p90, 100 at p99.
        milliseconds: latency at each.
        queries: how many latencies it stands on.
        processes: out of how many processes.
    """

    odds: tuple[float, ...]
    milliseconds: tuple[float, ...]
    queries: int
    processes: int


def read(folder: Path, pattern: str) -> list[Latencies] | str:
    """One model's latencies, a process each, or why there are none.

    Args:
        folder: where the files lie; the pattern's own folder is not followed.
        pattern: as ``Figures.samples`` has it, the star standing for the repetition's number.
    """
    before, _, after = PurePosixPath(pattern).name.rpartition("*")
    name = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    try:
        paths = sorted(path for path in folder.iterdir() if name.fullmatch(path.name))
        arrays = [np.load(path, allow_pickle=False) for path in paths]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return f"the raw samples cannot be read: {reason.lower()}"
    if not arrays:
        return "no raw samples were kept"
    wrong = [p.name for p, a in zip(paths, arrays, strict=True) if not _sound(a)]
    if wrong:
        return f"{wrong[0]} holds no latencies (expected positive int64 nanoseconds, one axis)"
    return arrays


def curve(processes: Sequence[Latencies]) -> Curve:
    """Latency at evenly spaced odds, up to the last percentile that the queries can carry."""
    pooled = np.concatenate(processes)
    weights = np.concatenate([np.full(len(one), 1.0 / len(one)) for one in processes])
    order = np.argsort(pooled, kind="stable")
    within = np.cumsum(weights[order]) / len(processes)
    last = max(2.0, len(pooled) / _QUERIES_IN_TAIL)
    odds = np.geomspace(1.0, last, _POINTS)
    # As in devices.onboard.stats.percentiles: each point is a latency that did occur.
    at = pooled[order][
        np.searchsorted(within, 1.0 - 1.0 / odds - _ROUNDING).clip(max=len(pooled) - 1)
    ]
    return Curve(
        odds=tuple(float(f"{value:.5g}") for value in odds),
        milliseconds=tuple(float(value) for value in at / 1e6),
        queries=len(pooled),
        processes=len(processes),
    )


def _sound(array: NDArray[Any]) -> bool:
    shaped = array.dtype == np.int64 and array.ndim == 1 and array.size > 0
    return shaped and bool((array > 0).all())
