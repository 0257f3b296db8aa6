"""The benchmark stage: the teacher and every variant, measured side by side on real samples."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...devices.bench.request import Request
from ...devices.bench.settings import Settings, Subject
from ...devices.bench.stopping import Until
from ...devices.instructions import count as countable
from ...devices.onboard.settings import Feed, Timing
from ...devices.onboard.stats.estimate import Estimate
from ...devices.operators.roofline import Bounds
from ...devices.place.place import Local, bounds_of, place_of
from ...devices.profiles.profile import Profile
from ...devices.scenarios.figures import Benchmark as Measurement
from ...devices.scenarios.single_stream import measure
from ...errors import MeasureError
from ...exporters.interface import INPUT
from ..data.arrays import draw, open_split
from ..progress import Progress, measuring
from ..records import (
    TEACHER,
    BenchmarkRecord,
    OperatorsRecord,
    Predicted,
)
from .budgets import decided
from .inputs import BenchmarkInputs
from .operators import figures_here, profiled
from .predictions import predictions

BATCHES = 64
"""Batches of test samples that queries cycle through; ``onboard.model.inputs`` takes no more."""

CONFIDENCE = 0.99
"""Of all intervals. Half of the error lies on either side, so that a variant whose true latency is
at its budget is READY in at most 0.5 % of builds, however often the intervals are computed."""
_LEAST_RUNS, _MOST_RUNS = 5, 200
"""Queries that operators are timed over."""


def benchmark(out: Path, progress: Progress, inputs: BenchmarkInputs) -> BenchmarkRecord:
    """Measure latency, memory, energy and size in fresh processes without torch.

    Args:
        out: ``samples/`` (raw latencies), ``processes.json`` and ``memory.json`` go here.
        progress: gets each process.
        inputs: of the benchmark stage.

    Raises:
        HostError: instructions are wanted and cannot be counted here.
        MeasureError: a measuring process died or ran out of time; a ``ReachError`` where the way
            to the device is at fault.
    """
    wanted, target = inputs.benchmark, inputs.target
    if wanted.instructions and (refusal := countable.missing(target)) is not None:
        raise refusal
    made = inputs.variants.record
    folder = inputs.variants.path
    subjects = [Subject(variant.name, folder / variant.file) for variant in made.files]
    settings = _settings(out, inputs)
    place = place_of(inputs.device)
    until = None
    if budgets := inputs.budgets:
        until = Until(lambda models, _: decided(budgets, models), wanted.max_seconds)
    with measuring(progress, len(subjects) * wanted.processes) as on_process:
        measured = measure(
            Request(subjects, settings, out, until=until, on_process=on_process, place=place),
            prices=inputs.prices,
            references=[*([TEACHER] if made.teacher else []), "fp32"],
        )
    if wanted.instructions:
        measured = _counted(measured, subjects, target, settings.feed, progress)
    operators: list[OperatorsRecord] = []
    predicted: tuple[Predicted, ...] = ()
    if isinstance(place, Local) and (wanted.operators or not inputs.on_target):
        here = figures_here(None)
        operators = _operators(measured, subjects, settings, here, progress)
        if not inputs.on_target:
            names, threads = [subject.name for subject in subjects], settings.session.threads
            medians = _medians(measured)
            predicted = predictions(names, operators, medians, here, target, threads=threads)
    return BenchmarkRecord(
        benchmark=measured,
        measured_on=inputs.device.name,
        target=target.name,
        on_target=inputs.on_target,
        operators=tuple(operators),
        predicted=predicted,
    )


def _settings(out: Path, inputs: BenchmarkInputs) -> Settings:
    """How to measure; the test samples that queries take are written first."""
    wanted = inputs.benchmark
    queries = out / "inputs.npz"
    samples: dict[str, Any] = {
        INPUT: draw(open_split(inputs.data.path, "test"), BATCHES * wanted.batch).x
    }
    np.savez(queries, allow_pickle=False, **samples)
    return Settings(
        **bounds_of(inputs.device, wanted.threads, wanted.spinning),
        feed=Feed(str(queries), wanted.batch, seed=inputs.seed),
        timing=Timing(wanted.seconds, wanted.min_queries, wanted.max_queries),
        processes=wanted.processes,
        seed=inputs.seed,
        confidence=CONFIDENCE,
        footprint=wanted.footprint,
    )


def _counted(
    measured: Measurement,
    subjects: Sequence[Subject],
    target: Profile,
    feed: Feed,
    progress: Progress,
) -> Measurement:
    """The same with the instructions of each variant; the teacher is not counted."""
    files = {subject.name: subject.path for subject in subjects if subject.name != TEACHER}
    counts: dict[str, Estimate] = {
        TEACHER: Estimate.unknown(
            "only what may ship is counted", "instructions", unit="instructions"
        )
    }
    with progress.steps("instructions", len(files)) as steps:
        for name, path in files.items():
            counts[name] = countable.count(path, target, feed=feed).estimate
            steps.advance(name)
    models = (replace(model, instructions=counts[model.name]) for model in measured.models)
    return replace(measured, models=tuple(models))


def _operators(
    measured: Measurement,
    subjects: Sequence[Subject],
    settings: Settings,
    here: Bounds | str,
    progress: Progress,
) -> list[OperatorsRecord]:
    """The time of each model's operators; a model that fails is left out with a warning."""
    medians = _medians(measured)
    records: list[OperatorsRecord] = []
    with progress.steps("operators", len(subjects)) as steps:
        for subject in subjects:
            try:
                records.append(
                    profiled(
                        subject.name,
                        subject.path,
                        here,
                        session=settings.session,
                        feed=settings.feed,
                        runs=_runs(medians.get(subject.name)),
                    )
                )
            except MeasureError as error:  # The build goes on without this table.
                progress.warn(f"the operators of {subject.name} were not timed: {error}")
            steps.advance(subject.name)
    return records


def _medians(measured: Measurement) -> dict[str, float]:
    return {model.name: model.p50_ms.value for model in measured.models if model.p50_ms.value}


def _runs(p50_ms: float | None) -> int:
    """Queries that take about half a second, with profiling and without."""
    return _MOST_RUNS if p50_ms is None else max(_LEAST_RUNS, min(_MOST_RUNS, int(250 / p50_ms)))
