"""One model, one query after the other: its latency, memory and energy in this process.

answer = measure(MeasureJob("model.onnx", "samples.npy"))
answer.load_ms
"""

import platform
import time
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..machine import conditions, system
from ..runtimes import label, runtime_of
from ..runtimes.contract import LoadedModel, Runtime
from . import energy, latency, memory
from .answer import MeasureAnswer
from .feeds import Batches, batches_of, real_batches
from .job import MeasureJob
from .outputs import check_finite


def measure(job: MeasureJob) -> MeasureAnswer:
    """Measure one model; the figures of this process.

    Raises:
        EdgestillError: the model, its inputs or an option will not do.
    """
    runtime = runtime_of(Path(job.model), job.session)
    real = real_batches(job.feed)
    # Room for the latencies is ours, not the model's: it is taken before the baseline.
    room = latency.room_for(job.timing.max_queries)
    baseline = memory.begin()
    share_before = memory.share()
    model, feeds, loading = _load(job, runtime, real)
    samples, timing = _time(job, model, feeds, room)
    peak = memory.peak_over(baseline)
    pss_bytes, no_pss = memory.grown(share_before, memory.share())
    _save(Path(job.samples), samples)
    return MeasureAnswer(
        **loading,
        **timing,
        feeds=len(feeds),
        peak_memory_bytes=peak.over_baseline_bytes,
        peak_memory_total_bytes=peak.total_bytes,
        peak_memory_missing=peak.missing,
        pss_bytes=pss_bytes,
        pss_missing=no_pss,
        providers=tuple(model.providers),
        process_threads=system.threads(),
        runtime=label(runtime),
        python=platform.python_version(),
    )


def _load(
    job: MeasureJob, runtime: Runtime, real: Batches | None
) -> tuple[LoadedModel, Batches, dict[str, Any]]:
    """The model, its batches, and how long loading and the first query took."""
    clock = time.perf_counter_ns
    start = clock()
    model = runtime.load(Path(job.model), job.session)
    loaded = clock()
    feeds = batches_of(job.feed, model.inputs, real)
    first = clock()
    outputs = model.answer(feeds[0])
    first_ended = clock()
    check_finite(outputs, [port.name for port in model.outputs], job.model)
    return (
        model,
        feeds,
        {
            "load_ms": (loaded - start) / 1e6,
            "first_inference_ms": (first_ended - first) / 1e6,
        },
    )


def _time(
    job: MeasureJob, model: LoadedModel, feeds: Batches, room: "array[int]"
) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """The latencies after the warm-up, and what else was read meanwhile."""
    before_warming = conditions.now()
    warm = latency.warm_up(model, feeds, job.timing)
    # The clock once it is warm; the rest before, so that the core does not cool in between.
    conditions_before = replace(before_warming, clock_mhz=conditions.clock_mhz())
    counters = energy.read_counters()
    before = system.usage()
    # The wall clock gives the moment, for sensors and meters that others read; not the duration.
    timed_from, start = time.time(), time.perf_counter_ns()
    samples = latency.time_queries(
        model,
        feeds,
        seconds=job.timing.seconds,
        min_queries=job.timing.min_queries,
        max_queries=job.timing.max_queries,
        room=room,
    )
    timed_seconds = (time.perf_counter_ns() - start) / 1e9
    after = system.usage()
    spent, no_energy = energy.spent_uj(counters, energy.read_counters())
    return samples, {
        "warmup_queries": warm.queries,
        "warmup_seconds": warm.seconds,
        "settled": warm.settled,
        "queries": len(samples),
        "timed_from": timed_from,
        "timed_seconds": timed_seconds,
        "energy_uj": None if spent is None else spent / len(samples),
        "energy_missing": no_energy,
        "conditions": (conditions_before, conditions.now()),
        "involuntary_switches": system.switches_between(before, after),
        "cpu_seconds": after.cpu_s - before.cpu_s,
    }


def _save(path: Path, samples: NDArray[np.int64]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        np.save(file, samples, allow_pickle=False)
    temporary.replace(path)
