"""A run as event files, which ``tensorboard --logdir FOLDER`` shows.

    >>> record(run, report, Path("events"))                                   # doctest: +SKIP
    PosixPath('events/digits/2026-11-30T06-00-00-000000Z')

A folder for each run: two runs stand beside each other on its page.
"""

import shutil
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..engine.extras import missing
from ..engine.store import disk_errors
from ..records import Report
from .figures import Tracked, tracked_of


def check(folder: Path) -> None:
    """Find out, before an hour is spent, whether event files can be written there.

    Raises:
        UsageError: it is a file.
        StorageError: the folder cannot be written.
        HostError: tensorboardX is not installed.
    """
    _writer()
    if folder.exists() and not folder.is_dir():
        raise UsageError("a file", expected="a folder", where=f"--tensorboard {folder}")
    with disk_errors(folder, opening=True):
        folder.mkdir(parents=True, exist_ok=True)


def record(run: Path, report: Report, folder: Path) -> Path:
    """Write a run's curves, figures and parameters; what an earlier call wrote is replaced.

    Args:
        run: its folder.
        report: its records.
        folder: of all runs.

    Returns:
        The folder of this run's event files.
    """
    check(folder)
    tracked = tracked_of(report)
    place = folder / tracked.name / run.resolve().name
    with disk_errors(place):
        # Event files have names of their own each time: an old one would show each point twice.
        shutil.rmtree(place, ignore_errors=True)
        with _writer()(str(place)) as writer:
            _write(writer, tracked)
    return place


def _write(writer: Any, tracked: Tracked) -> None:
    ends = tracked.created.timestamp()
    for name, points in tracked.curves.items():
        for point in points:
            # Its durations are right, its date is not: a training may be older than the report.
            when = ends + point.seconds - points[-1].seconds
            writer.add_scalar(name, point.value, point.epoch, walltime=when)
    for name, value in tracked.metrics.items():
        writer.add_scalar(name, value, 0, walltime=ends)
    writer.add_text("recipe", _table(tracked.parameters), 0, walltime=ends)
    writer.add_text("verdict", _table(tracked.tags), 0, walltime=ends)


def _table(rows: Any) -> str:
    """A table in Markdown, as TensorBoard draws texts."""
    lines = ["| key | value |", "| --- | --- |"]
    lines += [f"| {_cell(key)} | {_cell(value)} |" for key, value in rows.items()]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Names inside models and data are no markup."""
    for sign in "\\`*_{}[]<>|#":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text.replace("\n", " ")


def _writer() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise missing("tensorboardX") from None
    return SummaryWriter
