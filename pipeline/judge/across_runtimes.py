"""What files answer that may run in different runtimes, each in a fresh process of its own.

    a, b = (answers_of(inspect(path), Feed(), queries=8) for path in (onnx, tflite))
    compared(a, b).losses

The queries are the same for both: real inputs, or made-up ones that depend on names and shapes
alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ...devices.bench.inspection import Inspection
from ...devices.bench.request import own_feed
from ...devices.onboard.measure.job import AnswersJob
from ...devices.onboard.settings import Feed, Session
from ...devices.place.place import Local, Place
from ..records import OutputLoss, Steadiness
from .apart import relative
from .output_loss import losses

_LEAST_S, _A_QUERY_S = 300.0, 10.0
"""Seconds that a process may take at least, and more for each query."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a file answered.

    Attributes:
        inspection: what the file says of itself.
        answers: of each output, in the file's order, what it gave to each query; None for what is
            no array of numbers.
        samples: how many samples each query has.
        runtime: what ran it, and its version.
    """

    inspection: Inspection
    answers: Mapping[str, Sequence[Any]]
    samples: tuple[int, ...]
    runtime: str


@dataclass(frozen=True, slots=True)
class AnswersApart:
    """The answers of one file against those of another.

    Attributes:
        losses: of each output of the first; empty where they cannot be compared.
        spans: of each output of the first, the difference of its greatest and its least value.
        missing: why they cannot be compared, or None.
    """

    losses: tuple[OutputLoss, ...]
    spans: Mapping[str, float]
    missing: str | None = None


def answers_of(
    inspection: Inspection, feed: Feed, *, queries: int, place: Place | None = None
) -> Answered:
    """Ask a file several queries in its runtime.

    Args:
        inspection: of the file.
        feed: real inputs, or shapes of made-up ones; of several models.
        queries: how many, at most.
        place: where; None: on this machine.

    Raises:
        HostError: no interpreter here has its runtime, or the process died.
        ModelError, DataError, UsageError: the file does not run, or not on these inputs.
    """
    with TemporaryDirectory(prefix="edgestill-") as folder:
        stored = Path(folder) / "answers.npz"
        job = AnswersJob(
            str(inspection.path),
            str(stored),
            own_feed(feed, inspection.inputs),
            Session(),
            queries=queries,
        )
        told = (place or Local()).run(job, timeout_s=_LEAST_S + _A_QUERY_S * queries)
        with np.load(stored, allow_pickle=False) as found:
            samples = tuple(map(int, found["samples"]))
            answers = {
                port.name: [
                    found[key] if (key := f"query_{number}_output_{index}") in found else None
                    for number in range(len(samples))
                ]
                for index, port in enumerate(inspection.outputs)
            }
    return Answered(inspection, answers, samples, told.runtime)


def steadiness(first: Answered, again: Answered) -> Steadiness:
    """Whether a file answers one input in one way, by two processes that asked it the same."""
    apart = max(
        (
            relative(one, other)
            for name, blocks in first.answers.items()
            for one, other in zip(blocks, again.answers[name], strict=True)
            if one is not None and other is not None
        ),
        default=0.0,
    )
    return Steadiness(samples=sum(first.samples), again=0.0, session=apart, alone=None)


def takes_the_same(first: Inspection, second: Inspection) -> bool:
    """Whether two files have inputs of the same names and kinds; integers may have other widths."""
    kinds = [
        {port.name: port.type.replace("int64", "int32") for port in one.inputs}
        for one in (first, second)
    ]
    return kinds[0] == kinds[1]


def compared(first: Answered, second: Answered) -> AnswersApart:
    """Each output of the second against the first's of that name; without such names, in order."""
    counts = [len(one.answers) for one in (first, second)]
    if counts[0] != counts[1]:
        return AnswersApart((), {}, f"{counts[0]} and {counts[1]} outputs")
    named = dict(second.answers)
    if first.answers.keys() != second.answers.keys():
        named = dict(zip(first.answers, second.answers.values(), strict=True))
    spans = {name: _span(blocks) for name, blocks in first.answers.items()}
    return AnswersApart(losses(first.answers, named, first.samples), spans)


def _span(blocks: Sequence[Any]) -> float:
    """The greatest less the least value that is finite; 0 without any."""
    values = [
        one[np.isfinite(one)].astype(np.float64)
        for one in blocks
        if one is not None and one.dtype.kind in "iuf"
    ]
    ends = [(float(one.min()), float(one.max())) for one in values if one.size]
    return max(end[1] for end in ends) - min(end[0] for end in ends) if ends else 0.0
