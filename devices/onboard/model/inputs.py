"""Real inputs: an `.npz` of one array a model input, samples along the first axis.

    feeds = load_batches(Path("inputs.npz"), batch=4)
    check_batch(feeds[0], schema, "inputs.npz")

Standard library and numpy only: the measuring process reads them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ....errors import DataError
from ..settings import Feed
from .modelfile import Input, printable

_MOST_BATCHES = 64  # enough that no cache holds the answer, few enough to stay small


def load_batches(path: Path, batch: int) -> list[dict[str, NDArray[Any]]]:
    """The first samples, cut into batches.

    The last batch begins again at the front, so that every query is of full size.

    Args:
        path: an `.npz`; nothing in it is unpickled.
        batch: samples a query.

    Returns:
        At most 64 feeds, each array of shape (batch, ...), C order.

    Raises:
        DataError: no such archive, or its arrays do not hold one number of samples.
    """
    arrays = _load(path)
    n = len(next(iter(arrays.values())))
    feeds = []
    for index in range(min(_MOST_BATCHES, -(-n // batch))):
        rows = (index * batch + np.arange(batch)) % n
        feeds.append({name: np.ascontiguousarray(one[rows]) for name, one in arrays.items()})
    return feeds


def with_real_shapes(feed: Feed) -> Feed:
    """The feed with the shapes of its real inputs too: they say what a model leaves open.

    Raises:
        DataError: inputs that cannot be read.
    """
    if feed.inputs is None:
        return feed
    real = batch_shapes(Path(feed.inputs), feed.batch)
    return replace(feed, shapes=real | dict(feed.shapes))


def complete_shapes(
    schema: Sequence[Input], feed: Feed, ask: Callable[[Input, int], int | None]
) -> dict[str, tuple[int, ...]]:
    """The full shape of each input that has dynamic axes besides the batch.

    An open first axis is the batch; the extent of a symbol that one input's shape gives is that
    symbol's extent in all of them.

    Args:
        schema: the inputs, of one model or of several.
        feed: batch, and the shapes that are known.
        ask: gives the extent of an open axis, by the input and the axis, once for each symbol;
            None: it is not known.

    Returns:
        By input name, with the shapes that were known; without inputs of an unknown extent.
    """
    symbols: dict[str, int | None] = {
        symbol: extent
        for port in schema
        for symbol, extent in zip(port.shape, feed.shapes.get(port.name, ()), strict=False)
        if isinstance(symbol, str)
    }
    shapes = dict(feed.shapes)
    for port in schema:
        open_axes = [i for i, extent in enumerate(port.shape) if i and not isinstance(extent, int)]
        if port.name in feed.shapes or not open_axes:
            continue
        shape = [extent if isinstance(extent, int) else feed.batch for extent in port.shape]
        for axis in open_axes:
            symbol = str(port.shape[axis] or f"axis {axis} of {port.name}")
            if symbol not in symbols:
                symbols[symbol] = ask(port, axis)
            shape[axis] = symbols[symbol] or 0
        if 0 not in shape:
            shapes[port.name] = tuple(shape)
    return shapes


def batch_shapes(path: Path, batch: int) -> dict[str, tuple[int, ...]]:
    """The shape that each input has in a query.

    Raises:
        DataError: as `load_batches`.
    """
    return {name: (batch, *one.shape[1:]) for name, one in _load(path).items()}


def check_batch(
    feed: Mapping[str, NDArray[Any]],
    schema: Sequence[Input],
    dtypes: Sequence[DTypeLike],
    where: str,
) -> None:
    """Refuse a feed that the model does not take as it is; nothing is cast.

    Args:
        feed: arrays by input name.
        schema: what the model takes.
        dtypes: the numpy dtype of each input in `schema`.
        where: the file, for the message.

    Raises:
        DataError: a name, dtype or shape that differs.
    """
    wanted = {port.name for port in schema}
    if set(feed) != wanted:
        raise DataError(
            f"arrays {', '.join(map(printable, sorted(feed)))}",
            expected=", ".join(map(printable, sorted(wanted))),
            where=where,
            fix="name each array after the model's input",
        )
    for one, dtype in zip(schema, dtypes, strict=True):
        array = feed[one.name]
        fits = array.ndim == len(one.shape) and all(
            not isinstance(extent, int) or extent == have
            for extent, have in zip(one.shape, array.shape, strict=True)
        )
        if array.dtype != dtype or not fits:
            raise DataError(
                f"{array.dtype} of shape {array.shape} for a query",
                expected=f"{np.dtype(dtype)} of shape {one.shape}",
                where=f"{where}: {printable(one.name)}",
            )


def _load(path: Path) -> dict[str, NDArray[Any]]:
    where = str(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError) as error:
        # AttributeError and TypeError: a bare .npy gives an array, which is no archive.
        raise DataError(
            f"a file that cannot be read ({error})", expected="an .npz of arrays", where=where
        ) from None
    lengths = {len(array) if array.ndim else 0 for array in arrays.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise DataError(
            f"arrays of {', '.join(map(str, sorted(lengths))) or 'no'} samples",
            expected="one array an input, all of the same number of samples",
            where=where,
        )
    return arrays
