"""``edgestill bench --instructions``: counts that are the same on a busy build server.

A count is compared with a baseline, see ``instruction_baseline``.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.bench.settings import Subject
from ...devices.instructions import callgrind as counting
from ...devices.instructions import count as countable
from ...devices.instructions.callgrind import Instructions
from ...devices.onboard.settings import Feed
from ...devices.profiles import profile
from ...errors import UsageError
from ..finished.inspected import Inspected
from ..judge.gate import EXIT_CODES
from ..progress import Progress
from ..report import numbers
from . import instruction_baseline as baselines
from .bench_files import Line, text
from .instruction_baseline import Entry, Judged, judge


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


def count(
    models: Inspected,
    progress: Progress,
    *,
    device: str,
    baseline: Path | None = None,
    update: bool = False,
) -> tuple[Counted, ...]:
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
        return tuple(counted)
    if update:
        baselines.write(baseline, kept.updated([model.entry for model in counted]))
        return tuple(counted)
    return tuple(
        Counted(
            model.entry,
            model.instructions,
            judge(model.entry, kept.entry(model.entry.name, model.entry.core)),
        )
        for model in counted
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


def exit_code(counted: Sequence[Counted]) -> int:
    """Of the worst outcome: a regression before what is undecided."""
    outcomes = {model.judged.outcome for model in counted if model.judged is not None}
    worst = ("not ready", "undecided", "ready")
    return next((EXIT_CODES[outcome] for outcome in worst if outcome in outcomes), 0)


def document(counted: Sequence[Counted]) -> dict[str, Any]:
    """The counts as one JSON document."""
    return {
        "figure": "instructions per inference: a count, not a time",
        "exit_code": exit_code(counted),
        "models": [
            {
                **model.entry.model_dump(),
                "counter": model.instructions.counter,
                "processes": list(model.instructions.counts),
                "repeats": model.instructions.repeats,
                "baseline": asdict(model.judged) if model.judged else None,
            }
            for model in counted
        ],
    }


def lines(counted: Sequence[Counted]) -> list[Line]:
    """For a CSV: a line a model."""
    return [
        {
            "name": text(model.entry.name),
            "instructions": model.entry.instructions,
            "counter": model.instructions.counter,
            "core": model.entry.core,
            "kernels": model.entry.kernels,
            "runtime": model.entry.runtime,
            "batch": model.entry.batch,
            "outcome": model.judged.outcome if model.judged else "",
        }
        for model in counted
    ]


def summary(counted: Sequence[Counted]) -> RenderableType:
    """The counts as a table, one row a model, and what the baseline says."""
    table = Table(
        "", "instructions", "to the first", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    first = counted[0].entry.instructions
    for model in counted:
        table.add_row(
            Text(numbers.printable(model.entry.name)),
            f"{model.entry.instructions:,}",
            f"{model.entry.instructions / first:.4g}",
        )
    first_count = counted[0].instructions
    how = Text(
        f"instructions per inference, a count, not a time: {first_count.counter} on "
        f"{first_count.core} ({first_count.kernels} kernels), batch {first_count.batch}, 1 thread, "
        f"{first_count.runtime}",
        style="dim",
    )
    warnings = [
        Text(
            f"warning: {numbers.printable(model.entry.name)}: its processes counted "
            f"{' and '.join(f'{n:,}' for n in model.instructions.counts)}",
            style="yellow",
        )
        for model in counted
        if not model.instructions.repeats
    ]
    judged = [Text(model.judged.why) for model in counted if model.judged is not None]
    return Group(table, how, *warnings, *judged)


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
