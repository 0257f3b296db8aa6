"""Real inputs: an `.npz` of one array a model input, cut into queries as the model says.

    samples = real_samples(Feed("inputs.npz"), schema)
    feeds = batches_from(samples, batch=4)

`y`, the classes of the samples, may stand in the file too: one file serves every command. Standard
library and numpy only: the measuring process reads them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ....errors import DataError, UsageError, no_file
from ..settings import Feed
from .inflation import require_arrays
from .made_inputs import batch_axis, dtype_of
from .modelfile import Input, printable
from .samples import Samples, samples_of

LABELS = "y"
"""Name of the array with the classes of the samples, unless an input has that name."""
_MOST_BATCHES = 64  # enough that no cache holds the answer, few enough to stay small
_FIX = "write it with numpy.savez: one array an input, named after it"


def real_samples(feed: Feed, schema: Sequence[Input]) -> Samples:
    """The real inputs of a feed, as one model takes them.

    Args:
        feed: with real inputs; the axes that it names win over what the arrays tell.
        schema: the model's inputs.

    Raises:
        DataError: no such archive, or arrays of other names, types, ranks or extents than the
            model takes.
        UsageError: an axis for no input, or a batch that the model does not take.
    """
    where = str(feed.inputs)
    arrays = read_arrays(Path(where))
    names = {port.name for port in schema}
    if not names <= set(arrays) <= names | {LABELS}:
        raise _other_names(arrays, schema, where)
    arrays = {port.name: arrays[port.name] for port in schema}
    given = named_axes(feed.batch_axes, {name: one.ndim for name, one in arrays.items()})
    samples = samples_of(arrays, schema, where=where, given=given)
    rows = max(samples.rows.values(), default=feed.batch)
    if feed.batch not in (1, rows):
        raise UsageError(
            f"a batch of {feed.batch}",
            expected=f"{rows}, the fixed extent of the model's inputs",
            fix="export the model with a dynamic batch, or measure it at its own",
        )
    (first, *_) = batches_from(samples, feed.batch, own_pad(feed, schema))
    check_batch(first, schema, [dtype_of(port) for port in schema], where)
    return samples


def resolved(feed: Feed, schema: Sequence[Input]) -> Feed:
    """The feed with what the model and its real inputs tell: axes, rows, and the shapes of a query.

    Raises:
        DataError, UsageError: as `real_samples`.
    """
    if feed.inputs is None:
        return feed
    samples, pad = real_samples(feed, schema), own_pad(feed, schema)
    (first, *_) = batches_from(samples, feed.batch, pad)
    shapes = {name: array.shape for name, array in first.items()}
    return replace(feed, batch_axes=samples.axes, rows=samples.rows, shapes=shapes, pad=pad)


def own_pad(feed: Feed, schema: Sequence[Input]) -> int | None:
    """The padding that queries of one model may leave out: none where it fixes their length."""
    fixed = any(isinstance(extent, int) for port in schema for extent in port.shape[1:2])
    return None if fixed else feed.pad


def named_axes(given: Mapping[str, int | None], ranks: Mapping[str, int]) -> dict[str, int | None]:
    """The axes that a user names, with one for all (the name "") given to each input by name.

    Args:
        given: axes by input, None for an input that is the same in each query.
        ranks: the number of axes of each input; a scalar has no axis of samples.
    """
    named = {name: axis for name, axis in given.items() if name}
    if "" not in given:
        return named
    everywhere = {name: given[""] if rank else None for name, rank in ranks.items()}
    return everywhere | named


def batches_from(
    samples: Samples, batch: int, pad: int | None = None
) -> list[dict[str, NDArray[Any]]]:
    """The first samples, cut into queries.

    The last query begins again at the front, so that every one is of full size.

    Args:
        samples: as the model takes them.
        batch: samples a query, where the model takes any number.
        pad: the token id behind the end of a text; None: inputs are no texts.

    Returns:
        At most 64 feeds, C order.
    """
    feeds = _batches(samples, batch)
    if pad is None:
        return feeds
    return [{name: trimmed(array, pad) for name, array in feed.items()} for feed in feeds]


def trimmed(ids: NDArray[Any], pad: int) -> NDArray[Any]:
    """Texts [n, t] without the padding at the end that all of them have, at least one token."""
    used = np.flatnonzero((ids != pad).any(0))
    longest = int(used[-1]) + 1 if len(used) else 1
    return np.ascontiguousarray(ids[:, :longest])


def _batches(samples: Samples, batch: int) -> list[dict[str, NDArray[Any]]]:
    """The queries, with texts as they are."""
    if samples.rows:
        fixed = samples.batches(batch)
        return [feed for feed, _ in zip(fixed, range(_MOST_BATCHES), strict=False)]
    feeds = []
    for index in range(min(_MOST_BATCHES, -(-samples.count // batch))):
        rows = (index * batch + np.arange(batch)) % samples.count
        feeds.append(
            {
                name: np.require(
                    array if (axis := samples.axes[name]) is None else array.take(rows, axis),
                    requirements="C",
                )
                for name, array in samples.items()
            }
        )
    return feeds


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an archive; nothing in it is unpickled.

    Raises:
        DataError: no such archive, none that holds an array, or one that grows beyond measure.
    """
    where = str(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            require_arrays(archive.zip, archive.zip.namelist(), path)
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise no_file(path, DataError, _FIX) from None
    except (OSError, ValueError, EOFError, AttributeError, TypeError, BadZipFile) as error:
        # AttributeError and TypeError: a bare .npy gives an array, which is no archive.
        raise DataError(
            f"a file that cannot be read ({error})",
            expected="an .npz of arrays",
            where=where,
            fix=_FIX,
        ) from None
    if not arrays:
        raise DataError("no array", expected="one an input", where=where, fix=_FIX)
    return arrays


def complete_shapes(
    schema: Sequence[Input], feed: Feed, ask: Callable[[Input, int], int | None]
) -> dict[str, tuple[int, ...]]:
    """The full shape of each input that has dynamic axes besides the batch.

    An open first axis is the batch, unless the feed names another; the extent of a symbol that one
    input's shape gives is that symbol's extent in all of them.

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
        samples = batch_axis(port, feed)
        open_axes = [i for i, e in enumerate(port.shape) if i != samples and not isinstance(e, int)]
        if port.name in feed.shapes or not (open_axes or samples):
            continue
        shape = [extent if isinstance(extent, int) else feed.batch for extent in port.shape]
        known = True
        for axis in open_axes:
            symbol = str(port.shape[axis] or f"axis {axis} of {port.name}")
            if symbol not in symbols:
                symbols[symbol] = ask(port, axis)
            extent = symbols[symbol]
            known = known and extent is not None
            shape[axis] = extent or 0
        if known:
            shapes[port.name] = tuple(shape)
    return shapes


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
    if set(feed) != {port.name for port in schema}:
        raise _other_names(feed, schema, where)
    for one, dtype in zip(schema, dtypes, strict=True):
        array = feed[one.name]
        # A model that does not say its ranks has the shape () of a scalar.
        fits = not one.shape or (
            array.ndim == len(one.shape)
            and all(
                not isinstance(extent, int) or extent < 0 or extent == have
                for extent, have in zip(one.shape, array.shape, strict=True)
            )
        )
        if array.dtype != dtype or not fits:
            raise DataError(
                f"{array.dtype} of shape {array.shape} for a query",
                expected=f"{np.dtype(dtype)} of shape {shape_text(one)}",
                where=f"{where}: {printable(one.name)}",
                fix="convert the array; nothing is cast"
                if fits
                else "if its samples lie along another axis, name it: "
                f"--batch-axis {printable(one.name)}=AXIS",
            )


def _other_names(
    arrays: Mapping[str, NDArray[Any]], schema: Sequence[Input], where: str
) -> DataError:
    return DataError(
        f"the arrays {', '.join(map(printable, sorted(arrays))) or 'none'}",
        expected="; ".join(
            f"{printable(port.name)}: {port.type[7:-1]} of shape {shape_text(port)}"
            for port in schema
        ),
        where=where,
        fix="name each array after the model's input",
    )


def shape_text(port: Input) -> str:
    """An input's shape with its symbols, as `(n, 3, ?)`."""
    extents = [
        one if isinstance(one, int) else printable(one)[1:-1] if one else "?" for one in port.shape
    ]
    return f"({', '.join(map(str, extents))}{',' * (len(extents) == 1)})"
