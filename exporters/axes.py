"""The order of axes that a file takes images in, where that is not the data set's.

>>> ordered((1, 3, 32, 32), NHWC)
(1, 32, 32, 3)
"""

from collections.abc import Sequence

NHWC = (0, 2, 3, 1)
"""Channels last, as cameras and the runtimes of phones have them, of samples that have them first:
each axis of the file is this one of the samples."""


def ordered(shape: Sequence[int], axes: Sequence[int] | None) -> tuple[int, ...]:
    """The extents of a query as a file takes it."""
    return tuple(shape) if axes is None else tuple(shape[axis] for axis in axes)
