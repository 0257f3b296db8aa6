"""Samples as float32, for formats whose converter or runtime takes floats alone.

>>> as_floats(np.array([[[0, 255]]], np.uint8)).dtype               # doctest: +SKIP
dtype('float32')
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .package import Job
from .scaled import Scaled, Scales

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_floats(samples: "NDArray[Any]") -> "NDArray[Any]":
    """The same numbers as float32: bytes of images, 16 bits of sound.

    Token ids, which are integers of 32 or 64 bits, are no numbers and stay as they are.
    """
    import numpy as np

    if samples.dtype.kind in "iu" and samples.dtype.itemsize >= 4:
        return samples
    return samples.astype(np.float32, copy=False)


def of_floats(job: Job) -> Job:
    """The same job for models that take float32, with what they take normalized inside as before.

    A torch module of ours casts what it is given, so it is captured with floats as well.
    """
    samples = job.calibration
    return job if samples is None else replace(job, calibration=as_floats(samples))


def ports_of_floats(job: Job, gives: Sequence[int]) -> Scales | None:
    """What a file takes and gives that was made of ``of_floats``; None: as the ``.onnx`` file.

    Args:
        job: with the samples as they are.
        gives: the shape of the file's output.
    """
    samples = job.calibration
    if samples is None or as_floats(samples).dtype == samples.dtype:
        return None
    shape = (job.batch, *samples.shape[1:])
    return Scales(Scaled("float32", shape, None, None), Scaled("float32", tuple(gives), None, None))


def about_floats(job: Job, ports: Scales | None) -> str:
    """A sentence on a file that takes floats where the ``.onnx`` file does not."""
    if ports is None or job.calibration is None:
        return ""
    return (
        f" It takes the same numbers as float32, for its format takes no {job.calibration.dtype}."
    )
