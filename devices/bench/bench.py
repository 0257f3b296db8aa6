"""Measure models against each other on one machine: interleaved, each time in a fresh process.

    >>> subjects = [Subject("fp32", Path("a.onnx")), Subject("int8", Path("b.onnx"))]
    >>> found = measure(subjects, Settings(), Path("out"))      # doctest: +SKIP
    >>> found.ratios[0].p50.value                               # doctest: +SKIP
    0.62

One repetition measures every model once, in an order drawn anew, so that what drifts (heat,
neighbours) falls on all alike and cancels in the paired ratios. One model measured against itself,
one after the other, seemed up to 11 % faster than itself; interleaved, 4 %.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ModelError, UsageError
from ..energy.declared import HOROWITZ, Prices
from ..energy.metering import watching
from ..onboard.machine import conditions
from ..onboard.machine.disturbance import OUTLIERS, OUTLIERS_SHARE
from ..onboard.machine.disturbance import warnings as disturbances
from ..onboard.machine.host import Host
from ..onboard.measure.job import Job, MeasureJob, MemoryJob
from ..onboard.model.inputs import with_real_shapes
from ..onboard.settings import Feed, Session, Timing, above_zero, at_least, named
from ..place.place import Local, Place
from . import journal
from .figures import Figures, Footprint, Looked, Measured, Process, Ratio, compare, conclude
from .inspection import Inspection, inspect
from .stopping import Looks, Until

__all__ = [
    "Benchmark",
    "Figures",
    "Footprint",
    "Inspection",
    "Ratio",
    "Settings",
    "Subject",
    "Until",
    "inspect",
    "measure",
]


@dataclass(frozen=True, slots=True)
class Subject:
    """One model to measure.

    Attributes:
        name: what the report calls it; unique among those measured together.
        path: the `.onnx` or `.ort` file.
        graph: the ONNX file to count operations in, where `path` itself cannot be read so.
    """

    name: str
    path: Path
    graph: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure.

    Attributes:
        session: how the runtime holds each model.
        feed: what each model is queried with.
        timing: how long each process times queries.
        processes: fresh processes a model; an interval at 95 % takes at least 6, at 99 % 8. With
            `Until` the fewest.
        seed: of the order in which models take turns, and of random arrivals.
        timeout_s: seconds until a process is given up.
        confidence: of all intervals; with `Until` of those of all looks together.
        cores: of the machine measured on, to pin each process to; none: any.
        memory_mib: what each process may have, MiB; None: no limit.
        idle_seconds: how long the machine is watched doing nothing, where power can be measured.
        memory_processes: fresh processes a model that look at its memory alone; 0: none.
        footprint: whether two more look at it otherwise.
    """

    session: Session = field(default_factory=Session)
    feed: Feed = field(default_factory=Feed)
    timing: Timing = field(default_factory=Timing)
    processes: int = 9
    seed: int = 0
    timeout_s: float = 300.0
    confidence: float = 0.95
    cores: tuple[int, ...] = ()
    memory_mib: int | None = None
    idle_seconds: float = 2.0
    memory_processes: int = 3
    footprint: bool = False

    def __post_init__(self) -> None:
        """Refuse what no run could honour.

        Raises:
            UsageError: a figure out of its range.
        """
        at_least(1, processes=self.processes)
        at_least(0, seed=self.seed, memory_processes=self.memory_processes)
        above_zero(timeout_s=self.timeout_s, idle_seconds=self.idle_seconds)
        if not 0 < self.confidence < 1:
            raise UsageError(f"{self.confidence}", expected="between 0 and 1", where="confidence")
        if any(core < 0 for core in self.cores):
            raise UsageError(f"{min(self.cores)}", expected="at least 0", where="cores")
        if self.memory_mib is not None:
            at_least(1, memory_mib=self.memory_mib)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All that one benchmark found.

    Attributes:
        host: the machine.
        settings: as given, but of the real inputs only the file's name.
        models: one a subject, in the order given.
        ratios: each other subject over each reference.
        warnings: what a reader should know, in plain sentences.
        runtime: the runtime and its version, as the measuring processes had it.
        measured: when it began, UTC, ISO 8601; figures kept in a store grow old.
        looks: how often it was looked whether this is enough; see `until`.
        enough: whether it was.
    """

    host: Host
    settings: Settings
    models: tuple[Figures, ...]
    ratios: tuple[Ratio, ...]
    warnings: tuple[str, ...]
    runtime: str
    measured: str
    looks: int = 1
    enough: bool = True

    @property
    def processes(self) -> int:
        """Fresh processes a model that were run."""
        return self.models[0].p50_ms.n


def measure(
    subjects: Sequence[Subject],
    settings: Settings,
    out: Path,
    *,
    references: Sequence[str] = (),
    until: Until | None = None,
    meter: Path | None = None,
    prices: Prices = HOROWITZ,
    on_process: Callable[[int, int, str], None] | None = None,
    place: Place | None = None,
) -> Benchmark:
    """Measure models, interleaved, in fresh processes.

    Everything raw lies under `out` as soon as it exists: `samples/<subject>-<repetition>.npy`
    (int64 nanoseconds), `processes.json` and `memory.json`.

    Args:
        subjects: at least one, with unique names.
        settings: how.
        out: folder for the raw figures, made if need be.
        references: names of the subjects that all others are compared with; none: the first.
        until: when it is enough; None: after `settings.processes`.
        meter: a power meter's log that is being written meanwhile, a CSV of time and watts.
        prices: what the declared model takes energy by, where none is measured.
        on_process: called after each process with how many are done, how many there are at the
            least, and the subject's name.
        place: the machine to measure on; None: this one. Models are inspected on this one.

    Raises:
        UsageError: names that repeat, an unknown reference, or settings that do not fit a model.
        DataError: inputs that do not fit a model, or a meter's log that does not cover the runs.
        ModelError: a model that is missing, broken, dangerous, or gives no finite outputs.
        StorageError: `out` cannot be written.
        MeasureError: a measuring process died or ran out of time; a `ReachError` where the way to
            the machine is at fault.
    """
    place = place or Local()
    slugs = _slugs(subjects)
    against = references or (subjects[0].name,)
    for unknown in sorted(set(against) - set(slugs)):
        raise UsageError(f"'{unknown}'", expected=f"one of {', '.join(slugs)}", where="references")
    records: list[dict[str, Any]] = []
    journal.begin(out, records)
    host = place.describe()
    inspections = {one.name: _inspected(one, settings) for one in subjects}
    found: dict[str, list[Process]] = {one.name: [] for one in subjects}

    memory = {one.name: _memory(place, one, settings, inspections[one.name]) for one in subjects}
    journal.write(
        out / "memory.json", [{"subject": name, **asdict(one)} for name, one in memory.items()]
    )

    measured = {
        name: Measured(
            name,
            inspections[name],
            found[name],
            f"samples/{slug}-*.npy",
            memory=memory[name],
            prices=prices,
        )
        for name, slug in slugs.items()
    }

    def conclusions(confidence: float) -> tuple[tuple[Figures, ...], tuple[Ratio, ...]]:
        ratios = tuple(
            compare(one, measured[over], confidence)
            for over in against
            for name, one in measured.items()
            if name != over
        )
        return tuple(conclude(one, confidence) for one in measured.values()), ratios

    looks = Looks(settings.processes, settings.confidence, until)
    here = isinstance(place, Local)
    with watching(idle_seconds=settings.idle_seconds, log=meter, here=here) as watch:
        outside = _flags() if here else None
        before, began = place.snapshot(), datetime.now(UTC).isoformat(timespec="seconds")
        total = settings.processes * len(subjects)
        for repetition in looks.repetitions(conclusions):
            order = np.random.default_rng([settings.seed, repetition]).permutation(len(subjects))
            for index in order:
                subject = subjects[index]
                samples = out / "samples" / f"{slugs[subject.name]}-{repetition}.npy"
                job = _job(subject, settings, samples, inspections[subject.name])
                answer = _run(place, job, settings)
                turn = {"subject": subject.name, "repetition": repetition}
                record = {**turn, "samples": f"samples/{samples.name}", **answer}
                watch.note(record)
                records.append(record)
                journal.write(out / "processes.json", records)
                latencies = np.load(samples, allow_pickle=False)
                found[subject.name].append(Process(record, latencies))
                if on_process is not None:
                    on_process(len(records), total, subject.name)
        disturbed = (
            *disturbances(before, place.snapshot()),
            *conditions.warnings(_pairs(records, outside)),
        )
    journal.write(out / "processes.json", records)  # with what a meter's log said at the end

    models, ratios = conclusions(looks.confidence)
    said = (
        *_cautions(host, settings, models, looks),
        *_limited(records),
        *_more_than_peak(measured),
        *disturbed,
        *watch.said,
    )
    runtime = journal.runtime_of(records)
    shown = replace(settings, feed=named(settings.feed))
    return Benchmark(host, shown, models, ratios, said, runtime, began, looks.look, looks.enough)


def _job(
    subject: Subject,
    settings: Settings,
    samples: Path,
    inspection: Inspection,
) -> MeasureJob:
    """One process's job."""
    return MeasureJob(
        model=str(subject.path),
        samples=str(samples),
        session=settings.session,
        feed=_own_feed(settings, inspection),
        timing=settings.timing,
    )


