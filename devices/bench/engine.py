"""The one measuring engine: fresh processes in turn, until a rule says that it is enough.

    turns = [Turn("fp32", "threads-1", make_job), Turn("fp32", "threads-2", make_other)]
    taken = take(turns, prepared, conclude, metered=True)
    taken.processes["fp32", "threads-2"][0].answer

In each repetition every turn is taken once, in an order drawn anew, so that what drifts (heat,
neighbours) affects all alike and cancels in paired ratios. A model measured against itself, first
all processes of the one and then of the other, seemed up to 11 % faster than itself; in turn, 4 %.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..energy.metering import Unwatched, Watch, watching
from ..energy.query_energy import QueryEnergy
from ..onboard.machine import conditions
from ..onboard.machine.disturbance import warnings as disturbances
from ..onboard.measure.answer import Answer, LoadAnswer, RunAnswer, TimedAnswer
from ..onboard.measure.job import JobFor
from ..place.place import Local
from . import journal
from .request import Prepared
from .stopping import Conclusions, Looks

A = TypeVar("A", bound=Answer)
Key = tuple[str, str]
"""A subject's name and a variant's."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing to measure again and again.

    Attributes:
        subject: the model's name.
        variant: distinguishes it from the subject's other turns, part of a file name; empty where
            there is no other.
        job: makes the job from its samples file and the number of the repetition.
    """

    subject: str
    variant: str
    job: Callable[[Path, int], JobFor[Any]]

    @property
    def key(self) -> Key:
        """The subject's name and the variant's."""
        return self.subject, self.variant


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """What one fresh process measured.

    Attributes:
        answer: the worker's answer.
        table: its raw figures, int64, one row a query; shape (0,) where it has none.
        energy: of a query.
    """

    answer: Answer
    table: NDArray[np.int64]
    energy: QueryEnergy = field(default_factory=QueryEnergy)

    def answer_as(self, kind: type[A]) -> A:
        """The answer of a job whose answers are of this type.

        Raises:
            TypeError: it is of another.
        """
        if not isinstance(self.answer, kind):
            raise TypeError(
                f"an answer of type {type(self.answer).__name__}, expected {kind.__name__}"
            )
        return self.answer

    def column(self, name: str) -> NDArray[np.int64]:
        """One column of the table, shape (queries,)."""
        return np.asarray(self.table[:, self.answer_as(LoadAnswer).columns.index(name)])


Processes = Mapping[Key, Sequence[ProcessResult]]
"""By subject and variant, in the order of repetitions."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What all processes measured.

    Attributes:
        processes: by subject and variant.
        repetitions: processes of each turn, at the most; see `stopping.Until.unfinished`.
        confidence: of the intervals of the last look.
        looks: how often the rule of stopping was applied.
        enough: whether it was met.
        warnings: what disturbed the measurement, in plain sentences.
        runtime: the runtimes and their versions.
        began: when, UTC, ISO 8601.
    """

    processes: Processes
    repetitions: int
    confidence: float
    looks: int
    enough: bool
    warnings: tuple[str, ...]
    runtime: str
    began: str


def take(
    turns: Sequence[Turn],
    prepared: Prepared,
    conclude: Callable[[Processes, float], Conclusions],
    *,
    metered: bool,
) -> Taken:
    """Run every turn's job in a fresh process, again and again until it is enough.

    After each process the request's folder has its raw figures: `samples/*.npy`, `processes.json`.

    Args:
        turns: at least one; no two with the same subject and variant.
        prepared: the request, with its rule of stopping.
        conclude: the figures of all models and their ratios, at a confidence; for that rule.
        metered: whether energy is measured, by the meter's log or by this machine's sensors.

    Raises:
        EdgestillError: a job was refused, or its process died or ran out of time.
        DataError: a meter's log that cannot be read or does not cover the processes.
        StorageError: the folder cannot be written.
    """
    request, settings = prepared.request, prepared.request.settings
    journal.begin(request.out, [])
    looks = Looks(settings.processes, settings.confidence, request.until)
    repetitions = _Repetitions(turns, prepared)
    if request.on_start is not None:
        request.on_start(repetitions.fewest)
    with _watch(prepared, metered=metered) as watch:
        firmware_before = _firmware() if _here(prepared) else None
        before, began = request.place.snapshot(), datetime.now(UTC).isoformat(timespec="seconds")
        for number in looks.repetitions(lambda level: conclude(repetitions.processes, level)):
            repetitions.take_all(number, watch, looks.unfinished)
        answers = [result.answer for result in repetitions.results]
        disturbed = (
            *disturbances(before, request.place.snapshot()),
            *conditions.warnings(_condition_pairs(answers, firmware_before)),
        )
    # Once more, with the energies of a meter's log.
    repetitions.write()
    return Taken(
        processes=repetitions.processes,
        repetitions=max(map(len, repetitions.processes.values())),
        confidence=looks.confidence,
        looks=looks.look,
        enough=looks.enough,
        warnings=(*_limits(answers), *disturbed, *watch.warnings),
        runtime=journal.runtimes_of(repetitions.answers()),
        began=began,
    )


class _Repetitions:
    """Takes every turn once in each repetition, and keeps what it gave.

    Attributes:
        results: of each process, in the order they ran.
        processes: the same by turn.
        fewest: processes that there will be at least.
    """

    def __init__(self, turns: Sequence[Turn], prepared: Prepared) -> None:
        self._turns, self._prepared = turns, prepared
        self.results: list[ProcessResult] = []
        self._origins: list[dict[str, Any]] = []
        self.processes: dict[Key, list[ProcessResult]] = {turn.key: [] for turn in turns}
        self.fewest = prepared.request.settings.processes * len(turns)

    def answers(self) -> dict[str, list[Answer]]:
        """What the processes answered, by the subject's name."""
        found: dict[str, list[Answer]] = {}
        for (subject, _), results in self.processes.items():
            found.setdefault(subject, []).extend(result.answer for result in results)
        return found

    def take_all(self, repetition: int, watch: Watch, only: Collection[str] | None) -> None:
        """Take every turn, or those of some subjects only, in an order drawn anew."""
        request = self._prepared.request
        random = np.random.default_rng([request.settings.seed, repetition])
        for index in random.permutation(len(self._turns)):
            turn = self._turns[index]
            if only is not None and turn.subject not in only:
                continue
            stem = self._prepared.slugs[turn.subject] + (turn.variant and f"-{turn.variant}")
            samples = request.out / "samples" / f"{stem}-{repetition}.npy"
            answer = self._prepared.run(turn.job(samples, repetition))
            result = ProcessResult(answer, _table(samples), QueryEnergy.of(answer))
            if isinstance(answer, TimedAnswer):
                watch.note(result.energy)
            self.results.append(result)
            self._origins.append(_origin(turn, repetition, samples))
            self.write()
            self.processes[turn.key].append(result)
            if request.on_process is not None:
                request.on_process(len(self.results), self.fewest, turn.subject)

    def write(self) -> None:
        """Write `processes.json`, with the energies as they are known now."""
        records = [
            origin | journal.flat(result.answer) | _energy(result)
            for origin, result in zip(self._origins, self.results, strict=True)
        ]
        journal.write(self._prepared.request.out / "processes.json", records)


