"""The turns of one scenario as they are put together, then taken.

work = Work(subjects, settings, out)
work.add("threads-2", lambda subject, samples, repetition: work.loop(subject, samples))
taken = work.take()
work.ended("threads", taken, figures)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from ...errors import ModelError, UsageError
from ..bench.bench import Settings, Subject
from ..bench.inspection import inspect
from ..onboard.measure.job import Job, MeasureJob, ScenarioJob
from ..onboard.model.inputs import with_real_shapes
from ..onboard.model.modelfile import Input, printable
from ..onboard.settings import Feed, named
from ..place.place import Local, Place
from .figures import Scenario
from .turns import Taken, Turn, take

F = TypeVar("F")
Told = Callable[[str], None]


class Work:
    """The turns of one scenario as they are put together, then taken."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        settings: Settings,
        out: Path,
        on_process: Told | None,
        place: Place | None = None,
    ) -> None:
        self.subjects, self.settings, self.out = subjects, settings, out
        self.on_process = on_process
        self.place = place or Local()
        self.host = self.place.describe()
        _check_subjects(subjects)
        feed = with_real_shapes(settings.feed)
        # A foreign file is looked at before any process measures it.
        self.schemas: dict[str, tuple[Input, ...]] = {
            one.name: inspect(one.path, feed=feed, timeout_s=settings.timeout_s).inputs
            for one in subjects
        }
        self.turns: list[Turn] = []

    def add(self, variant: str, job: Callable[[Subject, Path, int], Job]) -> None:
        """One more turn for each subject; the job is told samples file and repetition."""
        self.turns += [Turn(one.name, variant, partial(job, one)) for one in self.subjects]

    def take(self) -> Taken:
        """Take all turns."""
        return take(
            self.turns,
            repetitions=self.settings.processes,
            out=self.out,
            seed=self.settings.seed,
            timeout_s=self.settings.timeout_s,
            on_process=self.on_process,
            run=partial(
                self.place.run,
                memory_limit_bytes=self.settings.memory_mib and self.settings.memory_mib * 2**20,
                cores=self.settings.cores,
            ),
            snapshot=self.place.snapshot,
        )

    def ended(
        self, scenario: str, taken: Taken, models: tuple[F, ...], said: Sequence[str] = ()
    ) -> Scenario[F]:
        """The scenario with its surroundings."""
        unsettled = [
            f"{name} ({variant}): {count} of {len(processes)} processes had not settled"
            for (name, variant), processes in taken.found.items()
            if (count := sum(not one.answer.get("settled", True) for one in processes))
        ]
        return Scenario(
            scenario,
            self.host,
            replace(self.settings, feed=named(self.settings.feed)),
            models,
            (*said, *unsettled, *taken.warnings),
            taken.runtime,
            taken.began,
        )

    def loop(self, subject: Subject, samples: Path, batch: int | None = None) -> MeasureJob:
        """One query after the other."""
        return MeasureJob(
            model=str(subject.path),
            samples=str(samples),
            session=self.settings.session,
            feed=self._feed(subject, batch),
            timing=self.settings.timing,
        )

    def load(
        self,
        subject: Subject,
        samples: Path,
        *,
        scenario: Literal[
            "multi-stream", "server", "sustained", "cold-start", "loadgen"
        ] = "multi-stream",
        streams: int = 1,
    ) -> ScenarioJob:
        """Another load."""
        return ScenarioJob(
            model=str(subject.path),
            scenario=scenario,
            samples=str(samples),
            session=self.settings.session,
            feed=self._feed(subject, None),
            timing=self.settings.timing,
            streams=streams,
            seed=self.settings.seed,
        )

    def check_batches(self, batches: Sequence[int]) -> None:
        """Refuse batch sizes that a model has no room for."""
        for subject in self.subjects:
            fixed = [
                one.shape[0]
                for one in self.schemas[subject.name]
                if one.shape and isinstance(one.shape[0], int)
            ]
            dynamic = len(fixed) < sum(bool(one.shape) for one in self.schemas[subject.name])
            wrong = [one for one in batches if not dynamic and fixed and one != fixed[0]]
            if wrong:
                raise UsageError(
                    f"a batch of {wrong[0]}",
                    expected=f"{fixed[0]}, the fixed first axis of {printable(subject.name)}",
                    where="batches",
                    fix="export the model with a dynamic batch, or measure it at its own",
                )

    def _feed(self, subject: Subject, batch: int | None) -> Feed:
        """What one model is queried with, in batches of another size where one is given."""
        feed, schema = self.settings.feed, self.schemas[subject.name]
        shapes = _rebatched(feed.shapes, schema, batch)
        return replace(feed, batch=batch or feed.batch, shapes=shapes)


def _rebatched(
    shapes: Mapping[str, tuple[int, ...]], schema: Sequence[Input], batch: int | None
) -> dict[str, tuple[int, ...]]:
    """The shapes of this model's inputs; with a batch, where their first axis is dynamic."""
    found = {}
    for one in schema:
        if one.name not in shapes:
            continue
        shape = shapes[one.name]
        if batch is not None and one.shape and not isinstance(one.shape[0], int):
            shape = (batch, *shape[1:])
        found[one.name] = shape
    return found


def _check_subjects(subjects: Sequence[Subject]) -> None:
    if not subjects:
        raise UsageError("no model", expected="at least one model to measure")
    seen: set[str] = set()
    for one in subjects:
        if one.name in seen:
            raise UsageError(f"two models named '{one.name}'", expected="unique names")
        seen.add(one.name)
        if not one.path.is_file():
            raise ModelError("no such file", where=str(one.path))
