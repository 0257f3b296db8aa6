"""What models are queried with, as the same options of several commands say.

@query_options
def bench(..., shapes, inputs, batch, batch_axes): ...
feed_of(shapes, inputs, batch, batch_axes)
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ...devices.onboard.settings import Feed
from ...errors import UsageError
from ..finished.feed import feed
from .shared import axes_of, batch_axis_option, batch_option, inputs_option, shapes_option

QUERY = ("shapes", "inputs", "batch", "batch_axes")
"""The options' names, in the order of ``feed_of``."""
F = TypeVar("F", bound=Callable[..., Any])


def query_options(function: F) -> F:
    """``--shape``, ``--inputs``, ``--batch-axis`` and ``--batch``."""
    for option in (batch_option, batch_axis_option, inputs_option, shapes_option):
        function = option(function)
    return function


def feed_of(
    shapes: Sequence[str] = (),
    inputs: Path | None = None,
    batch: int = 1,
    batch_axes: Sequence[str] = (),
) -> Feed:
    """What the options describe.

    Args:
        shapes: ``input=1,3,224,224`` texts, for generated inputs with dynamic axes besides that of
            the samples.
        inputs: an ``.npz`` file with one array per input; None: generated inputs.
        batch: samples of a query, where the model takes any number.
        batch_axes: ``state=1`` texts, or one axis for all inputs: where their samples lie.

    Raises:
        UsageError: a text of another form, or shapes beside real inputs.
    """
    return feed(inputs, given_shapes(shapes), batch, axes_of(batch_axes))


def query_of(
    shapes: Sequence[str], inputs: Path | None, batch: int, batch_axes: Sequence[str]
) -> dict[str, Any]:
    """The same as parameters of a function of ``pipeline.api``.

    Raises:
        UsageError: a text of another form.
    """
    return {
        "shapes": given_shapes(shapes),
        "inputs": inputs,
        "batch": batch,
        "batch_axes": axes_of(batch_axes),
    }


def given_shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Shapes by input name, from ``input=1,3,224,224`` texts.

    Raises:
        UsageError: a text of another form.
    """
    return dict(_shape(text) for text in texts)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, mark, extents = text.rpartition("=")
    if not mark or not name or not re.fullmatch(r"[1-9][0-9]*(,[1-9][0-9]*)*", extents):
        raise UsageError(found=repr(text), expected="INPUT=1,3,224,224", where="--shape")
    return name, tuple(int(extent) for extent in extents.split(","))
