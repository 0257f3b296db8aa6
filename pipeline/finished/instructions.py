"""Counts of instructions, which are the same on a busy build server, compared with a baseline.

found = count(models, Silent(), device="host", baseline=Path("counts.json"))
found["model.onnx"].entry.instructions, found.exit_code
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...devices.bench.settings import Subject
from ...devices.instructions import callgrind as counting
from ...devices.instructions import count as countable
from ...devices.instructions.callgrind import Instructions
from ...devices.onboard.settings import Feed
from ...devices.profiles import profile
from ...errors import UsageError, no_name
from ..judge.gate import EXIT_CODES
from ..progress import Progress
from ..report import numbers
from . import instruction_baseline as baselines
from .inspected import Inspected
from .instruction_baseline import Entry, Judged, judge
from .result import Result
from .screen import Screen


@dataclass(frozen=True, slots=True)
class Counted:
    """One model, its count and what its baseline says of it.

    Attributes:
        entry: as a baseline keeps it.
        instructions: the count, process by process.
        judged: None where there is no baseline.
    """

    entry: Entry
    instructions: Instructions
    judged: Judged | None = None


@dataclass(frozen=True, slots=True, repr=False)
class InstructionsCounted(Result):
    """Models, and the instructions of one query of each: a count, not a time.

    Attributes:
        models: in the order given.
    """

    models: tuple[Counted, ...]

    def __getitem__(self, name: str) -> Counted:
        """The count of the model of this name.

        Raises:
            UnknownNameError: there is none; it is a KeyError, too.
        """
        for model in self.models:
            if model.entry.name == name:
                return model
        raise no_name(name, (model.entry.name for model in self.models))

    @property
    def exit_code(self) -> int:
        """Of the worst outcome: a regression before what is undecided; 0 without a baseline."""
        outcomes = {model.judged.outcome for model in self.models if model.judged is not None}
        worst = ("not ready", "undecided", "ready")
        return next((EXIT_CODES[outcome] for outcome in worst if outcome in outcomes), 0)

    def how(self) -> str:
        """What was counted, in a line."""
        first = self.models[0].instructions
        return (
            f"instructions per inference, a count, not a time: {first.counter} on "
            f"{first.core} ({first.kernels} kernels), batch {first.batch}, 1 thread, "
            f"{first.runtime}"
        )

    def unsteady(self) -> list[str]:
        """Models whose processes did not count the same, a sentence each."""
        return [
            f"{model.entry.name}: its processes counted "
            f"{' and '.join(f'{n:,}' for n in model.instructions.counts)}"
            for model in self.models
            if not model.instructions.repeats
        ]

    def screen(self) -> Screen:
        """A row a model, and what the baseline says."""
        first = self.models[0].entry.instructions
        return Screen(
            title=f"instructions of one query of {numbers.how_many(len(self.models), 'model')}",
            head=("model", "instructions", "to the first"),
            rows=tuple(
                (
                    model.entry.name,
                    f"{model.entry.instructions:,}",
                    f"{model.entry.instructions / first:.4g}",
                )
                for model in self.models
            ),
            below=(
                self.how(),
                *(f"warning: {text}" for text in self.unsteady()),
                *(model.judged.why for model in self.models if model.judged is not None),
            ),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a model."""
        return [
            {
                "name": model.entry.name,
                "instructions": model.entry.instructions,
                "counter": model.instructions.counter,
                "core": model.entry.core,
                "kernels": model.entry.kernels,
                "runtime": model.entry.runtime,
                "batch": model.entry.batch,
                "outcome": model.judged.outcome if model.judged else None,
            }
            for model in self.models
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``bench --instructions --json``."""
        return {
            "figure": "instructions per inference: a count, not a time",
            "exit_code": self.exit_code,
            "models": [
                {
                    **model.entry.model_dump(),
                    "counter": model.instructions.counter,
                    "processes": list(model.instructions.counts),
                    "repeats": model.instructions.repeats,
                    "baseline": asdict(model.judged) if model.judged else None,
                }
                for model in self.models
            ],
        }


def count(
    models: Inspected,
    progress: Progress,
    *,
    device: str,
    baseline: Path | None = None,
    update: bool = False,
) -> InstructionsCounted:
    """Count the instructions of one inference of each model, and compare them with a baseline.

    Args:
        models: what to count.
        progress: advances after each model.
        device: ``host``, a profile's name or its path; see ``on_device``.
        baseline: a file to compare with, or to write with ``update``.
        update: write the counts to the baseline instead of comparing.

    Raises:
        UsageError: a device whose core cannot be counted, or a file that is no baseline.
        HostError: what counts is not installed.
        MeasureError: a counting process died or ran out of time.
        StorageError: the baseline cannot be written.
    """
    kept = baselines.read(baseline, may_be_new=update) if baseline is not None else None
    target = profile.load(device, where="--device")
    for subject in models.subjects:
        if (refusal := countable.uncountable(subject.path, target)) is not None:
            raise refusal
    counted = []
    with progress.steps("instructions", len(models.subjects)) as steps:
        for subject in models.subjects:
            feed = models.own_feed(subject)
            instructions = on_device(subject.path, target, feed=feed)
            entry = _entry(subject, instructions, feed.shapes)
            counted.append(Counted(entry, instructions))
            steps.advance(subject.name)
    if kept is None or baseline is None:
        return InstructionsCounted(tuple(counted))
    if update:
        baselines.write(baseline, kept.updated([model.entry for model in counted]))
        return InstructionsCounted(tuple(counted))
    return InstructionsCounted(
        tuple(
            Counted(
                model.entry,
                model.instructions,
                judge(model.entry, kept.entry(model.entry.name, model.entry.core)),
            )
            for model in counted
        )
    )


def on_device(
    path: Path,
    target: profile.Profile,
    *,
    feed: Feed,
) -> Instructions:
    """Count on a device's kind of core: an x86-64 one by valgrind, an ARM one by an emulator.

    Raises:
        UsageError: neither of them shows that core.
        HostError, ModelError, DataError, MeasureError: as ``devices.instructions.callgrind.count``.
    """
    shown = counting.shown_kernels()
    if target.arch == "x86_64" and target.name != profile.HOST and target.kernels != shown:
        raise UsageError(
            f"{target.name}, x86_64 with {target.kernels} kernels",
            expected=f"{shown} kernels, which are those of the core that valgrind shows here",
            where="--device",
            fix="count on another device, and compare builds of the model there",
        )
    return countable.count(path, target, feed=feed)


def _entry(
    subject: Subject, instructions: Instructions, shapes: Mapping[str, tuple[int, ...]]
) -> Entry:
    with subject.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(
        name=subject.name,
        sha256=digest,
        core=instructions.core,
        kernels=instructions.kernels,
        runtime=instructions.runtime,
        batch=instructions.batch,
        shapes={key: list(value) for key, value in shapes.items()},
        instructions=instructions.instructions,
    )
