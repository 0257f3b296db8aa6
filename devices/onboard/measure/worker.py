"""The fresh process in which one model is measured or looked at.

    python -m edgestill.devices.onboard.measure.worker < job.json

The job names the file that the answer goes to; stdout belongs to whatever the runtime prints. The
process holds numpy and the runtime and nothing else, because it is what the device would hold: with
torch in it the memory figure is a lie. A failure is an answer too; only a crash is not.
"""

import json
import os
import platform
import resource
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ....errors import MeasureError
from ..machine import conditions
from ..machine.confine import confine
from ..machine.limits import join, pin
from ..refusals import answer_or_refusal
from ..runtimes import file_format, label, obeys, row_of, runtime_of
from .job import (
    AnswersJob,
    AttainJob,
    CountJob,
    InspectJob,
    Job,
    MeasureJob,
    MemoryJob,
    OperatorsJob,
    ProbeJob,
    ScenarioJob,
    from_json,
)

_STARTED_NS = time.perf_counter_ns()  # one clock for all processes of a machine


def main() -> int:
    """Read the job from stdin, write the answer to the file it names."""
    envelope = json.load(sys.stdin)
    answer_to = Path(envelope["answer"])
    limit, group = envelope.get("memory_limit_bytes"), envelope.get("memory_group")
    grouped = group is not None and join(Path(group))
    confine(int(envelope["parent"]), None if grouped else limit)

    def work() -> dict[str, Any]:
        if envelope.get("cores"):
            pin(envelope["cores"])
        return _answer(from_json(envelope["job"]))

    def out_of_memory() -> MeasureError:
        return MeasureError(
            "out of memory" + (f" at the limit of {limit} bytes" if limit else ""),
            where=json.loads(envelope["job"]).get("model"),
            fix="give it more memory, or a smaller batch",
        )

    answer = answer_or_refusal(work, out_of_memory)
    if "spawned_ns" in envelope:  # a parent on another machine has another clock
        answer["process_start_ms"] = (_STARTED_NS - envelope["spawned_ns"]) / 1e6
    answer["modules"] = sorted(sys.modules)
    answer["cores"] = sorted(os.sched_getaffinity(0))
    if limit is not None:
        answer["memory_limit"] = "control group" if grouped else "address space"
    temporary = answer_to.with_suffix(".tmp")
    temporary.write_text(json.dumps(answer, allow_nan=False), encoding="utf-8")
    temporary.replace(answer_to)
    return 0


def _answer(job: Job) -> dict[str, Any]:
    if isinstance(job, MeasureJob):
        return measure(job)
    if isinstance(job, InspectJob):
        return inspect(job)
    if isinstance(job, OperatorsJob):
        from . import operators

        return operators.time_operators(job)
    if isinstance(job, AttainJob):
        from . import peaks as attained

        return attained.measure(job)
    if isinstance(job, ScenarioJob):
        if job.scenario == "cold-start":
            from . import cold_start as cold

            return cold.start(job)
        from . import scenario

        return scenario.measure(job)
    if isinstance(job, CountJob):
        from . import counts

        return counts.count(job)
    if isinstance(job, AnswersJob):
        from . import answers

        return answers.answer(job)
    if isinstance(job, MemoryJob):
        from . import footprint

        return footprint.measure(job)
    return probe(job)


def measure(job: MeasureJob) -> dict[str, Any]:
    """Measure one model; the figures of this process as JSON-ready values.

    Raises:
        EdgestillError: the model, its inputs or an option will not do.
    """
    import numpy as np

    from . import energy, latency, memory
    from .feeds import batches_of, real_batches
    from .outputs import check_finite

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
        "process_threads": _threads(),
        "conditions": [asdict(conditions_before), asdict(conditions_after)],
        "involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
        "cpu_seconds": (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime),
        "runtime": label(runtime),
        "python": platform.python_version(),
    }


def inspect(job: InspectJob) -> dict[str, Any]:
    """Schema and cost of a foreign model, after its external data was found harmless.

    Raises:
        EdgestillError: the model will not do.
    """
    path = Path(job.model)
    kind = file_format(path)
    external = row_of(path, job.session).files_beside(path)
    # The runtime's own check of the graph comes before ours counts in it.
    session = job.session
    if obeys(path, session, "optimization"):
        session = replace(session, optimization="none")
    runtime = runtime_of(path, session)
    model = runtime.load(path, session)
    cost: dict[str, Any] | None = None
    missing = None
    if kind == "onnx":
        from ..model.cost import count
        from ..model.inputs import complete_shapes

        shapes = complete_shapes(model.inputs, job.feed, lambda _port, _axis: None)
        cost = asdict(count(path, job.feed.batch, shapes))
    elif kind == "ort":
        missing = "a file in ONNX Runtime's own format holds no graph that onnx can read"
    else:
        missing = f"operations of a .{kind} file are not counted"
    return {
        "format": kind,
        "inputs": [asdict(one) for one in model.inputs],
        "outputs": [asdict(one) for one in model.outputs],
        "cost": cost,
        "cost_missing": missing,
        "external_files": [str(one) for one in external],
        "file_bytes": sum(one.stat().st_size for one in (path, *external)),
        "runtime": label(runtime),
    }


def probe(job: ProbeJob) -> dict[str, Any]:
    """Which runtime loads here, and whether it stays quiet."""
    runtime = runtime_of(Path(), job.session)
    return {
        "runtime": label(runtime),
        "providers": list(runtime.providers()),
        "process_threads": _threads(),
    }


def _threads() -> int | None:
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
