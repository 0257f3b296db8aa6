"""Runs of a model that return its activations, sample by sample.

run = ActivationRun(Path("student.onnx"), ("relu",), folder, threads=1)
for name, values, where in run.activations(feeds): ...
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ....devices.onboard import runtimes
from ....devices.onboard.model.inputs import check_batch
from ....devices.onboard.model.made_inputs import dtype_of
from ....devices.onboard.model.modelfile import Input, check_external_data, load, printable
from ....devices.onboard.settings import Session
from ....errors import DataError

Feeds = Callable[[], Iterable[Mapping[str, NDArray[Any]]]]
"""Returns the calibration set from its start at each call: batches of any size, by input name."""


_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")


class ActivationRun:
    """A copy of a model whose outputs are the activations.

    Attributes:
        model: the original file.
        names: tensors that each run returns.
        given: names of the inputs.
    """

    def __init__(self, model: Path, names: tuple[str, ...], folder: Path, threads: int) -> None:
        self.model = model
        self.names = names
        # Optimization would fuse operators and remove tensors of the file.
        self.loaded = runtimes.load(
            _exposed(model, names, folder), Session(threads=threads, optimization="none")
        )
        self.schema = self.loaded.inputs
        self.dtypes = [dtype_of(value) for value in self.schema]
        self.given = {value.name for value in self.schema}
        exposed = self.loaded.outputs
        self.outputs = [value.name for value in exposed]
        types = {value.name: value.type for value in (*self.schema, *exposed)}
        for name in names:
            if types[name] not in _FLOATS:
                raise ValueError(f"{printable(name)} is a {types[name]}, expected floats")

    def activations(self, feeds: Feeds) -> Iterator[tuple[str, NDArray[np.floating[Any]], str]]:
        """For each run and tensor: its name, its values, and the batch, for a message."""
        for number, feed in enumerate(feeds()):
            where = f"batch {number}, counted from 0"
            for sample in _samples(feed, self.schema, where):
                check_batch(sample, self.schema, self.dtypes, where)
                arrays = self.loaded.answer(sample)
                by_name = {**sample, **dict(zip(self.outputs, arrays, strict=True))}
                for name in self.names:
                    yield name, by_name[name], where


def _exposed(model: Path, names: Sequence[str], folder: Path) -> Path:
    """Write a copy of the model whose outputs are the tensors that are not inputs."""
    for file in check_external_data(model):
        copy = folder / file.relative_to(model.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copyfile(file, copy)
    proto = load(model)
    graph = proto.graph
    stored = {tensor.name for tensor in graph.initializer} | {
        tensor.values.name for tensor in graph.sparse_initializer
    }
    inputs = {value.name for value in graph.input} - stored
    existing = {name for node in graph.node for name in node.output if name} | stored | inputs
    for name in names:
        if name not in existing:
            close = get_close_matches(name, existing, n=1)
            meant = f"; did you mean {printable(close[0])}?" if close else ""
            raise ValueError(f"no tensor {printable(name)} in {model}{meant}")
    outputs = [name for name in names if name not in inputs]
    if outputs:
        del graph.output[:]
        # A name is enough: ONNX Runtime infers the type.
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    target = folder / model.name
    target.write_bytes(proto.SerializeToString())
    return target


def _samples(
    feed: Mapping[str, NDArray[Any]], schema: Sequence[Input], where: str
) -> Iterator[Mapping[str, NDArray[Any]]]:
    """A batch cut along the first axis into parts that the model accepts in one run."""
    lengths = {len(array) for array in feed.values() if array.ndim}
    fixed = {value.shape[0] for value in schema if value.shape and isinstance(value.shape[0], int)}
    if len(lengths) != 1 or len(fixed) > 1:
        yield feed
        return
    length, step = lengths.pop(), fixed.pop() if fixed else 1
    if length % step:
        raise DataError(
            f"{length} samples",
            expected=f"a multiple of {step}, the model's fixed first axis",
            where=where,
        )
    for start in range(0, length, step):
        yield {
            name: array[start : start + step] if array.ndim else array
            for name, array in feed.items()
        }
