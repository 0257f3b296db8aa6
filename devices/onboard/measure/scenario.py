"""One model under one load, in this process.

    answer = measure(ScenarioJob("m.onnx", "server", "samples.npy", rate_per_s=200.0))

The raw figures lie in the job's samples file; `columns` in the answer names its columns.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import UsageError
from ..machine import clock as frequency
from ..machine import conditions, system
from ..runtimes import label, row_of, runtime_of
from ..runtimes.contract import Arrays, LoadedModel, Runtime
from ..stats.processes import min_queries
from . import energy, latency, load
from .answer import ScenarioAnswer
from .answer_json import answer_type
from .feeds import batches_of
from .job import ScenarioJob
from .outputs import check_finite

_REHEARSAL_SECONDS = 0.1
# An overloaded run ends after so many times its length, for its queue grows without end.
_OVERTIME = 2.0

Models = Sequence[LoadedModel]
"""One model for all streams, or one a stream."""
Feeds = Sequence[Arrays]
Found = tuple[dict[str, Any], NDArray[np.int64]]
"""Fields of the answer that are the load's own, and the raw figures."""


def measure(job: ScenarioJob) -> ScenarioAnswer:
    """Load a model as the job says; the figures of this process.

    Raises:
        EdgestillError: the model, its inputs or an option will not do.
    """
    if job.scenario not in _LOADS:
        raise UsageError(f"the load '{job.scenario}'", expected=f"one of {', '.join(_LOADS)}")
    runtime = runtime_of(Path(job.model), job.session)
    model = runtime.load(Path(job.model), job.session)
    feeds = batches_of(job.feed, model.inputs)
    check_finite(model.answer(feeds[0]), [port.name for port in model.outputs], job.model)
    models = [model, *_of_other_streams(job, runtime, feeds[0])]
    warm = latency.warm_up(model, feeds, job.timing)
    if job.scenario in _REHEARSALS:
        _REHEARSALS[job.scenario](job, models, feeds)
    conditions_before, counters = conditions.now(), energy.read_counters()
    before = system.usage()
    # The wall clock says when, for sensors and meters that others read; how long, it does not.
    timed_from, began_ns = time.time(), time.perf_counter_ns()
    facts, table = _LOADS[job.scenario](job, models, feeds)
    timed_seconds = (time.perf_counter_ns() - began_ns) / 1e9
    after = system.usage()
    spent, no_energy = energy.spent_uj(counters, energy.read_counters())
    _save(Path(job.samples), table)
    kind: type[Any] = answer_type(job)
    found: ScenarioAnswer = kind(
        **facts,
        settled=warm.settled,
        timed_from=timed_from,
        timed_seconds=timed_seconds,
        energy_uj=spent / facts["queries"] if spent is not None and "queries" in facts else None,
        energy_missing=no_energy,
        conditions=(conditions_before, conditions.now()),
        providers=tuple(model.providers),
        involuntary_switches=system.switches_between(before, after),
        runtime=label(runtime),
    )
    return found


def _of_other_streams(job: ScenarioJob, runtime: Runtime, feed: Arrays) -> list[LoadedModel]:
    """A model for each further stream, where one model answers one query at a time."""
    path = Path(job.model)
    if job.scenario not in _WITH_STREAMS or row_of(path, job.session).concurrent:
        return []
    models = [runtime.load(path, job.session) for _ in range(job.streams - 1)]
    for model in models:
        model.answer(feed)  # It sets aside its memory.
    return models


def _multi_stream(
    job: ScenarioJob, models: Sequence[LoadedModel], feeds: Sequence[Arrays]
) -> Found:
    timing = job.timing
    table = load.multi_stream(
        models,
        feeds,
        streams=job.streams,
        seconds=timing.seconds,
        min_queries=timing.min_queries,
        max_queries=timing.max_queries,
    )
    columns = ("stream", "start_ns", "latency_ns")
    return {"queries": len(table), "columns": columns}, table


def _rehearse_streams(
    job: ScenarioJob, models: Sequence[LoadedModel], feeds: Sequence[Arrays]
) -> None:
    """One stream has settled; this many have not run together yet."""
    seconds = min(_REHEARSAL_SECONDS, job.timing.seconds)
    rehearsal = replace(job, timing=replace(job.timing, seconds=seconds, min_queries=1))
    _multi_stream(rehearsal, models, feeds)


def _server(job: ScenarioJob, models: Models, feeds: Feeds) -> Found:
    # No fewest: at one query a second, 64 of them would take a minute that nobody needs.
    queries = min(max(1, round(job.rate_per_s * job.timing.seconds)), job.timing.max_queries)
    due = load.arrivals(job.rate_per_s, queries, poisson=job.poisson, seed=job.seed)
    served = load.serve(
        models,
        feeds,
        due,
        streams=job.streams,
        most_seconds=_OVERTIME * max(job.timing.seconds, float(due[-1]) / 1e9),
    )
    columns = ("due_ns", "started_ns", "ended_ns", "late_ns")
    table = np.stack([getattr(served, name) for name in columns], axis=1)
    facts = {"queries": len(due), "unanswered": served.unanswered, "columns": columns}
    return facts, table


def _sustained(job: ScenarioJob, models: Models, feeds: Feeds) -> Found:
    cpus = system.affinity() or ()
    windows, table = load.sustain(
        models[0],
        feeds,
        seconds=job.timing.seconds,
        windows=job.windows,
        max_queries=job.timing.max_queries,
        least_p90=min_queries(90),
        read=lambda: frequency.read(cpus),
    )
    queries = sum(window.queries for window in windows)
    columns = ("window", "latency_ns")
    return {"queries": queries, "windows": tuple(windows), "columns": columns}, table


def _loadgen(job: ScenarioJob, models: Models, feeds: Feeds) -> Found:
    from . import loadgen

    result = loadgen.single_stream(
        models[0],
        feeds,
        seconds=job.timing.seconds,
        min_queries=job.timing.min_queries,
        logs=Path(job.samples).with_suffix(""),
    )
    return asdict(result), np.empty((0, 0), np.int64)


_LOADS: Mapping[str, Callable[[ScenarioJob, Models, Feeds], Found]] = {
    "multi-stream": _multi_stream,
    "server": _server,
    "sustained": _sustained,
    "loadgen": _loadgen,
}
_WITH_STREAMS = ("multi-stream", "server")
_REHEARSALS: Mapping[str, Callable[[ScenarioJob, Models, Feeds], None]] = {
    "multi-stream": _rehearse_streams,
}
"""What runs before the clock of a load starts."""


def _save(path: Path, table: NDArray[np.int64]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        np.save(file, table, allow_pickle=False)
    temporary.replace(path)
