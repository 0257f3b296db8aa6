"""The fresh process that asks two models of unknown origin the same.

    python -m edgestill.pipeline.judge.pair_worker PARENT_PID MEMORY_LIMIT_BYTES

It replies to requests as ``isolation.server`` describes: to the paths of two models, a feed and
what sentences call the two with how far each output of the second is from that of the first.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...devices.bench.request import own_feed
from ...devices.onboard.measure.feeds import batches_of
from ...devices.onboard.model.made_inputs import make_inputs
from ...devices.onboard.runtimes import load
from ...devices.onboard.runtimes.contract import LoadedModel
from ...devices.onboard.settings import Feed, Session, feed_of
from ...errors import ModelError
from ..isolation import server
from ..isolation.server import Reply
from .output_loss import Answers, losses
from .steadiness import FURTHER, answers_alone, steadiness

QUERIES = 32
"""Queries that both are asked, at most."""

Query = Mapping[str, NDArray[Any]]


def reply(request: dict[str, Any], _: list[NDArray[Any]]) -> Reply:
    """Ask both models: ``outputs``, or why they are not compared, and what makes one unsteady."""
    paths = [Path(request[key]) for key in ("a", "b")]
    feed = feed_of(request["feed"])
    first = load(paths[0], Session())
    queries = _queries(first, feed)
    second, called = load(paths[1], Session()), request["names"]
    missing = _other_inputs(first, second, called)
    asked = [queries, queries if missing is None else _queries(second, feed)]
    steady = [
        steadiness(path, own[0], Session(), alone=answers_alone(path), further=own[1 : 1 + FURTHER])
        for path, own in zip(paths, asked, strict=True)
    ]
    found: dict[str, Any] = {"queries": len(queries), "outputs": [], "missing": missing}
    if missing is None:
        found |= _compared(first, second, queries, called)
    return {**found, "unsteady": [one.faults for one in steady]}, []


def main() -> int:
    """Reply to requests until stdin ends."""
    return server.main(reply, _out_of_memory)


def _queries(model: LoadedModel, feed: Feed) -> list[dict[str, Any]]:
    """The real inputs, or as many generated ones, each drawn anew."""
    if feed.inputs is not None:
        return batches_of(feed, model.inputs)[:QUERIES]
    own = own_feed(feed, model.inputs)
    seeds = range(own.seed, own.seed + QUERIES)
    return [make_inputs(model.inputs, replace(own, seed=seed)) for seed in seeds]


def _other_inputs(first: LoadedModel, second: LoadedModel, names: Sequence[str]) -> str | None:
    """Why the second cannot be asked what the first is; None where it can."""
    types = [{port.name: port.type for port in model.inputs} for model in (first, second)]
    return None if types[0] == types[1] else f"{' and '.join(names)} take other inputs"


def _compared(
    first: LoadedModel, second: LoadedModel, queries: Sequence[Query], called: Sequence[str]
) -> dict[str, Any]:
    names = [[port.name for port in model.outputs] for model in (first, second)]
    if len(names[0]) != len(names[1]):
        told = [
            f"{name} has {len(own)} output{'s'[: len(own) != 1]}"
            for name, own in zip(called, names, strict=True)
        ]
        return {"missing": " and ".join(told)}
    # Outputs of other names stand in the same order.
    named = names[1] if set(names[0]) == set(names[1]) else names[0]
    try:
        before, after = _answers(first, queries, names[0]), _answers(second, queries, named)
    except ModelError as error:
        return {"missing": f"{called[1]} does not answer what {called[0]} does: {error.found}"}
    batches = [
        max((len(one) for one in query.values() if one.ndim), default=1) for query in queries
    ]
    compared = losses(before, after, batches)
    return {"outputs": [loss.model_dump(mode="json") for loss in compared]}


def _answers(model: LoadedModel, queries: Sequence[Query], names: Sequence[str]) -> Answers:
    answered = zip(*(model.answer(query) for query in queries), strict=True)
    return dict(zip(names, map(list, answered), strict=True))


def _out_of_memory(limit_bytes: int) -> ModelError:
    return ModelError(
        f"two models that need more than {limit_bytes} bytes of memory",
        fix="compare them on a machine with more memory",
    )


if __name__ == "__main__":
    sys.exit(main())