def _energy(result: ProcessResult) -> dict[str, Any]:
    return result.energy.as_record() if isinstance(result.answer, RunAnswer) else {}


def _origin(turn: Turn, repetition: int, samples: Path) -> dict[str, Any]:
    variant = {"variant": turn.variant} if turn.variant else {}
    return {
        "subject": turn.subject,
        **variant,
        "repetition": repetition,
        "samples": f"samples/{samples.name}",
    }


def _table(samples: Path) -> NDArray[np.int64]:
    if not samples.exists():
        return np.empty(0, np.int64)
    table: NDArray[np.int64] = np.load(samples, allow_pickle=False)
    return table


def _here(prepared: Prepared) -> bool:
    return isinstance(prepared.request.place, Local)


@contextmanager
def _watch(prepared: Prepared, *, metered: bool) -> Iterator[Watch]:
    if not metered:
        yield Unwatched()
        return
    idle_seconds = prepared.request.settings.idle_seconds
    with watching(
        idle_seconds=idle_seconds, log=prepared.request.meter, here=_here(prepared)
    ) as watch:
        yield watch


def _firmware() -> conditions.Conditions:
    """The flags of this machine's firmware; all else the processes read themselves."""
    now = conditions.now(ask=conditions.vcgencmd)
    return conditions.Conditions(firmware_flags=now.firmware_flags)


def _condition_pairs(
    answers: Sequence[Answer], firmware_before: conditions.Conditions | None
) -> list[tuple[conditions.Conditions, conditions.Conditions]]:
    """Conditions before and after each process, and on this machine its firmware's flags."""
    pairs = [answer.conditions for answer in answers if isinstance(answer, RunAnswer)]
    return [*pairs, *([(firmware_before, _firmware())] if firmware_before is not None else [])]


def _limits(answers: Sequence[Answer]) -> tuple[str, ...]:
    if not any(answer.process.memory_limit == "address space" for answer in answers):
        return ()
    return (
        "no control group could be made, so the memory limit applied to the address space, which "
        "is larger than what is resident",
    )
