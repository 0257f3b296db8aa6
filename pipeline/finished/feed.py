"""What a finished model is queried with: real inputs, or the shapes of generated ones.

>>> feed(None, {"ids": (1, 128)}, 1, {}).shapes
{'ids': (1, 128)}
"""

from collections.abc import Mapping
from pathlib import Path

from ...devices.onboard.settings import Feed
from ...errors import UsageError


def feed(
    inputs: Path | None,
    shapes: Mapping[str, tuple[int, ...]],
    batch: int,
    batch_axes: Mapping[str, int | None],
) -> Feed:
    """The feed that options describe.

    Args:
        inputs: an ``.npz`` file with one array per input; None: generated inputs.
        shapes: of generated inputs with dynamic axes besides that of the samples.
        batch: samples of a query, where the model takes any number.
        batch_axes: the axis of an input along which its samples lie.

    Raises:
        UsageError: shapes beside real inputs, or a number that is not above 0.
    """
    if inputs is not None and shapes:
        raise UsageError(
            "--shape with --inputs",
            expected="one of them",
            fix="leave --shape out: the arrays of the file have their shapes",
        )
    if batch < 1 or any(extent < 1 for shape in shapes.values() for extent in shape):
        raise UsageError(
            f"batch {batch} and shapes {dict(shapes)}", expected="whole numbers above 0"
        )
    real = None if inputs is None else str(inputs)
    return Feed(real, batch, shapes, batch_axes=batch_axes)
