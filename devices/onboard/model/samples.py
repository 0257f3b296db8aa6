"""Real inputs cut into queries, as the model says.

    samples = samples_of(arrays, schema, where="inputs.npz")
    for feed in samples.batches(32): ...

As a rule samples lie along the first axis of every input. Not in these cases, which the model and
the lengths of the arrays tell apart: an input whose first axis the model fixes takes that many rows
a query; a state such as [layers, n, width] has its samples along the open axis that is as long as
there are samples; a scalar, and whatever the model fixes whole, is the same in each query.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import DataError
from .modelfile import Input, printable

Axes = Mapping[str, int | None]
"""The axis of samples by input; None: the input is the same in each query."""


class Samples(Mapping[str, NDArray[Any]]):
    """Arrays by input name, and how they are cut.

    Attributes:
        axes: the axis of samples of each input, or None.
        rows: how many samples of each input the model takes in a query; empty: any number.
        count: the number of samples that are used; those that fill no whole query are not.
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        axes: Axes | None = None,
        rows: Mapping[str, int] | None = None,
    ) -> None:
        self._arrays = dict(arrays)
        self.axes: Axes = dict.fromkeys(arrays, 0) if axes is None else dict(axes)
        self.rows = dict(rows or {})
        lengths: dict[str, int] = {
            name: array.shape[axis]
            for name, array in self._arrays.items()
            if (axis := self.axes[name]) is not None
        }
        if self.rows:
            self._queries = min(lengths[name] // row for name, row in self.rows.items())
            self.count = self._queries * next(iter(self.rows.values()))
        else:
            self.count = min(lengths.values(), default=1)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The whole array of an input."""
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        """The names of the inputs."""
        return iter(self._arrays)

    def __len__(self) -> int:
        """The number of inputs."""
        return len(self._arrays)

    @property
    def plain(self) -> bool:
        """Whether any number of samples along the first axis of every input makes a query."""
        return not self.rows and set(self.axes.values()) == {0}

    def batches(self, size: int) -> Iterator[dict[str, NDArray[Any]]]:
        """Queries in order, each of so many samples, or of as many as the model takes.

        Args:
            size: where the model takes any number; the last query may be smaller.
        """
        if self.rows:
            for query in range(self._queries):
                yield {
                    name: self._part(name, query * self.rows.get(name, 0), self.rows.get(name, 0))
                    for name in self
                }
            return
        for start in range(0, self.count, size):
            yield {name: self._part(name, start, min(size, self.count - start)) for name in self}

    def sizes(self, size: int) -> tuple[int, ...]:
        """The number of samples in each of the queries that `batches` gives."""
        if self.rows:
            return (next(iter(self.rows.values())),) * self._queries
        return tuple(min(size, self.count - start) for start in range(0, self.count, size))

    def first(self, count: int) -> "Samples":
        """The first samples, at least those of one query."""
        least = max(self.rows.values(), default=1)
        queries = max(count // least, 1)
        arrays = {
            name: array
            if (axis := self.axes[name]) is None
            else _along(array, axis, 0, queries * self.rows.get(name, 1) if self.rows else count)
            for name, array in self._arrays.items()
        }
        return Samples(arrays, self.axes, self.rows)

    def _part(self, name: str, start: int, length: int) -> NDArray[Any]:
        array, axis = self._arrays[name], self.axes[name]
        part = array if axis is None else _along(array, axis, start, start + length)
        return np.require(part, requirements="C")


def samples_of(
    arrays: Mapping[str, NDArray[Any]],
    schema: Sequence[Input],
    *,
    where: str,
    given: Axes | None = None,
) -> Samples:
    """Find out along which axis each input's samples lie.

    Args:
        arrays: one for each input of the model.
        schema: the model's inputs.
        where: the file, for a message.
        given: axes that the user names.

    Raises:
        DataError: inputs with different numbers of samples, none at all, or an axis that an input
            does not have.
    """
    given = given or {}
    _check_given(given, arrays, where)
    ports = {port.name: port for port in schema}
    open_first = {
        name: array.shape[0]
        for name, array in arrays.items()
        if array.ndim and name not in given and not _fixed(ports[name], 0)
    }
    counted = {
        name: arrays[name].shape[axis] for name, axis in given.items() if axis is not None
    } or open_first
    if not counted:
        return _all_fixed(arrays, ports, where, given)
    count = next(iter(counted.values()))
    axes = {
        name: given[name] if name in given else _axis(ports[name], array, count)
        for name, array in arrays.items()
    }
    lengths = {n: arrays[n].shape[axis] for n, axis in axes.items() if axis is not None}
    _check_lengths(lengths, where)
    fixed = [
        row
        for name, axis in axes.items()
        if axis is not None and (row := _fixed(ports[name], axis))
    ]
    return Samples(arrays, axes, dict.fromkeys(lengths, max(fixed)) if fixed else None)


def _all_fixed(
    arrays: Mapping[str, NDArray[Any]], ports: Mapping[str, Input], where: str, given: Axes
) -> Samples:
    """Every first axis is fixed: as many queries as each array has rows for."""
    cut = {name: one for name, one in arrays.items() if one.ndim and name not in given}
    rows = {
        name: _fixed(ports[name], 0)
        for name, array in cut.items()
        if len(array) != _fixed(ports[name], 0)
    } or {name: len(array) for name, array in cut.items()}
    queries = {name: len(arrays[name]) // row if row else 0 for name, row in rows.items()}
    if len(set(queries.values())) > 1:
        _check_lengths({name: len(arrays[name]) for name in rows}, where)
    if 0 in queries.values():
        name = next(name for name, found in queries.items() if not found)
        raise DataError(
            f"{len(arrays[name])} samples of {printable(name)}",
            expected=f"at least {rows[name]}, which the model takes in each query",
            where=where,
        )
    return Samples(arrays, {name: 0 if name in rows else None for name in arrays}, rows)


def _axis(port: Input, array: NDArray[Any], count: int) -> int | None:
    """The axis of samples of an input, if there are so many samples."""
    if not array.ndim:
        return None
    if not _fixed(port, 0):
        return 0
    if array.shape[0] != _fixed(port, 0):
        return 0  # More rows than a query takes: cut by the fixed number.
    axes = [i for i, extent in enumerate(array.shape) if not _fixed(port, i) and extent == count]
    return axes[0] if axes else None


def _fixed(port: Input, axis: int) -> int:
    """The extent that the model fixes; 0 where it is open. Of an unknown rank the shape is ()."""
    extent = port.shape[axis] if axis < len(port.shape) else None
    return extent if isinstance(extent, int) and extent > 0 else 0


def _along(array: NDArray[Any], axis: int, start: int, stop: int) -> NDArray[Any]:
    return array[(slice(None),) * axis + (slice(start, stop),)]


def _check_given(given: Axes, arrays: Mapping[str, NDArray[Any]], where: str) -> None:
    for name, axis in given.items():
        if name not in arrays:
            raise DataError(
                f"an axis of samples for {printable(name)}",
                expected=f"one of {', '.join(map(printable, arrays))}",
                where=where,
            )
        if axis is not None and not 0 <= axis < arrays[name].ndim:
            raise DataError(
                f"axis {axis} of {printable(name)}, of shape {arrays[name].shape}",
                expected="an axis that the input has",
                where=where,
            )


def _check_lengths(lengths: Mapping[str, int], where: str) -> None:
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise DataError(
            ", ".join(f"{n} of {printable(name)}" for name, n in lengths.items()),
            expected="the same number of samples of each, at least one",
            where=where,
        )
