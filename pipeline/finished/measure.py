"""``edgestill bench`` in any scenario: models of unknown origin, by inputs of their own schema.

models = inspected(subjects_of([Path("model.onnx")]), Feed(), ask=None)
result, folder = measure(models, Chosen("offline", {}), BenchOptions(), Silent())
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...devices.bench.request import OnProcess, Request
from ...devices.bench.settings import Settings
from ...devices.bench.stopping import Until
from ...devices.onboard.settings import Timing
from ...devices.onboard.stats.estimate import Estimate
from ...devices.place.place import bounds_of, place_of
from ...devices.profiles.profile import HOST, load
from ...devices.scenarios import run
from ...devices.scenarios.table import SCENARIOS
from ..progress import Progress
from .inspected import Inspected
from .measured import Measured
from .scenario import SINGLE_STREAM, Chosen

_MOST_QUERIES = 1_000_000
_PROCESSES = 9
_TIMEOUT_S = 300.0
_OVERTIME = 3.0
"""A run at too high a rate goes on for twice its length."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """The options that all scenarios share.

    Attributes:
        threads: intra-op threads; None: as the device's profile says, else 1.
        spinning: whether idle threads spin; None: as the device's profile says, else not.
        device: what to measure on, a profile's name or path.
        processes: fresh processes of each model, with a precision the fewest; None: as usual.
        seconds: timed seconds of a process, where the scenario has no duration.
        precision: share of each decisive figure that half its interval is to be; None: whatever it
            is after those processes.
        max_seconds: how long to go on for that precision.
        meter: the log of a power meter that runs during the measurement.
        out: where raw samples go; None: a new folder below ``artifacts/bench``.
    """

    threads: int | None = None
    spinning: bool | None = None
    device: str = HOST
    processes: int | None = None
    seconds: float = 0.3
    precision: float | None = None
    max_seconds: float = 120.0
    meter: Path | None = None
    out: Path | None = None


def measure(
    models: Inspected, chosen: Chosen, options: BenchOptions, progress: Progress
) -> Measured:
    """Measure models in turn, in fresh processes, under one load.

    Args:
        models: what to measure.
        chosen: the scenario with its own options.
        options: those of every scenario.
        progress: advances after each process.

    Raises:
        UsageError: no such device or no way to it, or options that do not fit a model.
        DataError: a meter's log that cannot be read or does not cover the measurement.
        ModelError: a model that gives no finite output.
        MeasureError: a measuring process died or ran out of time; a ``ReachError`` where the way
            to the device is at fault.
    """
    profile = load(options.device, where="--device")
    place = place_of(profile, where="--device")
    own = _own_options(chosen, models)
    duration = run.completed(chosen.scenario, own).get("duration")
    settings = Settings(
        **bounds_of(profile, options.threads, options.spinning),
        feed=models.feed,
        timing=Timing(seconds=duration or options.seconds, max_queries=_MOST_QUERIES),
        processes=options.processes or SCENARIOS[chosen.scenario].processes or _PROCESSES,
        timeout_s=_TIMEOUT_S + _OVERTIME * (duration or 0.0),
        footprint=True,
    )
    folder = options.out or new_folder()
    what = "benchmark" if chosen.scenario == SINGLE_STREAM else chosen.scenario
    with _followed(progress, what) as (on_start, on_process):
        request = Request(
            models.subjects,
            settings,
            folder,
            place=place,
            until=_until(chosen.scenario, options),
            meter=options.meter,
            on_start=on_start,
            on_process=on_process,
            inspections=models.inspections,
        )
        result = run.measure(request, chosen.scenario, own)
    missed = _missed(chosen.scenario, options, result.models)
    if missed is not None:
        progress.warn(missed)
        result = replace(result, warnings=(*result.warnings, missed))
    return Measured(result, folder)


def new_folder() -> Path:
    """A folder for raw samples, named by the time."""
    return Path("artifacts/bench") / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")


def _own_options(chosen: Chosen, models: Inspected) -> dict[str, Any]:
    """Those given; on the command line every model is a reference of the others."""
    if chosen.scenario != SINGLE_STREAM:
        return dict(chosen.options)
    return {**chosen.options, "references": [subject.name for subject in models.subjects]}


def _until(scenario: str, options: BenchOptions) -> Until | None:
    if options.precision is None:
        return None
    precision, decisive = options.precision, run.implementation_of(scenario).decisive

    def enough(models: Sequence[Any], _: Sequence[Any]) -> bool:
        return all(
            estimate.known_within(precision) for model in models for estimate in decisive(model)
        )

    return Until(enough, options.max_seconds)


def _missed(scenario: str, options: BenchOptions, models: Sequence[Any]) -> str | None:
    """How far the figures are from the precision that was asked for; None: it is reached."""
    until = _until(scenario, options)
    if until is None or options.precision is None or until.enough(models, ()):
        return None
    asked = f"the precision of {100 * options.precision:g} % was not reached"
    after = f"in {options.max_seconds:g} s"
    wide = [
        _half(one) for model in models for one in run.implementation_of(scenario).decisive(model)
    ]
    known = [half for half in wide if half is not None]
    if len(known) < len(wide):
        return f"{asked} {after}: a figure has no interval yet; measure longer"
    return f"{asked} {after}: half the widest interval is {100 * max(known):.2g} %; measure longer"


def _half(figure: Estimate) -> float | None:
    """Half an interval as a share of its figure; None where there is none."""
    if not figure.value or figure.low is None or figure.high is None:
        return None
    return (figure.high - figure.low) / 2 / abs(figure.value)


@contextmanager
def _followed(progress: Progress, what: str) -> Iterator[tuple[Callable[[int], None], OnProcess]]:
    """A bar from the first process on; once, a note that it goes on beyond the fewest processes."""
    with ExitStack() as stack:
        steps: list[Any] = []

        def on_start(total: int) -> None:
            steps.append(stack.enter_context(progress.steps(what, total)))

        def on_process(done: int, total: int, name: str) -> None:
            if done == total + 1:
                progress.note(f"{what}: not decided yet, going on with more processes")
            steps[0].advance(name)

        yield on_start, on_process
