"""How far two answers to one query are apart: arrays, and the arrays in sequences and maps.

>>> apart(np.float32([1, -np.inf]), np.float32([1.5, -np.inf]))
Apart(largest=0.5, not_finite=0)
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_TEXTS = "OSU"


class Apart(NamedTuple):
    """The difference of two arrays of one shape.

    Attributes:
        largest: absolute difference, of values that are finite in both; of texts 1 where any
            differs.
        not_finite: values that are finite in one of them only, or infinite with another sign.
    """

    largest: float
    not_finite: int


def flat(outputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Outputs as arrays; the parts of a sequence or a map are named after it."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, output in outputs.items():
        if isinstance(output, list | dict):
            parts = output if isinstance(output, dict) else dict(enumerate(output))
            arrays |= flat({f"{name}[{key}]": part for key, part in parts.items()})
        else:
            arrays[name] = np.asarray(output)
    return arrays


def apart(a: NDArray[Any], b: NDArray[Any]) -> Apart:
    """The difference of two arrays of one shape; what is infinite or NaN in both is the same."""
    if a.dtype.kind in _TEXTS:
        return Apart(float((a != b).any()), 0)
    a, b = a.astype(np.float64), b.astype(np.float64)
    alike = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(a) & np.isfinite(b)
    distance = np.subtract(b, a, where=finite, out=np.zeros_like(a))
    return Apart(float(np.abs(distance).max(initial=0.0)), int((~alike & ~finite).sum()))


def relative(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The largest difference over the largest value of the first; 1 where nothing is comparable.

    Args:
        a: any array.
        b: another, of any shape.
    """
    if a.shape != b.shape:
        return 1.0
    found = apart(a, b)
    if found.not_finite or a.dtype.kind in _TEXTS:
        return 1.0 if found.not_finite else found.largest
    sizes = np.abs(a.astype(np.float64))
    size = float(sizes[np.isfinite(sizes)].max(initial=0.0))
    if not size:
        return 1.0 if found.largest else 0.0
    return found.largest / size
