"""The benchmark stage: the teacher and every variant, measured side by side on real samples."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...devices.bench.request import Request
from ...devices.bench.settings import Settings, Subject
from ...devices.bench.stopping import Until
from ...devices.instructions import count as countable
from ...devices.onboard.runtimes import row_of
from ...devices.onboard.settings import Feed, Timing
from ...devices.onboard.stats.estimate import Estimate
from ...devices.onboard.stats.percentiles import fewest_processes
from ...devices.onboard.stats.processes import min_queries
from ...devices.operators.roofline import Bounds
from ...devices.place.place import Local, bounds_of, place_of
from ...devices.profiles.profile import Profile
from ...devices.scenarios.figures import Benchmark as Measurement
from ...devices.scenarios.single_stream import measure
from ...errors import MeasureError
from ...exporters.interface import INPUT
from ..data.arrays import draw, open_split
from ..progress import Progress, measuring
from ..recipe.benchmark import Benchmark as BenchmarkPart
from ..records import (
    TEACHER,
    BenchmarkRecord,
    OperatorsRecord,
    Predicted,
    Variant,
)
from . import other_runtimes, promise
from .budgets import decided, percentiles, undecided
from .counts_of_twins import with_counts
from .inputs import BenchmarkInputs
from .operators import figures_here, profiled
from .predictions import predictions
from .untimed import untimed_figures

INPUTS = "inputs.npz"
"""The test samples that queries take."""
BATCHES = 64
"""Batches of test samples that queries cycle through; ``onboard.model.inputs`` takes no more."""

_A_TENTH_MORE = 1.1
"""A tail percentile is looked at with so many times the fewest processes that could decide it: in
the fewest no query at all may exceed the budget."""
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
    timed = [variant for variant in made.files if row_of(folder / variant.file).timed]
    settings = _settings(out, inputs)
    subjects = [
        Subject(variant.name, folder / variant.file, inputs=_integers(out, variant))
        for variant in timed
    ]
    place = place_of(inputs.device)
    until = until_decided(inputs.budgets, settings.confidence, wanted.max_seconds)
    with measuring(progress, len(subjects) * wanted.processes) as on_process:
        measured = measure(
            Request(subjects, settings, out, until=until, on_process=on_process, place=place),
            prices=inputs.prices,
            references=[*([TEACHER] if made.teacher else []), "fp32"],
        )
    measured = with_counts(measured, timed)
    if wanted.instructions:
        measured = _counted(measured, subjects, target, settings.feed, progress)
    operators: list[OperatorsRecord] = []
    predicted: tuple[Predicted, ...] = ()
    if isinstance(place, Local) and (wanted.operators or not inputs.on_target):
        here = figures_here(None)
        operators = _operators(measured, subjects, settings, here, progress)
        if not inputs.on_target:
            names = [variant.name for variant in made.files if variant.in_onnx]
            threads = settings.session.threads
            medians = _medians(measured)
            predicted = predictions(names, operators, medians, here, target, threads=threads)
    untimed = tuple(untimed_figures(variant) for variant in made.files if variant not in timed)
    return BenchmarkRecord(
        benchmark=replace(measured, models=(*measured.models, *untimed)),
        measured_on=inputs.device.name,
        target=target.name,
        on_target=inputs.on_target,
        operators=tuple(operators),
        predicted=predicted,
    )


def until_decided(
    budgets: Mapping[str, float], confidence: float, max_seconds: float
) -> Until | None:
    """Until every budget that measuring can decide is decided, where there is one."""
    if not budgets:
        return None
    tails = (one for one in percentiles(budgets) if one > 50.0)
    counts = [math.ceil(_A_TENTH_MORE * fewest_processes(one, confidence)) for one in tails]
    if percentiles(budgets):
        counts.append(fewest_processes(50.0, confidence))
    return Until(
        lambda models, _: decided(budgets, models),
        max_seconds,
        unfinished=lambda models, _: undecided(budgets, models),
        counts=tuple(counts),
    )


def _settings(out: Path, inputs: BenchmarkInputs) -> Settings:
    """How to measure; the test samples that queries take are written first."""
    wanted = inputs.benchmark
    queries = out / INPUTS
    samples: dict[str, Any] = {
        INPUT: draw(open_split(inputs.data.path, "test"), BATCHES * wanted.batch).x
    }
    np.savez(queries, allow_pickle=False, **samples)
    data = inputs.data.record
    pad = data.pad if data.layout == "tokens" else None
    return Settings(
        **bounds_of(inputs.device, wanted.threads, wanted.spinning),
        feed=Feed(str(queries), wanted.batch, seed=inputs.seed, pad=pad),
        timing=Timing(wanted.seconds, fewest_queries(wanted, inputs.budgets), wanted.max_queries),
        processes=wanted.processes,
        seed=inputs.seed,
        confidence=promise.confidence(len(inputs.variants.record.variants)),
        footprint=wanted.footprint,
        guarded=True,
    )


def _integers(out: Path, variant: Variant) -> Path | None:
    """The same samples as a file takes them, where that is another type or order of axes."""
    takes = variant.packages[0].input
    if takes is None:
        return None
    path = out / f"inputs-{variant.name}.npz"
    with np.load(out / INPUTS, allow_pickle=False) as stored:
        samples: dict[str, Any] = {INPUT: takes.as_taken(stored[INPUT])}
    np.savez(path, allow_pickle=False, **samples)
    return path


def fewest_queries(wanted: BenchmarkPart, budgets: Mapping[str, float]) -> int:
    """Of a process: those of the recipe, or more where the first processes need them together."""
    needed = [min_queries(one) for one in percentiles(budgets)]
    each = math.ceil(max(needed, default=1) / wanted.processes)
    return min(wanted.max_queries, max(wanted.min_queries, each))


def _counted(
    measured: Measurement,
    subjects: Sequence[Subject],
    target: Profile,
    feed: Feed,
    progress: Progress,
) -> Measurement:
    """The same with the instructions of each variant; the teacher is not counted."""
    files = {subject.name: subject for subject in subjects if subject.name != TEACHER}
    counts: dict[str, Estimate] = {
        TEACHER: Estimate.unknown(
            "only what may ship is counted", "instructions", unit="instructions"
        )
    }
    with progress.steps("instructions", len(files)) as steps:
        for name, subject in files.items():
            if (refusal := countable.uncountable(subject.path, target)) is not None:
                reason = f"not counted: {refusal.found}"
                counts[name] = Estimate.unknown(reason, "instructions", unit="instructions")
            else:
                counted = countable.count(subject.path, target, feed=subject.feed(feed))
                counts[name] = counted.estimate
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
    subjects = [subject for subject in subjects if not other_runtimes.runs_elsewhere(subject.path)]
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
