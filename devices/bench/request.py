"""What a measurement is given, checked and prepared before the first process starts.

prepared = prepare(Request([Subject("fp32", Path("a.onnx"))], Settings(), Path("out")))
prepared.closed_loop(prepared.request.subjects[0], Path("out/samples/fp32-0.npy"))
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ...errors import ModelError, UsageError, no_file
from ..onboard.machine.host import Host
from ..onboard.measure.answer import Answer
from ..onboard.measure.job import JobFor, MeasureJob, ScenarioJob
from ..onboard.model.inputs import resolved
from ..onboard.model.made_inputs import batch_axis
from ..onboard.model.modelfile import Input, printable
from ..onboard.runtimes import fitted, lacked, row_of
from ..onboard.settings import Feed, Session
from ..place.place import Local, Place
from . import journal
from .inspection import Inspection, inspect
from .settings import Settings, Subject
from .stopping import Until

OnProcess = Callable[[int, int, str], None]
"""Called after each process: processes done, the fewest there will be, the subject's name."""

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class Request:
    """What to measure, where, and when to stop; the same for every scenario.

    Attributes:
        subjects: at least one, with unique names.
        settings: how to measure.
        out: folder of the raw figures; it is created if it does not exist.
        place: the machine to measure on. Models are inspected on this machine.
        until: when to stop; None: after `settings.processes`.
        meter: the log of a power meter that runs during the measurement, a CSV of time and watts.
        on_start: called before the first process with the fewest there will be.
        on_process: called after each process.
        inspections: of models that were inspected before, with the feed of `settings`; the others
            are inspected by `prepare`.
    """

    subjects: Sequence[Subject]
    settings: Settings
    out: Path
    place: Place = field(default_factory=Local)
    until: Until | None = None
    meter: Path | None = None
    on_start: Callable[[int], None] | None = None
    on_process: OnProcess | None = None
    inspections: Mapping[Path, Inspection] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request whose models were inspected.

    Attributes:
        request: as it was made.
        host: the machine that is measured.
        inspections: of each model, by the subject's name.
        slugs: how the names of each model's files begin, by the subject's name.
        feeds: what each model is queried with, by the subject's name.
    """

    request: Request
    host: Host
    inspections: Mapping[str, Inspection]
    slugs: Mapping[str, str]
    feeds: Mapping[str, Feed]

    def closed_loop(
        self, subject: Subject, samples: Path, *, batch: int | None = None
    ) -> MeasureJob:
        """A job that runs one query after the other.

        Args:
            subject: the model.
            samples: the file for the latencies.
            batch: samples of a query; None: as in the settings.
        """
        settings = self.request.settings
        return MeasureJob(
            model=str(subject.path),
            samples=str(samples),
            session=self.session(subject),
            feed=self.feed(subject, batch),
            timing=settings.timing,
        )

    def load(self, subject: Subject, samples: Path, scenario: str, **own: Any) -> ScenarioJob:
        """A job that runs another load.

        Args:
            subject: the model.
            samples: the file for the raw figures.
            scenario: the load's name on the device, see `onboard.measure.scenario`.
            own: what this load takes besides: `streams`, `rate_per_s`, …
        """
        settings = self.request.settings
        job = ScenarioJob(
            model=str(subject.path),
            scenario=scenario,
            samples=str(samples),
            session=self.session(subject),
            feed=self.feed(subject),
            timing=settings.timing,
            seed=settings.seed,
        )
        return replace(job, **own)

    def session(self, subject: Subject) -> Session:
        """How one model is held: as the settings say, but for what its runtime lacks."""
        return fitted(subject.path, self.request.settings.session)

    def unheeded(self) -> list[str]:
        """What the settings say and the runtime of a model lacks, a sentence each."""
        session, subjects = self.request.settings.session, self.request.subjects
        return [
            f"{subject.name}: {row_of(subject.path, session).package} has no option {name}, so it "
            f"was measured without {name} = {getattr(session, name)!r}"
            for subject in subjects
            for name in lacked(subject.path, session)
        ]

    def feed(self, subject: Subject, batch: int | None = None) -> Feed:
        """What one model is queried with.

        Args:
            subject: the model; of the shapes only those of its own inputs are kept.
            batch: samples of a query, for a first axis that is dynamic; None: as in the settings.
        """
        return own_feed(self.feeds[subject.name], self.inspections[subject.name].inputs, batch)

    def run(self, job: JobFor[A]) -> A:
        """Run one job in a fresh process on the measured machine.

        Raises:
            EdgestillError: as `Place.run`.
        """
        settings = self.request.settings
        return self.request.place.run(
            job,
            timeout_s=settings.timeout_s,
            memory_limit_bytes=settings.memory_mib and settings.memory_mib * 2**20,
            cores=settings.cores,
        )


def prepare(request: Request) -> Prepared:
    """Check the subjects, open the folder, reach the machine, inspect each model once.

    Raises:
        UsageError: no subject, two of one name, a shape that belongs to no input, an option that no
            runtime of these models has, or a runtime whose times are of no use.
        ModelError: a model that is missing, broken or dangerous.
        DataError: inputs that cannot be read.
        StorageError: the folder cannot be written.
        MeasureError: an inspecting process died; a `ReachError` where the machine is not reached.
    """
    _check(request.subjects)
    _check_options(request.subjects, request.settings.session)
    journal.begin(request.out, [])
    host = request.place.describe()
    inspections = _inspected(request)
    _check_shapes(request.settings.feed, inspections)
    given = {subject.name: subject.feed(request.settings.feed) for subject in request.subjects}
    feeds = {
        name: resolved(own_feed(given[name], one.inputs), one.inputs)
        for name, one in inspections.items()
    }
    return Prepared(request, host, inspections, journal.slugs(list(inspections)), feeds)


def _check(subjects: Sequence[Subject]) -> None:
    if not subjects:
        raise UsageError("no model", expected="at least one model to measure")
    names: set[str] = set()
    for subject in subjects:
        if subject.name in names:
            raise UsageError(f"two models named '{subject.name}'", expected="unique names")
        names.add(subject.name)
        if not subject.path.is_file():
            raise no_file(subject.path, ModelError)


def _check_options(subjects: Sequence[Subject], session: Session) -> None:
    """Refuse an option that every runtime lacks, and times that say nothing."""
    for subject in subjects:
        row = row_of(subject.path, session)
        if not row.timed:
            raise UsageError(
                f"{subject.name}, which {row.package} runs by reference kernels",
                expected="a runtime whose times are those of what ships",
                fix="count its memory instead: edgestill bench FILE.tflite --arena",
            )
    absent = [set(lacked(subject.path, session)) for subject in subjects]
    for name in sorted(set.intersection(*absent)):
        packages = sorted({row_of(subject.path, session).package for subject in subjects})
        raise UsageError(
            f"{name} = {getattr(session, name)!r}",
            expected=f"an option of {' or '.join(packages)}",
            where=name,
            fix="leave it out, or measure a model beside it whose runtime has it",
        )


def _check_shapes(feed: Feed, inspections: Mapping[str, Inspection]) -> None:
    """Refuse the shape of an input that no model has.

    Raises:
        UsageError: there is one.
    """
    names = sorted({port.name for model in inspections.values() for port in model.inputs})
    for unknown in sorted(feed.shapes.keys() - set(names)):
        raise UsageError(
            f"a shape for {printable(unknown)}",
            expected=f"one of {', '.join(map(printable, names))}",
            where="shapes",
        )


def _inspected(request: Request) -> dict[str, Inspection]:
    """Of each subject; no file is inspected twice."""
    feed = request.settings.feed
    inspections = dict(request.inspections)

    def of(path: Path, feed: Feed) -> Inspection:
        if path not in inspections:
            inspections[path] = inspect(path, feed=feed, timeout_s=request.settings.timeout_s)
        return inspections[path]

    by_name = {}
    for subject in request.subjects:
        inspection = of(subject.path, subject.feed(feed))
        if subject.graph is not None:
            graph = of(subject.graph, feed)
            inspection = replace(inspection, cost=graph.cost, cost_missing=graph.cost_missing)
        by_name[subject.name] = inspection
    return by_name


def own_feed(feed: Feed, ports: Sequence[Input], batch: int | None = None) -> Feed:
    """The feed of one model among several.

    Args:
        feed: of all models.
        ports: the model's inputs; the shapes of others are left out.
        batch: samples of a query, for a first axis that is dynamic; None: as the feed says.
    """
    axes = {
        name: axis
        for name, axis in feed.batch_axes.items()
        if not name or name in {port.name for port in ports}
    }
    own = replace(feed, batch=batch or feed.batch, batch_axes=axes)
    shapes = {
        port.name: _rebatched(feed.shapes[port.name], port, batch, own)
        for port in ports
        if port.name in feed.shapes
    }
    return replace(own, shapes=shapes)


def _rebatched(
    shape: tuple[int, ...], schema: Input, batch: int | None, feed: Feed
) -> tuple[int, ...]:
    axis = batch_axis(schema, feed)
    if batch is None or axis is None or isinstance(schema.shape[axis], int):
        return shape
    return (*shape[:axis], batch, *shape[axis + 1 :])
