"""What a job queries a model with: its real inputs, or made-up ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..model.inputs import batches_from, check_batch, own_pad, read_arrays, real_samples
from ..model.made_inputs import dtype_of, make_inputs
from ..model.modelfile import Input
from ..model.samples import Samples
from ..settings import Feed

Batches = list[dict[str, Any]]


def real_batches(feed: Feed) -> Batches | None:
    """The batches of real inputs whose axes are known, before the model is loaded.

    Returns:
        None where there are no real inputs, or the model must tell how they are cut.

    Raises:
        DataError: a file that cannot be read.
    """
    if feed.inputs is None or not feed.batch_axes or "" in feed.batch_axes:
        return None
    arrays = read_arrays(Path(feed.inputs))
    if not set(feed.batch_axes) <= set(arrays):
        return None
    own = {name: arrays[name] for name in feed.batch_axes}
    return batches_from(Samples(own, feed.batch_axes, feed.rows), feed.batch, feed.pad)


def batches_of(feed: Feed, schema: Sequence[Input], real: Batches | None = None) -> Batches:
    """At least one batch that fits the model.

    Args:
        feed: what to query with.
        schema: the model's inputs.
        real: what `real_batches` returned, where that was called before.

    Raises:
        DataError: real inputs that do not fit.
        UsageError: a shape that is missing or does not fit.
    """
    if feed.inputs is None:
        return [make_inputs(schema, feed)]
    if real is None or set(real[0]) != {port.name for port in schema}:
        return batches_from(real_samples(feed, schema), feed.batch, own_pad(feed, schema))
    check_batch(real[0], schema, [dtype_of(port) for port in schema], str(feed.inputs))
    return real
