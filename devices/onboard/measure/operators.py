"""Time every operator of one model by the runtime's own profiling.

    answer = time_operators(OperatorsJob(model="model.onnx"))
    answer.operators[0].us

The runtime writes whole microseconds, rounded down, for every call of every operator. The median is
that of grouped data, which knows that a 3 stands for anything from 3 to 4; so operators of a few
microseconds are told apart. Profiling itself takes time: the median query is given with it and
without it.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from shutil import copyfile
from statistics import median, median_grouped, quantiles
from tempfile import TemporaryDirectory
from typing import Any

from ....errors import MeasureError, ModelError
from ..model.cost import by_node
from ..model.modelfile import check_external_data, is_ort, load_whole
from ..model.outline import Outline, of_model, outline
from ..model.shapes import inlined
from ..runtimes import label, runtime_of, tracing_runtime_of
from ..runtimes.contract import OPTIMIZED, Arrays, LoadedModel
from . import latency
from .answer import OperatorsAnswer, OperatorTime
from .feeds import batches_of
from .job import OperatorsJob

_KERNEL = "_kernel_time"
_WARMUP_RUNS = 5
_SECONDS = 4.0
"""After so long a model has been asked enough, with profiling and without it."""
_FEWEST = 10
"""Of a model that takes longer than that for a few queries."""
_MOST_EVENTS = 200_000  # the runtime stops writing at a million; a file of 100 MB is enough
# Views of the tensor they are given.
_MOVE_NOTHING = {"Flatten", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"}
# They read of their first input what they write, however large it is.
_READ_A_PART = {"Gather", "GatherND", "GatherElements", "Slice", "Split"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one operator.

    Attributes:
        name: the node's, or the runtime's stand-in where it has none.
        op: operator type.
        provider: execution provider.
        us: whole microseconds, rounded down.
        type: of the first input, such as `float` and `uint8`; empty where it has none.
        elements: of the first input; None where the runtime did not say.
        bytes: read and written, weights among them; None likewise.
    """

    name: str
    op: str
    provider: str
    us: int
    type: str
    elements: int | None
    bytes: int | None = None


