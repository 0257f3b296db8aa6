"""The outputs of two files for the same inputs, and their largest difference.

>>> largest_difference(Path("a.onnx"), Path("b.onnx"), feeds)     # doctest: +SKIP
3.1e-06
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.model.samples import Samples
from ...devices.onboard.runtimes import load
from ...devices.onboard.settings import Session
from ...errors import ModelError
from ..judge.apart import apart, flat

Feed = dict[str, NDArray[Any]]


def batches(samples: Mapping[str, NDArray[Any]], size: int) -> Iterator[Feed]:
    """Samples in order, cut as the model says, or along the first axis; the last may be smaller."""
    yield from cut(samples).batches(size)


def cut(samples: Mapping[str, NDArray[Any]]) -> Samples:
    """The samples, along the first axis unless they say otherwise."""
    return samples if isinstance(samples, Samples) else Samples(samples)


def answers(
    path: Path, feeds: Iterable[Feed], *, optimization: str = "all"
) -> Iterator[tuple[Feed, Feed]]:
    """Each feed with the outputs of a file, by output name.

    Args:
        path: a ``.onnx`` or ``.ort`` file.
        feeds: arrays by input name.
        optimization: onnxruntime's graph optimization level.

    Raises:
        ModelError: the file does not load or does not run.
    """
    model = load(path, Session(optimization=optimization))
    names = [output.name for output in model.outputs]
    for feed in feeds:
        yield feed, dict(zip(names, model.answer(feed), strict=True))


def largest_difference(
    exact: Path, compared: Path, feeds: Iterable[Feed], *, optimization: str = "all"
) -> float:
    """The largest absolute difference between the outputs of two files.

    Args:
        exact: the reference, run without optimization.
        compared: the other file, with the same outputs.
        feeds: arrays by input name.
        optimization: onnxruntime's graph optimization level for ``compared``.

    Raises:
        ModelError: a file does not run, a value is finite in one of them only, none of an output is
            finite, or the names or shapes of outputs differ.
    """
    feeds = list(feeds)
    exact_answers = answers(exact, feeds, optimization="none")
    compared_answers = answers(compared, feeds, optimization=optimization)
    largest = 0.0
    for (_, a), (_, b) in zip(exact_answers, compared_answers, strict=True):
        a, b = flat(a), flat(b)
        shapes = [{name: array.shape for name, array in outputs.items()} for outputs in (a, b)]
        if shapes[0] != shapes[1]:
            raise ModelError(f"outputs {shapes[1]}", expected=str(shapes[0]), where=compared.name)
        for name, array in a.items():
            largest = max(largest, _apart(array, b[name], name, compared))
    return largest


def _apart(exact: NDArray[Any], compared: NDArray[Any], name: str, path: Path) -> float:
    """The largest absolute difference of two arrays; of texts 1 where any differs."""
    found = apart(exact, compared)
    wrong = found.not_finite
    if exact.dtype.kind == "f" and exact.size and not np.isfinite(exact).any():
        wrong = exact.size  # Nothing is left that could be compared.
    if wrong:
        raise ModelError(
            f"{wrong} of {exact.size} values in {name!r} not finite",
            expected="finite outputs",
            where=path.name,
        )
    return found.largest