def _own_feed(settings: Settings, inspection: Inspection) -> Feed:
    """The feed with the shapes of this model's own inputs only."""
    own = {port.name for port in inspection.inputs}
    shapes = {name: shape for name, shape in settings.feed.shapes.items() if name in own}
    return replace(settings.feed, shapes=shapes)


def _run(place: Place, job: Job, settings: Settings) -> dict[str, Any]:
    answer = place.run(
        job,
        timeout_s=settings.timeout_s,
        memory_limit_bytes=settings.memory_mib and settings.memory_mib * 2**20,
        cores=settings.cores,
    )
    del answer["modules"]
    return answer


def _flags() -> conditions.Conditions:
    """The firmware's flags; all else the processes read themselves."""
    now = conditions.now(ask=conditions.vcgencmd)
    return conditions.Conditions(firmware_flags=now.firmware_flags)


def _pairs(
    records: Sequence[Mapping[str, Any]], outside: conditions.Conditions | None
) -> list[tuple[conditions.Conditions, conditions.Conditions]]:
    """Conditions before and after of each process, and on this machine its firmware's flags."""
    inside = [[conditions.Conditions(**one) for one in record["conditions"]] for record in records]
    flags = [] if outside is None else [[outside, _flags()]]
    return [(before, after) for before, after in [*inside, *flags]]


