"""Random inputs for a model of which nothing is known but its schema.

batch = make_inputs(model.inputs, Feed(batch=2))
"""

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ....errors import ModelError, UsageError
from ..settings import DEFAULT_FEED, Feed
from .modelfile import Input, printable

_BATCH = "\0the batch"
"""Among the symbols, the batch; no symbol of a file."""
_DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(int16)": np.int16,
    "tensor(uint16)": np.uint16,
    "tensor(int32)": np.int32,
    "tensor(uint32)": np.uint32,
    "tensor(int64)": np.int64,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
}


def make_inputs(schema: Sequence[Input], feed: Feed = DEFAULT_FEED) -> dict[str, NDArray[Any]]:
    """Random inputs that any model can take: finite, and valid as an index.

    Floats are standard normal. Integers are 0 or 1, and the first of each row is 1: valid in every
    vocabulary, and as a mask never empty.

    Args:
        schema: what the model takes.
        feed: batch, shapes and seed; its real inputs are not read.

    Returns:
        One array an input, C order.

    Raises:
        UsageError: a dynamic axis without an extent, a shape that contradicts the model, or a type
            that cannot be made up.
    """
    shapes = resolve_shapes(schema, feed)
    random = np.random.default_rng(feed.seed)
    return {port.name: _random(port, shapes[port.name], random) for port in schema}


def make_queries(schema: Sequence[Input], feed: Feed, count: int) -> list[dict[str, NDArray[Any]]]:
    """Several random queries, the same for every model that takes inputs of these names and shapes.

    An array depends on the seed, its input's name and its shape: neither on the order of the inputs
    nor on how many bits an integer has, which differ between formats of one model.

    Args:
        schema: what the model takes.
        feed: batch, shapes and seed; its real inputs are not read.
        count: how many.

    Raises:
        UsageError: as `make_inputs`.
    """
    shapes = resolve_shapes(schema, feed)

    def random(port: Input, number: int) -> np.random.Generator:
        return np.random.default_rng(
            [feed.seed + number, crc32(port.name.encode(errors="replace"))]
        )

    return [
        {port.name: _random(port, shapes[port.name], random(port, number)) for port in schema}
        for number in range(count)
    ]


def dtype_of(port: Input) -> np.dtype[Any]:
    """The numpy dtype of an input.

    Raises:
        ModelError: a type that has none here, such as strings and sequences.
    """
    if port.type not in _DTYPES:
        raise ModelError(
            f"input {printable(port.name)} of type {port.type}",
            expected=f"one of {', '.join(sorted(_DTYPES))}",
            fix="edgestill runs models that take numbers; move the rest in front of the model",
        )
    return np.dtype(_DTYPES[port.type])


def batch_axis(port: Input, feed: Feed) -> int | None:
    """The axis of an input that holds the samples: the first one, unless the feed names another.

    Returns:
        None for a scalar, and for what is the same in each query.

    Raises:
        UsageError: an axis that the input does not have.
    """
    axis = feed.batch_axes.get(port.name, feed.batch_axes.get("", 0))
    if axis is None or not port.shape:
        return None
    if axis >= len(port.shape):
        raise UsageError(
            f"axis {axis} of {printable(port.name)}, which has {len(port.shape)}",
            expected=f"an axis below {len(port.shape)}, or none",
            where="--batch-axis",
        )
    return axis


def resolve_shapes(schema: Sequence[Input], feed: Feed) -> dict[str, tuple[int, ...]]:
    """Every input's full shape.

    A dynamic first axis is the batch, unless the feed names another. A symbol that is known from
    one input holds in all of them.

    Raises:
        UsageError: as `make_inputs`.
    """
    batch, shapes = feed.batch, feed.shapes
    unknown = sorted(set(shapes) - {port.name for port in schema})
    if unknown:
        raise UsageError(
            f"a shape for {', '.join(map(printable, unknown))}",
            expected=f"one of {', '.join(printable(port.name) for port in schema)}",
            where="shapes",
        )
    symbols: dict[str, int] = {}
    for port in schema:
        if port.name in shapes:
            _check_shape(port, shapes[port.name])
            given = zip(port.shape, shapes[port.name], strict=True)
            symbols |= {name: extent for name, extent in given if isinstance(name, str)}
    axes = {port.name: batch_axis(port, feed) for port in schema}
    extents = {
        port.name: port.shape[axis] for port in schema if (axis := axes[port.name]) is not None
    }
    dynamic_batch = any(not isinstance(extent, int) for extent in extents.values())
    for extent in extents.values():
        if isinstance(extent, str):
            symbols.setdefault(extent, batch)
    fixed = [port for port in schema if port.shape and extents.get(port.name, batch) != batch]
    if batch != 1 and fixed and not dynamic_batch and not shapes:
        raise UsageError(
            f"a fixed first axis of {fixed[0].shape[0]} in input {printable(fixed[0].name)}",
            expected=f"room for a batch of {batch}",
            fix="export the model with a dynamic batch, or measure it at its own",
        )
    symbols[_BATCH] = batch
    return {
        port.name: _resolved(port, axes[port.name], symbols, shapes.get(port.name))
        for port in schema
    }


def _resolved(
    port: Input, samples: int | None, symbols: Mapping[str, int], given: Sequence[int] | None
) -> tuple[int, ...]:
    if given is not None:
        return tuple(given)
    shape: list[int] = []
    open_axes: list[str] = []
    for axis, extent in enumerate(port.shape):
        if isinstance(extent, int):
            shape.append(extent)
        elif isinstance(extent, str) and extent in symbols:
            shape.append(symbols[extent])
        elif axis == samples:
            shape.append(symbols[_BATCH])
        else:
            open_axes.append(f"axis {axis} ({printable(extent) if extent else 'unnamed'})")
    if open_axes:
        raise UsageError(
            f"no extent for {', '.join(open_axes)} of input {printable(port.name)}",
            expected="the extent of every axis but that of the samples",
            where="shapes",
            fix=f"give the full shape of {printable(port.name)}",
        )
    return tuple(shape)


def _check_shape(port: Input, given: Sequence[int]) -> None:
    agrees = len(given) == len(port.shape) and all(
        extent > 0 and (not isinstance(fixed, int) or fixed == extent)
        for fixed, extent in zip(port.shape, given, strict=True)
    )
    if not agrees:
        raise UsageError(
            f"shape {tuple(given)} for input {printable(port.name)}",
            expected=f"one that fits {port.shape}, every extent above 0",
            where="shapes",
        )


def _random(port: Input, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[Any]:
    dtype = dtype_of(port)
    if np.issubdtype(dtype, np.floating):
        # asarray: for a scalar input the generator gives a bare number.
        return np.asarray(random.standard_normal(shape), dtype=dtype)
    values = np.asarray(random.integers(0, 2, shape)).astype(dtype)
    if shape:
        values[..., 0] = 1
    return values
