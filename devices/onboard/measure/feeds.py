"""What a job queries a model with: its real inputs, or made-up ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..model.inputs import check_batch, load_batches
from ..model.made_inputs import dtype_of, make_inputs
from ..model.modelfile import Input
from ..settings import Feed

Batches = list[dict[str, Any]]


def real_batches(feed: Feed) -> Batches | None:
    """The batches of the real inputs; None where there are none.

    Raises:
        DataError: a file that cannot be read, or holds no batch.
    """
    return load_batches(Path(feed.inputs), feed.batch) if feed.inputs is not None else None


def batches_of(feed: Feed, schema: Sequence[Input], real: Batches | None = None) -> Batches:
    """At least one batch that fits the model.

    Args:
        feed: what to query with.
        schema: the model's inputs.
        real: what `real_batches` returned, where that was called before; None: it is called here.

    Raises:
        DataError: real inputs that do not fit.
        UsageError: a shape that is missing or does not fit.
    """
    batches = real if real is not None else real_batches(feed)
    if batches is None:
        return [make_inputs(schema, feed)]
    dtypes = [dtype_of(port) for port in schema]
    check_batch(batches[0], schema, dtypes, str(feed.inputs))
    return batches