def _memory(
    place: Place,
    subject: Subject,
    settings: Settings,
    inspection: Inspection,
) -> Looked:
    """A model's memory as it runs, and where asked for without arena, and without plan as well.

    In processes that time nothing: no latency depends on them. The graph is looked into on this
    machine only, for a device need not have what reads it.
    """

    def look(*, arena: bool = True, pattern: bool = True) -> dict[str, Any]:
        job = MemoryJob(
            model=str(subject.path),
            session=replace(settings.session, arena=arena, pattern=pattern),
            feed=_own_feed(settings, inspection),
            analyze=not pattern and isinstance(place, Local),
        )
        return _run(place, job, settings)

    peaks = tuple(look() for _ in range(settings.memory_processes))
    if not settings.footprint:
        return Looked(peaks)
    return Looked(peaks, (look(arena=False), look(arena=False, pattern=False)))


def _inspected(subject: Subject, settings: Settings) -> Inspection:
    feed = with_real_shapes(settings.feed)

    def look(path: Path) -> Inspection:
        return inspect(path, feed=feed, timeout_s=settings.timeout_s)

    found = look(subject.path)
    if subject.graph is None:
        return found
    counted = look(subject.graph)
    return replace(found, cost=counted.cost, cost_missing=counted.cost_missing)


def _slugs(subjects: Sequence[Subject]) -> dict[str, str]:
    """A file name for each subject; a subject's name is data and may hold anything."""
    if not subjects:
        raise UsageError("no model", expected="at least one model to measure")
    slugs: dict[str, str] = {}
    for index, subject in enumerate(subjects):
        if subject.name in slugs:
            raise UsageError(f"two models named '{subject.name}'", expected="unique names")
        if not subject.path.is_file():
            raise ModelError("no such file", where=str(subject.path))
        slug = journal.slug(subject.name)
        slugs[subject.name] = f"{slug}-{index}" if slug in slugs.values() else slug
    return slugs


def _limited(records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    if not any(one.get("memory_limit") == "address space" for one in records):
        return ()
    return (
        "no control group could be made, so the memory limit held for the address space, which is "
        "more than what is resident",
    )


def _more_than_peak(measured: Mapping[str, Measured]) -> Iterator[str]:
    """Say where malloc, left alone, held much more than the model's peak."""
    for name, one in measured.items():
        peaks = [answer["peak_memory_bytes"] for answer in one.memory.peaks]
        timed = [process.answer["peak_memory_bytes"] for process in one.processes]
        if not peaks or None in (*peaks, *timed):
            continue
        more = max(timed) - max(peaks)
        if more > max(2**20, 0.1 * max(peaks)):
            yield (
                f"{name}: while it was timed up to {more / 2**20:.1f} MiB more than its peak were "
                "resident, as malloc's thresholds move by themselves; where memory is short, "
                "set MALLOC_MMAP_THRESHOLD_=131072 on the device"
            )


def _cautions(
    host: Host, settings: Settings, models: Sequence[Figures], looks: Looks
) -> tuple[str, ...]:
    said, processes = [], models[0].p50_ms.n
    if not looks.enough:
        said.append(f"time was up after {processes} processes a model; more would say more")
    cores = len(settings.cores) or host.available_cores
    threads = settings.session.threads
    if threads > cores:
        said.append(f"{threads} threads were run on {cores} cores")
    if host.cpu_quota is not None and host.cpu_quota < threads:
        said.append(f"the control group allows {host.cpu_quota:g} cores for {threads} threads")
    if host.governor not in (None, "performance"):
        said.append(f"the frequency governor is {host.governor}, so the clock may move")
    said += [
        f"{one.name}: {processes - one.settled_processes} of {processes} "
        f"processes had not settled after {settings.timing.warmup_seconds:g} s"
        for one in models
        if one.settled_processes < processes
    ]
    said += [
        f"{one.name}: {one.outliers:,} of {one.queries:,} queries were outliers ({OUTLIERS})"
        for one in models
        if one.outliers is not None and one.outliers > OUTLIERS_SHARE * one.queries
    ]
    return tuple(said)
