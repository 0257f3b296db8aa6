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
from .operators import figures_here, predictions, profiled

BATCHES = 64
"""Batches of test samples that queries cycle through; ``onboard.model.inputs`` takes no more."""

CONFIDENCE = 0.99
"""Of all intervals. Half of the error lies on either side, so that a variant whose true latency is
at its budget is called READY in at most 0.5 % of builds, however often it was looked."""
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
    benchmark, variants, data = inputs.benchmark, inputs.variants, inputs.data
    device, target, on_target = inputs.device, inputs.target, inputs.on_target
    if benchmark.instructions and (refusal := countable.missing(target)) is not None:
        raise refusal
    place = place_of(device)
    made = variants.record
    subjects = [Subject(variant.name, variants.path / variant.file) for variant in made.files]
    queries = out / "inputs.npz"
    samples: dict[str, Any] = {
        INPUT: draw(open_split(data.path, "test"), BATCHES * benchmark.batch).x
    }
    np.savez(queries, allow_pickle=False, **samples)
    settings = Settings(
        **bounds_of(device, benchmark.threads, benchmark.spinning),
        feed=Feed(str(queries), benchmark.batch, seed=inputs.seed),
        timing=Timing(benchmark.seconds, benchmark.min_queries, benchmark.max_queries),
        processes=benchmark.processes,
        seed=inputs.seed,
        confidence=CONFIDENCE,
        footprint=benchmark.footprint,
    )
    until = None
    if budgets := inputs.budgets:
        until = Until(lambda models, _: decided(budgets, models), benchmark.max_seconds)
    with measuring(progress, len(subjects) * benchmark.processes) as on_process:
        measured = measure(
            Request(subjects, settings, out, until=until, on_process=on_process, place=place),
            prices=inputs.prices,
            references=[*([TEACHER] if made.teacher else []), "fp32"],
        )
    if benchmark.instructions:
        measured = _counted(measured, subjects, target, settings.feed, progress)
    operators: Sequence[OperatorsRecord] = ()
    predicted: Sequence[Predicted] = ()
    if isinstance(place, Local) and (benchmark.operators or not on_target):
        here = figures_here(None)
        operators = _operators(measured, subjects, settings, here, progress)
        if not on_target:
            predicted = predictions(
                [one.name for one in subjects],
                operators,
                _medians(measured),
                here,
                target,
                threads=settings.session.threads,
            )
    return BenchmarkRecord(
        benchmark=measured,
        measured_on=device.name,
        target=target.name,
        on_target=on_target,
        operators=tuple(operators),
        predicted=tuple(predicted),
    )


def _counted(
    measured: Measurement,
    subjects: Sequence[Subject],
    target: Profile,
    feed: Feed,
    progress: Progress,
) -> Measurement:
    """The same with the instructions of each variant; the teacher ships nowhere."""
    files = {one.name: one.path for one in subjects if one.name != TEACHER}
    found: dict[str, Estimate] = {
        TEACHER: Estimate.unknown(
            "only what may ship is counted", "instructions", unit="instructions"
        )
    }
    with progress.steps("instructions", len(files)) as steps:
        for name, path in files.items():
            found[name] = countable.count(path, target, feed=feed).estimate
            steps.advance(name)
    models = (replace(one, instructions=found[one.name]) for one in measured.models)
    return replace(measured, models=tuple(models))


def _operators(
    measured: Measurement,
    subjects: Sequence[Subject],
    settings: Settings,
    here: Bounds | str,
    progress: Progress,
) -> list[OperatorsRecord]:
    """The time of each model's operators; one that cannot be timed is left out with a warning."""
    known = _medians(measured)
    found: list[OperatorsRecord] = []
    with progress.steps("operators", len(subjects)) as steps:
        for one in subjects:
            try:
                found.append(
                    profiled(
                        one.name,
                        one.path,
                        here,
                        session=settings.session,
                        feed=settings.feed,
                        runs=_runs(known.get(one.name)),
                    )
                )
            except MeasureError as error:  # a picture less, not a build less
                progress.warn(f"the operators of {one.name} were not timed: {error}")
            steps.advance(one.name)
    return found


def _medians(measured: Measurement) -> dict[str, float]:
    return {one.name: one.p50_ms.value for one in measured.models if one.p50_ms.value}


def _runs(p50_ms: float | None) -> int:
    """Queries that take about half a second, with profiling and without."""
    return _MOST_RUNS if p50_ms is None else max(_LEAST_RUNS, min(_MOST_RUNS, int(250 / p50_ms)))
