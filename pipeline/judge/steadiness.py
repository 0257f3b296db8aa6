"""Whether a file answers one input in one way: again, in another session, and in another batch.

>>> steadiness(Path("model.onnx"), {"x": samples}, Session(), alone=True).faults  # doctest: +SKIP
()
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...devices.onboard.model.modelfile import is_ort
from ...devices.onboard.model.modelfile import load as load_graph
from ...devices.onboard.runtimes import load
from ...devices.onboard.runtimes.contract import LoadedModel
from ...devices.onboard.settings import Session
from ...errors import ModelError
from ...exporters.interface import INPUT
from ..records import Steadiness
from ..records.steadiness import ALONE, ALONE_FP16
from . import other_runtimes
from .apart import flat, relative

SAMPLES = 64
"""Samples of the repeated query, at most."""
FURTHER = 7
"""Further queries that a caller may have asked again: in one sample a model may draw too few values
to show it."""
_IN_INT8 = re.compile("Quantize|Integer|^QLinear|^QGemm|^QAttention")
"""Operator types of int8 arithmetic."""
_ALONE = 4
"""How many of them are asked one by one."""

Feed = Mapping[str, NDArray[Any]]


def steadiness(
    path: Path,
    feed: Feed,
    session: Session,
    *,
    alone: bool,
    batch: int = 1,
    further: Sequence[Feed] = (),
) -> Steadiness:
    """Ask a file the same twice, in two sessions, and some of the samples one by one.

    Args:
        path: a file; one of ours where another runtime than ONNX Runtime runs it.
        feed: one query, arrays by input name.
        session: how the runtime holds the model; one thread, for several may sum in any order.
        alone: whether the answer to a sample is to be the same whatever else is in the batch; it
            is looked at only where every input has an open first axis.
        batch: samples a query, of a file in another runtime.
        further: queries that are asked again as well, of a file that ONNX Runtime runs.

    Raises:
        ModelError: the file does not load or does not run on the feed.
    """
    if other_runtimes.runs_elsewhere(path):
        return other_runtimes.steadiness(path, feed[INPUT], batch=batch)
    feeds = [
        {name: np.ascontiguousarray(array) for name, array in one.items()}
        for one in (feed, *further)
    ]
    feed, model = feeds[0], load(path, session)
    # Each query twice in a row: a model with a seed may give one sequence in every session.
    twice = [(_answers(model, one), _answers(model, one)) for one in feeds]
    first = [pair[0] for pair in twice]
    single = _alone(model, feed, first[0]) if alone else None
    del model  # Two sessions of one large model may be more than there is memory for.
    model = load(path, session)
    other = [_answers(model, one) for one in feeds]
    return Steadiness(
        samples=max((len(array) for array in feed.values() if array.ndim), default=1),
        again=max(_largest(*pair) for pair in twice),
        session=max(map(_largest, first, other)),
        alone=single,
        alone_tolerance=ALONE_FP16 if _in_half(first[0]) else ALONE,
    )


def answers_alone(path: Path) -> bool:
    """Whether a file claims to answer a sample alone as it does among others.

    One that computes in int8 does not: its ranges may be those of the batch, and a sum that is
    taken in another order is rounded to another step. Of an ``.ort`` file nothing is known.
    """
    if is_ort(path):
        return False
    kinds = {node.op_type for node in load_graph(path).graph.node}
    return not any(_IN_INT8.search(kind) for kind in kinds)


def _answers(model: LoadedModel, feed: Feed) -> dict[str, NDArray[Any]]:
    names = (port.name for port in model.outputs)
    return flat(dict(zip(names, model.answer(feed), strict=True)))


def _largest(a: Feed, b: Feed) -> float:
    if a.keys() != b.keys():  # a sequence of another length
        return 1.0
    return max((relative(array, b[name]) for name, array in a.items()), default=0.0)


def _alone(model: LoadedModel, feed: Feed, together: Feed) -> float | None:
    """The largest difference of float outputs that have a row for each sample; None without any."""
    lengths = {len(array) if array.ndim else 0 for array in feed.values()}
    is_open = all(port.shape and not isinstance(port.shape[0], int) for port in model.inputs)
    samples = lengths.pop() if len(lengths) == 1 else 0
    if not is_open or samples < 2:
        return None
    found: list[float] = []
    for row in range(min(_ALONE, samples)):
        try:
            single = _answers(model, {name: array[row : row + 1] for name, array in feed.items()})
        except ModelError:
            return None  # It takes no single sample, so it does not claim to.
        found += [
            _row_apart(array, row, single[name])
            for name, array in together.items()
            if name in single and _has_rows(array, single[name], samples)
        ]
    return max(found, default=None)


def _has_rows(together: NDArray[Any], single: NDArray[Any], samples: int) -> bool:
    return (
        together.dtype.kind == "f"
        and together.ndim > 0
        and len(together) == samples
        and single.shape == (1, *together.shape[1:])
    )


def _row_apart(together: NDArray[Any], row: int, single: NDArray[Any]) -> float:
    """Over the largest value of the whole output, for one sample may be near 0 everywhere."""
    whole = together.copy()
    whole[row] = single[0]
    return relative(together, whole)


def _in_half(outputs: Feed) -> bool:
    return any(array.dtype == np.float16 for array in outputs.values())
