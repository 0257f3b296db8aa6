"""Round weights to the nearest int8 or int4, with a scale a channel or a block.

whole, scale = by_channel(weight)       # weight.values is about whole * scale
"""

import numpy as np
from numpy.typing import NDArray

from .packable import Weight


def rounded(
    values: NDArray[np.float32], axis: int, bits: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers, and their scales, which are shared along ``axis`` and have extent 1 there.

    In int4 the value farthest from zero maps to -8: the extra level of the negative side is 7 % of
    the range. In int8 the range is symmetric.
    """
    farthest = np.take_along_axis(values, np.abs(values).argmax(axis, keepdims=True), axis)
    ideal = -farthest / 8 if bits == 4 else np.abs(farthest) / 127
    scale: NDArray[np.float32] = np.where(ideal == 0, 1.0, ideal).astype(np.float32)
    low, high = (-8, 7) if bits == 4 else (-127, 127)
    whole: NDArray[np.int8] = np.clip(np.rint(values / scale), low, high).astype(np.int8)
    return whole, scale


def by_channel(weight: Weight) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 values in the weight's shape, and scales that broadcast to it."""
    axis = weight.axis
    front = np.moveaxis(weight.values, axis, 0)
    whole, scale = rounded(front.reshape(len(front), -1), 1, 8)
    shape = [1] * weight.values.ndim
    shape[axis] = -1
    return np.moveaxis(whole.reshape(front.shape), 0, axis), scale.reshape(shape)


def by_block(rows: NDArray[np.float32], block: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int4 values of [n, k] as [n, blocks, block], padded with zeros, and scales [n, blocks]."""
    n, k = rows.shape
    padded = np.pad(rows, ((0, 0), (0, -k % block)))
    whole, scale = rounded(padded.reshape(n, -1, block), 2, 4)
    return whole, scale[:, :, 0]
