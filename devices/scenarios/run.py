"""Measure models in a scenario of the table; the engine is the same for all.

    >>> request = Request([Subject("fp32", Path("a.onnx"))], Settings(), Path("out"))
    >>> result = measure(request, "server", {"rate": 50.0, "deadline_ms": 20.0})   # doctest: +SKIP
    >>> result.models[0].missed, result.models[0].sustained                        # doctest: +SKIP
    (3, 'yes')

Percentiles are of the queries of all processes, each of equal weight; the unit of their intervals
is the process.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

from ...errors import UsageError, did_you_mean
from ..bench.engine import Processes, Taken, Turn, take
from ..bench.request import Prepared, Request, prepare
from ..bench.stopping import Conclusions
from ..onboard.machine.host import Host
from ..onboard.measure.answer import RunAnswer
from ..onboard.settings import named
from .result import Result
from .scenario import ByVariant, Condition, Implementation, Options, Procedure
from .table import NOTHING, REQUIRED, SCENARIOS

F = TypeVar("F")


def measure(request: Request, scenario: str, options: Options = NOTHING) -> Result[Any]:
    """Measure models in turn, in fresh processes, under one load.

    Args:
        request: what to measure and when to stop.
        scenario: a name of `table.SCENARIOS`.
        options: the scenario's own; what is left out has its default.

    Raises:
        UsageError: no such scenario or option, one that has no meaning there, or settings that do
            not fit a model.
        DataError: inputs that do not fit a model, or a meter's log that does not cover the runs.
        ModelError: a model that is missing, broken, dangerous, or gives no finite outputs.
        StorageError: the folder cannot be written.
        MeasureError: a measuring process died or ran out of time; a `ReachError` where the way to
            the machine is at fault.
    """
    complete = completed(scenario, options)
    for name in ("meter", "until"):
        option = "precision" if name == "until" else name
        if getattr(request, name) is not None and option in SCENARIOS[scenario].refuses:
            why = SCENARIOS[scenario].refuses[option]
            raise UsageError(f"{name} in the scenario {scenario}", fix=why)
    implementation = implementation_of(scenario)
    implementation.check(request, complete)
    prepared = prepare(request)
    procedure = implementation.prepare(prepared, complete)
    return run(prepared, procedure, scenario)


def run(prepared: Prepared, procedure: Procedure[F], scenario: str) -> Result[F]:
    """Measure a prepared request by a procedure.

    Raises:
        EdgestillError: as `measure`, once the models were inspected.
    """
    subjects, settings = prepared.request.subjects, prepared.request.settings
    turns = [
        Turn(subject.name, variant, partial(job, subject))
        for variant, job in procedure.jobs.items()
        for subject in subjects
    ]

    def conclude(processes: Processes, confidence: float) -> Conclusions:
        by_name = {subject.name: _by_variant(processes, subject.name) for subject in subjects}
        models = [procedure.figures(name, own, confidence) for name, own in by_name.items()]
        return models, procedure.ratios(by_name, confidence)

    taken = take(turns, prepared, conclude, metered="meter" not in SCENARIOS[scenario].refuses)
    models, ratios = conclude(taken.processes, taken.confidence)
    by_name = {subject.name: _by_variant(taken.processes, subject.name) for subject in subjects}
    return procedure.result(
        host=prepared.host,
        settings=replace(settings, feed=named(settings.feed)),
        models=tuple(models),
        ratios=tuple(ratios),
        warnings=(
            *prepared.unheeded(),
            *_cautions(prepared, taken, procedure.most_threads),
            *procedure.cautions(models, by_name),
            *taken.warnings,
        ),
        runtime=taken.runtime,
        measured=taken.began,
        looks=taken.looks,
        enough=taken.enough,
        scenario=scenario,
        processes=taken.repetitions,
    )


def implementation_of(scenario: str) -> Implementation[Any]:
    """What the scenario's module states; the module is imported here and no earlier."""
    module = SCENARIOS[scenario].module
    implementation: Implementation[Any] = import_module(f".{module}", __package__).IMPLEMENTATION
    return implementation


def conditions(scenario: str, options: Options = NOTHING) -> Sequence[Condition]:
    """The conditions of a scenario under which a query can be looked at alone.

    Raises:
        UsageError: as `completed`.
    """
    return implementation_of(scenario).conditions(completed(scenario, options))


def completed(scenario: str, options: Options) -> Options:
    """A scenario's options with defaults for those that were left out.

    Raises:
        UsageError: no such scenario, an option that it has not, or a required one left out.
    """
    if scenario not in SCENARIOS:
        raise UsageError(
            f"'{scenario}'",
            expected=f"one of {', '.join(SCENARIOS)}",
            fix=did_you_mean(scenario, SCENARIOS),
        )
    defaults = SCENARIOS[scenario].options
    for unknown in sorted(options.keys() - defaults.keys()):
        raise UsageError(
            f"'{unknown}' in the scenario {scenario}",
            expected=f"one of {', '.join(defaults) or 'no options'}",
        )
    complete = {**defaults, **options}
    for name, value in complete.items():
        if value is REQUIRED:
            raise UsageError(f"{scenario} without '{name}'", fix=f"give '{name}'")
    return complete


def _by_variant(processes: Processes, name: str) -> ByVariant:
    return {
        variant: results for (subject, variant), results in processes.items() if subject == name
    }


def _cautions(prepared: Prepared, taken: Taken, most_threads: int) -> Iterator[str]:
    """What a reader should know of any measurement: time, cores, clock, warm-up."""
    host, settings = prepared.host, prepared.request.settings
    if not taken.enough:
        yield (
            f"time was up after {taken.repetitions} processes a model; more processes would narrow "
            "the intervals"
        )
    for name, inspection in prepared.inspections.items():
        if inspection.training is not None:
            yield f"{name}: {inspection.training}, so it answers one input in several ways"
        if inspection.cost is not None and inspection.cost.notes:
            first, *more = inspection.cost.notes
            others = f", and {len(more)} more such notes" if more else ""
            yield f"{name}: not all is counted exactly: {first}{others}"
    yield from _on_few_cores(host, len(settings.cores) or host.available_cores, most_threads)
    if host.governor not in (None, "performance"):
        yield f"the frequency governor is {host.governor}, so the clock may change"
    for (name, variant), processes in taken.processes.items():
        unsettled = sum(
            isinstance(process.answer, RunAnswer) and not process.answer.settled
            for process in processes
        )
        if unsettled:
            label = f"{name} ({variant})" if variant else name
            yield (
                f"{label}: {unsettled} of {len(processes)} processes had not settled after "
                f"{settings.timing.warmup_seconds:g} s"
            )


def _on_few_cores(host: Host, cores: int, threads: int) -> Sequence[str]:
    warnings = []
    if threads > cores:
        warnings.append(f"{threads} threads were run on {cores} cores")
    if host.cpu_quota is not None and host.cpu_quota < threads:
        warnings.append(f"the control group allows {host.cpu_quota:g} cores for {threads} threads")
    return warnings
