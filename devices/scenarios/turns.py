"""Take many jobs in turn, each time in a fresh process, keeping all that they found.

    turns = [Turn("fp32", "threads-1", make_job), Turn("fp32", "threads-2", make_other)]
    taken = take(turns, repetitions=9, out=Path("out"), seed=0, timeout_s=300.0)
    taken.found["fp32", "threads-2"][0].answer

In each repetition every turn is taken once, in an order drawn anew, so that what drifts falls on
all alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bench import journal
from ..onboard.machine.disturbance import Disturbance
from ..onboard.machine.disturbance import warnings as disturbances
from ..onboard.measure.job import Job

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing to measure again and again.

    Attributes:
        subject: the model's name.
        variant: what else tells it from the other turns; part of a file name.
        job: makes the job, told where its samples go and which repetition it is.
    """

    subject: str
    variant: str
    job: Callable[[Path, int], Job]


@dataclass(frozen=True, slots=True)
class Sampled:
    """What one fresh process found.

    Attributes:
        answer: the worker's answer.
        table: its raw figures, int64, one row a query; shape (0,) where it has none.
    """

    answer: Mapping[str, Any]
    table: NDArray[np.int64]

    def column(self, name: str) -> NDArray[np.int64]:
        """One column of the table, shape (queries,)."""
        return np.asarray(self.table[:, list(self.answer["columns"]).index(name)])


@dataclass(frozen=True, slots=True)
class Taken:
    """What all processes found.

    Attributes:
        found: by subject and variant, in the order of repetitions.
        warnings: what disturbed them, in plain sentences.
        runtime: the runtime and its version.
        began: when, UTC, ISO 8601.
    """

    found: Mapping[Key, Sequence[Sampled]]
    warnings: tuple[str, ...]
    runtime: str
    began: str


def take(
    turns: Sequence[Turn],
    *,
    repetitions: int,
    out: Path,
    seed: int,
    timeout_s: float,
    run: Callable[..., dict[str, Any]],
    snapshot: Callable[[], Disturbance],
    on_process: Callable[[str], None] | None = None,
) -> Taken:
    """Run every turn's job in a fresh process, `repetitions` times.

    Args:
        turns: at least one; subject and variant tell them apart.
        repetitions: processes a turn.
        out: folder for `samples/` and `processes.json`, written after each process.
        seed: of the order.
        timeout_s: seconds until a process is given up.
        run: a `Place.run`.
        snapshot: a `Place.snapshot`.
        on_process: called after each process with the subject's name.

    Raises:
        EdgestillError: a job was refused, or its process died or ran out of time.
        StorageError: `out` cannot be written.
    """
    records: list[dict[str, Any]] = []
    found: dict[Key, list[Sampled]] = {(one.subject, one.variant): [] for one in turns}
    names = {
        one: f"{index}-{journal.slug(one.subject)}-{one.variant}" for index, one in enumerate(turns)
    }
    journal.begin(out, records)
    before, began = snapshot(), datetime.now(UTC).isoformat(timespec="seconds")
    for repetition in range(repetitions):
        for index in np.random.default_rng([seed, repetition]).permutation(len(turns)):
            turn = turns[index]
            samples = out / "samples" / f"{names[turn]}-{repetition}.npy"
            answer = run(turn.job(samples, repetition), timeout_s=timeout_s)
            del answer["modules"]
            empty = np.empty(0, np.int64)
            table = np.load(samples, allow_pickle=False) if samples.exists() else empty
            found[turn.subject, turn.variant].append(Sampled(answer, table))
            place = {"subject": turn.subject, "variant": turn.variant, "repetition": repetition}
            records.append({**place, "samples": f"samples/{samples.name}", **answer})
            journal.write(out / "processes.json", records)
            if on_process is not None:
                on_process(turn.subject)
    return Taken(found, disturbances(before, snapshot()), journal.runtime_of(records), began)
