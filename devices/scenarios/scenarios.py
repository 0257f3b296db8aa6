"""Measure models under other loads than one query after the other, in fresh processes in turn.

    >>> subjects = [Subject("fp32", Path("a.onnx"))]
    >>> found = server(subjects, Settings(seconds=5.0), Path("out"),
    ...                Load(rate_per_s=50.0, deadline_ms=20.0))             # doctest: +SKIP
    >>> found.models[0].missed, found.models[0].sustained                   # doctest: +SKIP
    (3, 'yes')

Each function is one scenario and gives a `Scenario` of its own kind of figures. Tail percentiles
are MLPerf's early-stopping estimates in each process; intervals resample processes.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import UsageError
from ..bench.bench import Settings, Subject
from ..onboard.machine.host import Host
from ..onboard.measure.job import Job, MeasureJob, ScenarioJob
from ..onboard.measure.loadgen import check_installed
from ..onboard.stats.drift import FEWEST
from ..onboard.stats.estimate import Estimate
from ..onboard.stats.processes import (
    median_over_processes,
    percentile_over_processes,
    ratio_over_processes,
)
from ..place.place import Place
from . import server as serving
from . import sustained as endurance
from .figures import (
    BatchFigures,
    ColdFigures,
    Load,
    LoadgenFigures,
    OfflineFigures,
    Percentiles,
    Scenario,
    ServerFigures,
    StreamFigures,
    SustainedFigures,
    ThreadFigures,
    ThreadsFigures,
    at_least_one,
)
from .turns import Sampled
from .workload import Told, Work


def multi_stream(
    subjects: Sequence[Subject],
    settings: Settings,
    out: Path,
    streams: int,
    *,
    on_process: Told | None = None,
    place: Place | None = None,
) -> Scenario[StreamFigures]:
    """Several closed loops on one session, each in a thread of one process.

    Args:
        subjects: at least one, with unique names.
        settings: how; `threads` is what each query may use.
        out: folder for the raw figures.
        streams: how many.
        on_process: called after each process with the subject's name.
        place: the machine to measure on; None: this one.

    Raises:
        UsageError, DataError, ModelError: streams below 1, or a model or inputs that will not do.
        StorageError, MeasureError: as `turns.take`.
    """
    at_least_one(streams, "streams")
    work = Work(subjects, settings, out, on_process, place)
    work.add("streams", lambda subject, samples, _: work.load(subject, samples, streams=streams))
    taken = work.take()

    def figures(name: str) -> StreamFigures:
        processes = taken.found[name, "streams"]
        return StreamFigures(
            name,
            streams,
            Percentiles.of([one.column("latency_ns") for one in processes], settings.confidence),
            median_over_processes(
                [_throughput(one) * settings.feed.batch for one in processes], settings.confidence
            ),
            sum(len(one.table) for one in processes),
        )

    models = tuple(figures(one.name) for one in subjects)
    said = _crowded(work.host, streams * settings.session.threads)
    return work.ended("multi-stream", taken, models, said)


def offline(
    subjects: Sequence[Subject],
    settings: Settings,
    out: Path,
    batches: Sequence[int],
    *,
    on_process: Told | None = None,
    place: Place | None = None,
) -> Scenario[OfflineFigures]:
    """Throughput by batch size, queries one after the other.

    Args:
        subjects: at least one, with unique names and a dynamic first axis.
        settings: how; its `batch` is not used.
        out: folder for the raw figures.
        batches: samples a query, at least one size; gains are over the first.
        on_process: called after each process.
        place: the machine to measure on; None: this one.
    """
    for batch in batches:
        at_least_one(batch, "batches")
    _unrepeated(batches, "batches")
    work = Work(subjects, settings, out, on_process, place)
    work.check_batches(batches)

    def at(batch: int) -> Callable[[Subject, Path, int], Job]:
        return lambda subject, samples, _: work.loop(subject, samples, batch)

    for batch in batches:
        work.add(f"batch-{batch}", at(batch))
    taken = work.take()

    def figures(name: str) -> OfflineFigures:
        speeds = {
            batch: [1e9 * batch / float(one.table.mean()) for one in taken.found[name, key]]
            for batch in batches
            for key in [f"batch-{batch}"]
        }
        first = speeds[batches[0]]
        found = tuple(
            BatchFigures(
                batch,
                median_over_processes(speed, settings.confidence, "samples/s"),
                ratio_over_processes(speed, first, settings.confidence),
                _p50(taken.found[name, f"batch-{batch}"], settings.confidence),
            )
            for batch, speed in speeds.items()
        )
        best = max(batches, key=lambda batch: float(np.median(speeds[batch])))
        return OfflineFigures(name, found, best)

    return work.ended("offline", taken, tuple(figures(one.name) for one in subjects))


def threads(
    subjects: Sequence[Subject],
    settings: Settings,
    out: Path,
    counts: Sequence[int],
    *,
    on_process: Told | None = None,
    place: Place | None = None,
) -> Scenario[ThreadsFigures]:
    """Latency by intra-op threads.

    Args:
        subjects: at least one, with unique names.
        settings: how; its `threads` is not used.
        out: folder for the raw figures.
        counts: numbers of threads, at least one; speed-ups are over the first.
        on_process: called after each process.
        place: the machine to measure on; None: this one.
    """
    for count in counts:
        at_least_one(count, "threads")
    _unrepeated(counts, "threads")
    work = Work(subjects, settings, out, on_process, place)

    def on(count: int) -> Callable[[Subject, Path, int], Job]:
        return lambda subject, samples, _: _on_threads(work.loop(subject, samples), count)

    for count in counts:
        work.add(f"threads-{count}", on(count))
    taken = work.take()

    def figures(name: str) -> ThreadsFigures:
        found = {one: taken.found[name, f"threads-{one}"] for one in counts}
        medians = {
            one: [float(np.median(process.table)) for process in processes]
            for one, processes in found.items()
        }
        first = medians[counts[0]]
        return ThreadsFigures(
            name,
            tuple(
                ThreadFigures(
                    one,
                    _p50(found[one], settings.confidence),
                    ratio_over_processes(first, medians[one], settings.confidence),
                )
                for one in counts
            ),
        )

    models = tuple(figures(one.name) for one in subjects)
    return work.ended("threads", taken, models, _crowded(work.host, max(counts)))


def server(
    subjects: Sequence[Subject],
    settings: Settings,
    out: Path,
    load: Load,
    *,
    on_process: Told | None = None,
    place: Place | None = None,
) -> Scenario[ServerFigures]:
    """Queries at a fixed rate, whether or not the last was answered.

    Args:
        subjects: at least one, with unique names.
        settings: how; `seconds` is how long queries keep coming, in each process.
        out: folder for the raw figures.
        load: the rate and the deadline.
        on_process: called after each process.
        place: the machine to measure on; None: this one.
    """
    work = Work(subjects, settings, out, on_process, place)

    def job(subject: Subject, samples: Path, repetition: int) -> ScenarioJob:
        made = work.load(subject, samples, scenario="server", streams=load.streams)
        # Other arrivals in each repetition, the same for all models.
        seed = settings.seed + repetition
        return replace(made, rate_per_s=load.rate_per_s, poisson=load.poisson, seed=seed)

    work.add("server", job)
    taken = work.take()
    models = tuple(
        serving.served(one.name, taken.found[one.name, "server"], load, settings.confidence)
        for one in subjects
    )
    said = [*_crowded(work.host, load.streams * settings.session.threads)]
    for one in models:
        said += serving.about(one, load)
    return work.ended("server", taken, models, said)


def cold_start(
    subjects: Sequence[Subject],
    settings: Settings,
    out: Path,
    *,
    on_process: Told | None = None,
    place: Place | None = None,
) -> Scenario[ColdFigures]:
    """What stands before the first answer of a fresh process.

    Args:
        subjects: at least one, with unique names.
        settings: how; nothing is warmed up and one query runs.
        out: folder for the raw figures.
        on_process: called after each process.
        place: the machine to measure on; None: this one.
    """
    work = Work(subjects, settings, out, on_process, place)
    work.add("cold", lambda subject, samples, _: work.load(subject, samples, scenario="cold-start"))
    taken = work.take()
    parts = ("process_start_ms", "import_ms", "load_ms", "first_inference_ms")

    def figures(name: str) -> ColdFigures:
        answers = [one.answer for one in taken.found[name, "cold"]]
        columns = [[float(one[part]) for one in answers] for part in parts]
        totals = [sum(one) for one in zip(*columns, strict=True)]
        return ColdFigures(
            name,
            *(median_over_processes(one, settings.confidence, "ms") for one in (*columns, totals)),
        )

    return work.ended("cold-start", taken, tuple(figures(one.name) for one in subjects))


def sustained(
    subjects: Sequence[Subject],
    settings: Settings,
    out: Path,
    windows: int,
    *,
    on_process: Told | None = None,
    place: Place | None = None,
) -> Scenario[SustainedFigures]:
    """One closed loop for `seconds`, looked at in windows.

    Args:
        subjects: at least one, with unique names.
        settings: how; with one process the interval of the drift rests on its windows, with
            several on the processes.
        out: folder for the raw figures.
        windows: how many stretches.
        on_process: called after each process.
        place: the machine to measure on; None: this one.
    """
    if windows < FEWEST:
        raise UsageError(f"{windows}", expected=f"at least {FEWEST}", where="windows")
    work = Work(subjects, settings, out, on_process, place)

    def job(subject: Subject, samples: Path, _: int) -> ScenarioJob:
        return replace(work.load(subject, samples, scenario="sustained"), windows=windows)

    work.add("sustained", job)
    taken = work.take()
    models = tuple(
        endurance.lasted(one.name, taken.found[one.name, "sustained"], settings.confidence)
        for one in subjects
    )
    said = [sentence for one in models for sentence in endurance.about(one)]
    return work.ended("sustained", taken, models, said)


def cross_check(
    subjects: Sequence[Subject],
    settings: Settings,
    out: Path,
    *,
    on_process: Told | None = None,
) -> Scenario[LoadgenFigures]:
    """Our closed loop and MLPerf's loadgen, in turn, on this machine.

    Args:
        subjects: at least one, with unique names.
        settings: how.
        out: folder for the raw figures and loadgen's logs.
        on_process: called after each process.

    Raises:
        MeasureError: also where the `loadgen` extra is not installed.
    """
    check_installed()
    work = Work(subjects, settings, out, on_process)
    work.add("ours", lambda subject, samples, _: work.loop(subject, samples))
    work.add("loadgen", lambda subject, samples, _: work.load(subject, samples, scenario="loadgen"))
    taken = work.take()

    def figures(name: str) -> LoadgenFigures:
        theirs = [one.answer for one in taken.found[name, "loadgen"]]
        # As loadgen takes it: of n sorted latencies the one at index 0.9 n.
        ours = [
            float(np.sort(one.table)[int(0.9 * len(one.table))])
            for one in taken.found[name, "ours"]
        ]
        p90, inside = ([one[name] for one in theirs] for name in ("p90_ns", "inside_p90_ns"))
        crossing = [one["p50_ns"] - one["inside_p50_ns"] for one in theirs]
        level = settings.confidence

        def ms(values_ns: Sequence[float]) -> Estimate:
            return median_over_processes([one / 1e6 for one in values_ns], level, "ms")

        return LoadgenFigures(
            name,
            p90_ms=ms(ours),
            loadgen_p90_ms=ms(p90),
            inside_p90_ms=ms(inside),
            crossing_ms=ms(crossing),
            ratio=ratio_over_processes(ours, p90, level),
            ratio_inside=ratio_over_processes(ours, inside, level),
            valid=sum(bool(one["valid"]) for one in theirs),
            runs=len(theirs),
            logs="samples/*-loadgen-*/",
        )

    models = tuple(figures(one.name) for one in subjects)
    said = [
        f"{one.name}: loadgen called {one.runs - one.valid} of its {one.runs} runs invalid"
        for one in models
        if one.valid < one.runs
    ]
    return work.ended("loadgen", taken, models, said)


def _on_threads(job: MeasureJob, count: int) -> MeasureJob:
    return replace(job, session=replace(job.session, threads=count))


def _unrepeated(values: Sequence[int], where: str) -> None:
    if not values or len(set(values)) < len(values):
        raise UsageError(
            ", ".join(map(str, values)) or "none", expected="each size once", where=where
        )


def _p50(processes: Sequence[Sampled], confidence: float) -> Estimate:
    return percentile_over_processes([one.table / 1e6 for one in processes], 50, confidence, "ms")


def _throughput(process: Sampled) -> float:
    """Queries a second of one process with several streams."""
    ends = process.column("start_ns") + process.column("latency_ns")
    return 1e9 * len(ends) / float(ends.max())


def _crowded(host: Host, wanted: int) -> list[str]:
    if wanted <= host.available_cores:
        return []
    return [f"{wanted} threads were run on {host.available_cores} cores"]
