"""``edgestill bench --instructions``: counts that a busy build server can be held to.

A count is held against a baseline, see ``baseline``.
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
from ..judge.gate import EXIT_CODES
from ..progress import Progress
from ..report import numbers
from . import instruction_baseline as baselines
from .bench_files import Line, text
from .bench_models import Inspected
from .instruction_baseline import Entry, Judged, judge


@dataclass(frozen=True, slots=True)
class Counted:
    """One model, its count and what its baseline says of it.

    Attributes:
        entry: as a baseline keeps it.
        found: the count, process by process.
        judged: None where there is no baseline.
    """

    entry: Entry
    found: Instructions
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
        progress: hears of each model.
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
        baselines.write(baseline, kept.updated([one.entry for one in counted]))
        return tuple(counted)
    return tuple(
        Counted(one.entry, one.found, judge(one.entry, kept.entry(one.entry.name, one.entry.core)))
        for one in counted
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
    outcomes = {one.judged.outcome for one in counted if one.judged is not None}
    worst = ("not ready", "undecided", "ready")
    return next((EXIT_CODES[one] for one in worst if one in outcomes), 0)


def document(counted: Sequence[Counted]) -> dict[str, Any]:
    """The counts as one JSON document."""
    return {
        "figure": "instructions per inference: a count, not a time",
        "exit_code": exit_code(counted),
        "models": [
            {
                **one.entry.model_dump(),
                "counter": one.found.counter,
                "processes": list(one.found.counts),
                "repeats": one.found.repeats,
                "baseline": asdict(one.judged) if one.judged else None,
            }
            for one in counted
        ],
    }


def lines(counted: Sequence[Counted]) -> list[Line]:
    """For a CSV: a line a model."""
    return [
        {
            "name": text(one.entry.name),
            "instructions": one.entry.instructions,
            "counter": one.found.counter,
            "core": one.entry.core,
            "kernels": one.entry.kernels,
            "runtime": one.entry.runtime,
            "batch": one.entry.batch,
            "outcome": one.judged.outcome if one.judged else "",
        }
        for one in counted
    ]


def summary(counted: Sequence[Counted]) -> RenderableType:
    """The counts as a table, one row a model, and what the baseline says."""
    table = Table(
        "", "instructions", "to the first", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    first = counted[0].entry.instructions
    for one in counted:
        table.add_row(
            Text(numbers.printable(one.entry.name)),
            f"{one.entry.instructions:,}",
            f"{one.entry.instructions / first:.4g}",
        )
    found = counted[0].found
    how = Text(
        f"instructions per inference, a count, not a time: {found.counter} on {found.core} "
        f"({found.kernels} kernels), batch {found.batch}, 1 thread, {found.runtime}",
        style="dim",
    )
    warnings = [
        Text(
            f"warning: {numbers.printable(one.entry.name)}: its processes counted "
            f"{' and '.join(f'{n:,}' for n in one.found.counts)}",
            style="yellow",
        )
        for one in counted
        if not one.found.repeats
    ]
    judged = [Text(one.judged.why) for one in counted if one.judged is not None]
    return Group(table, how, *warnings, *judged)


def _entry(subject: Subject, found: Instructions, shapes: Mapping[str, tuple[int, ...]]) -> Entry:
    with subject.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(
        name=subject.name,
        sha256=digest,
        core=found.core,
        kernels=found.kernels,
        runtime=found.runtime,
        batch=found.batch,
        shapes={key: list(value) for key, value in shapes.items()},
        instructions=found.instructions,
    )
