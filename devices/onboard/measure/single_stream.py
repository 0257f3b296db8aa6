"""One model, one query after the other: its latency, memory and energy in this process.

answer = measure(MeasureJob("model.onnx", "samples.npy"))
answer["load_ms"]
"""

import platform
import resource
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..machine import conditions
from ..runtimes import label, runtime_of
from . import energy, latency, memory
from .feeds import batches_of, real_batches
from .job import MeasureJob
from .outputs import check_finite
from .probe import threads_of_this_process


def measure(job: MeasureJob) -> dict[str, Any]:
    """Measure one model; the figures of this process as JSON-ready values.

    Raises:
        EdgestillError: the model, its inputs or an option will not do.
    """
    path = Path(job.model)
    runtime = runtime_of(path, job.session)
    real = real_batches(job.feed)
    # Room for the latencies is ours, not the model's: it is taken before the baseline.
    room = latency.room_for(job.timing.max_queries)
    baseline = memory.begin()
    share_before = memory.share()

    clock = time.perf_counter_ns
    start = clock()
    model = runtime.load(path, job.session)
    opened = clock()
    feeds = batches_of(job.feed, model.inputs, real)

    first = clock()
    outputs = model.answer(feeds[0])
    first_ended = clock()
    check_finite(outputs, [port.name for port in model.outputs], job.model)
    del outputs

    before_warming = conditions.now()
    warm = latency.settle(model, feeds, cap_seconds=job.timing.warmup_seconds)
    # The clock once it is warm; the rest before, not to let the core cool in between.
    conditions_before = replace(before_warming, clock_mhz=conditions.clock_mhz())
    counters = energy.read_counters()
    before = resource.getrusage(resource.RUSAGE_SELF)
    # The wall clock says when, for sensors and meters that others read; how long, it does not.
    timed_from, timing = time.time(), clock()
    samples = latency.time_queries(
        model,
        feeds,
        seconds=job.timing.seconds,
        min_queries=job.timing.min_queries,
        max_queries=job.timing.max_queries,
        room=room,
    )
    timed_seconds = (clock() - timing) / 1e9
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent, no_energy = energy.spent_uj(counters, energy.read_counters())
    conditions_after = conditions.now()
    peak = memory.peak_over(baseline)
    held, no_share = memory.grown(share_before, memory.share())

    target = Path(job.samples)
    temporary = target.with_name(target.name + ".tmp")
    with temporary.open("wb") as file:
        np.save(file, samples, allow_pickle=False)
    temporary.replace(target)
    return {
        "load_ms": (opened - start) / 1e6,
        "first_inference_ms": (first_ended - first) / 1e6,
        "warmup_queries": warm.queries,
        "warmup_seconds": warm.seconds,
        "settled": warm.settled,
        "queries": len(samples),
        "feeds": len(feeds),
        "timed_from": timed_from,
        "timed_seconds": timed_seconds,
        "peak_memory_bytes": peak.over_baseline_bytes,
        "peak_memory_total_bytes": peak.total_bytes,
        "peak_memory_missing": peak.missing,
        "pss_bytes": held,
        "pss_missing": no_share,
        "energy_uj": None if spent is None else spent / len(samples),
        "energy_missing": no_energy,
        "providers": list(model.providers),
        "process_threads": threads_of_this_process(),
        "conditions": [asdict(conditions_before), asdict(conditions_after)],
        "involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
        "cpu_seconds": (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime),
        "runtime": label(runtime),
        "python": platform.python_version(),
    }