def time_operators(job: OperatorsJob) -> OperatorsAnswer:
    """The time of each operator and the graphs to read it by.

    Raises:
        ModelError: the model will not do, or is in ONNX Runtime's own format, which has no source.
        DataError, UsageError: the inputs or shapes will not do.
        MeasureError: the runtime wrote a profile that cannot be read.
    """
    path = Path(job.model)
    if is_ort(path):
        raise ModelError(
            "a file in ONNX Runtime's own format",
            expected="the ONNX file it was made from",
            where=str(path),
        )
    tracing = tracing_runtime_of(path, job.session)
    external = check_external_data(path)
    runtime = runtime_of(path, job.session)
    plain = runtime.load(path, job.session)
    feeds = batches_of(job.feed, plain.inputs)
    plain.answer(feeds[0])
    latency.settle(plain, feeds, cap_seconds=job.warmup_seconds)
    without = _query_us(plain, feeds, job.runs)
    del plain
    shapes = {name: one.shape for name, one in feeds[0].items()}
    with TemporaryDirectory(prefix="edgestill-") as folder:
        model = tracing.load_traced(path, job.session, Path(folder))
        for file in external:  # The optimized graph names them, too, relative to itself.
            beside = Path(folder) / file.relative_to(path.parent)
            beside.parent.mkdir(parents=True, exist_ok=True)
            copyfile(file, beside)
        optimized = outline(Path(folder) / OPTIMIZED, job.feed.batch, shapes)
        runs = max(2, min(job.runs, _MOST_EVENTS // max(1, len(optimized.nodes))))
        for index in range(_WARMUP_RUNS):
            model.query(feeds[index % len(feeds)])
        with_profiling = _query_us(model, feeds, runs)
        profile = model.end_profiling()
    source = inlined(load_whole(path))  # the runtime runs no functions either
    return OperatorsAnswer(
        p10_us=quantiles(without, n=10)[0],
        p50_us=median(without),
        p50_profiled_us=median(with_profiling),
        runs=len(with_profiling),
        runtime=label(runtime),
        operators=summarize(calls_by_run(profile, str(path))[-len(with_profiling) :], optimized),
        source=of_model(source, job.feed.batch, shapes),
        costs=tuple(by_node(source, job.feed.batch, shapes)),
        optimized=optimized,
    )


def calls_by_run(profile: str, where: str) -> list[list[Call]]:
    """The calls of each run, in the order they began.

    Args:
        profile: what the runtime wrote: a JSON list of events in the form of Chrome's tracing.
        where: the model, for the message.

    Raises:
        MeasureError: not such a list, or no run in it.
    """
    try:
        events = json.loads(profile)
        spans = sorted(
            (event["ts"], event["ts"] + event["dur"])
            for event in events
            if event.get("cat") == "Session" and event["name"] == "model_run"
        )
        kernels = sorted(
            (
                event
                for event in events
                if event.get("cat") == "Node" and event["name"].endswith(_KERNEL)
            ),
            key=lambda one: one["ts"],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeasureError(f"a profile that cannot be read ({error})", where=where) from None
    runs: list[list[Call]] = []
    at = 0
    for begun, ended in spans:
        calls = []
        while at < len(kernels) and kernels[at]["ts"] <= ended:
            if kernels[at]["ts"] >= begun:
                calls.append(_call(kernels[at]))
            at += 1
        runs.append(calls)
    if not any(runs):
        raise MeasureError(
            "a profile without an operator", expected="the calls of each run", where=where
        )
    return runs


def summarize(runs: Sequence[Sequence[Call]], optimized: Outline) -> tuple[OperatorTime, ...]:
    """The median over runs of each operator, placed in the optimized graph.

    Where each run calls the nodes of the file one after another, the n-th call is the n-th node. In
    a graph with branches or loops an operator is placed by its name where only one node has it, and
    else has no place (`node` is None).
    """
    wanted = [node.op for node in optimized.nodes]
    in_order = all([call.op for call in calls] == wanted for calls in runs)
    names: dict[str, list[int]] = defaultdict(list)
    for index, node in enumerate(optimized.nodes):
        names[node.name].append(index)
    sums: dict[tuple[int | None, str, str], list[int]] = defaultdict(list)
    counts: dict[tuple[int | None, str, str], list[int]] = defaultdict(list)
    first: dict[tuple[int | None, str, str], Call] = {}
    for calls in runs:
        total: dict[tuple[int | None, str, str], int] = defaultdict(int)
        count: dict[tuple[int | None, str, str], int] = defaultdict(int)
        for position, call in enumerate(calls):
            places = [position] if in_order else names.get(call.name, [])
            key = (places[0] if len(places) == 1 else None, call.name, call.op)
            first.setdefault(key, call)
            total[key] += call.us
            count[key] += 1
        for key, us in total.items():
            sums[key].append(us)
            counts[key].append(count[key])
    return tuple(_summary(key, sums[key], counts[key], first[key], len(runs)) for key in first)


def _summary(
    key: tuple[int | None, str, str],
    sums: Sequence[int],
    counts: Sequence[int],
    first: Call,
    runs: int,
) -> OperatorTime:
    # A run that took another branch called it no time and for no time.
    absent = [0] * (runs - len(sums))
    calls = median([*counts, *absent])
    us = median_grouped([*sums, *absent], interval=1) + 0.5 * calls if calls else 0.0
    return OperatorTime(
        node=key[0],
        name=first.name,
        op=first.op,
        provider=first.provider,
        calls=calls,
        us=max(0.0, us),
        type=first.type,
        elements=first.elements,
        bytes=None if first.bytes is None else round(first.bytes * calls),
    )


def _call(event: Mapping[str, Any]) -> Call:
    facts = event.get("args", {})
    taken = facts.get("input_type_shape") or []
    kind, shape = next(iter(taken[0].items())) if taken and taken[0] else ("", None)
    return Call(
        name=str(event["name"]).removesuffix(_KERNEL),
        op=str(facts.get("op_name", "")),
        provider=str(facts.get("provider", "")),
        us=int(event["dur"]),
        type=str(kind),
        elements=prod(shape) if shape is not None else None,
        bytes=_bytes(facts),
    )


def _bytes(facts: Mapping[str, Any]) -> int | None:
    """What a call reads and writes, out of the sizes that the runtime puts down for it."""
    try:
        read, weights, written = (
            int(facts[key]) for key in ("activation_size", "parameter_size", "output_size")
        )
    except (KeyError, TypeError, ValueError):
        return None
    if facts.get("op_name") in _MOVE_NOTHING:
        return 0
    return 2 * written if facts.get("op_name") in _READ_A_PART else read + weights + written


def _query_us(model: LoadedModel, feeds: Sequence[Arrays], runs: int) -> list[float]:
    """Latency of each query: of `runs`, or of as many as there is time for."""
    times = latency.time_queries(
        model, feeds, seconds=_SECONDS, min_queries=min(_FEWEST, runs), max_queries=runs
    )
    return [float(time) / 1e3 for time in times]
