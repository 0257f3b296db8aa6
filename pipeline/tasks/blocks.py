"""Slices over many rows, so that memory does not grow with the samples."""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

_CELLS = 2**20
"""Numbers of a block: 8 MiB as float64."""


def blocks(rows: int, width: int) -> Iterator[slice]:
    """All rows in order, as many at once as keep the memory flat whatever their width."""
    step = max(1, _CELLS // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def check_same_length(outputs: NDArray[Any], truth: NDArray[Any]) -> None:
    """Refuse outputs and labels that are not of the same samples.

    Raises:
        ValueError: the lengths differ, or there is no sample.
    """
    if len(outputs) != len(truth) or not len(truth):
        raise ValueError(f"{len(outputs)} outputs for {len(truth)} samples")


def check_same_shape(a: NDArray[Any], b: NDArray[Any]) -> None:
    """Refuse two arrays that cannot be compared number by number.

    Raises:
        ValueError: the shapes differ, or there is no sample.
    """
    if a.shape != b.shape or not len(a):
        raise ValueError(f"outputs of shape {a.shape} for a truth of shape {b.shape}")
