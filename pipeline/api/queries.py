"""What models are queried with, as parameters of several functions say.

>>> with queried(None, {"ids": (1, 128)}, 1, None) as query:
...     query.shapes
{'ids': (1, 128)}
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ...devices.onboard.settings import Feed
from ..finished.feed import feed
from .given import ArraysOrPath, as_file

Shapes = Mapping[str, Sequence[int]]
Axes = Mapping[str, int | None]


@contextmanager
def queried(
    inputs: ArraysOrPath | None, shapes: Shapes | None, batch: int, batch_axes: Axes | None
) -> Iterator[Feed]:
    """The feed that parameters describe; arrays are a file as long as it is used.

    Args:
        inputs: an ``.npz`` file or arrays by input; None: generated inputs.
        shapes: full shapes of generated inputs that have dynamic axes besides that of the samples.
        batch: samples of a query, where the model takes any number.
        batch_axes: the axis of an input along which its samples lie.

    Raises:
        UsageError: shapes beside real inputs, or a number that is not above 0.
        DataError: inputs that are no arrays.
    """
    full = {name: tuple(map(int, shape)) for name, shape in (shapes or {}).items()}
    with as_file(inputs, "inputs") as real:
        yield feed(real, full, batch, dict(batch_axes or {}))
