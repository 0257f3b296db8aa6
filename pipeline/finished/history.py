"""The runs of a name over time, and where a figure changed for good.

    found = history(Path("artifacts/runs/digits"))
    found.entries[-1].score
    found.changes           # what changed, with the run and the commit from which on

Sizes and instructions are counts: each change of one is a change. Scores and latencies vary, so a
change of their level is looked for (``judge.change_point``). One build that was judged by several
budgets counts once.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...devices.onboard.stats.estimate import Estimate
from ...errors import MaterialError
from ..judge import change_point
from ..printable import how_many
from ..records import Outcome, Report
from ..report import numbers, rows
from ..report.numbers import BYTES, COUNT, MILLISECONDS, Unit
from ..report.words import WORDS
from ..runs.locate import REPORT, same_build
from ..runs.run import open_report
from .result import Result, plain
from .screen import Screen

COUNTED, VARIES = ("bytes", "instructions"), ("score", "p50_ms")
HEAD = ("built", "commit", "size", "p50", "instructions", "verdict")
"""Of what is shown of a run; the score comes third, under the name of its metric."""
_FORMULA = ("=", "+", "-", "@")
_SHOWN = 12
"""Runs on a screen, the newest."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One run.

    Attributes:
        run: its folder's name.
        created: UTC, ISO 8601.
        commit: of the recipe's folder; None where it is not known.
        outcome: of its verdict.
        variant: that the figures are of; None where the run lacks it.
        score: on test.
        bytes: of the file.
        p50_ms: median latency.
        instructions: of a query.
    """

    run: str
    created: str
    commit: str | None
    outcome: Outcome
    variant: str | None
    score: float | None
    bytes: float | None
    p50_ms: float | None
    instructions: float | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A figure that is another one from some run on.

    Attributes:
        figure: its name.
        since: the run's folder.
        commit: of that run.
        before: median before.
        after: median from then on.
        p: share of orders by chance that show as sharp a change; None of a count.
    """

    figure: str
    since: str
    commit: str | None
    before: float
    after: float
    p: float | None


@dataclass(frozen=True, slots=True, repr=False)
class History(Result):
    """The runs of a name.

    Attributes:
        name: of the runs.
        metric: what a score is.
        variant: that figures are of.
        entries: the oldest first.
        changes: the oldest first, of each figure.
        notes: which figures could not be told, and which runs not read.
        error_rate: of finding a change of a score or latency where there is none.
    """

    name: str
    metric: str
    variant: str
    entries: tuple[Entry, ...]
    changes: tuple[Changed, ...]
    notes: tuple[str, ...]
    error_rate: float = change_point.ERROR_RATE

    def head(self) -> tuple[str, ...]:
        """Of the columns of ``cells``."""
        return (*HEAD[:2], self.metric, *HEAD[2:])

    def cells(self, entry: Entry) -> tuple[str, ...]:
        """What is shown of a run."""
        figures = units(self.metric)
        values = (entry.score, entry.bytes, entry.p50_ms, entry.instructions)
        units_in_order = (figures[key] for key in ("score", "bytes", "p50_ms", "instructions"))
        shown = (
            "unknown" if value is None else numbers.amount(value, unit)
            for value, unit in zip(values, units_in_order, strict=True)
        )
        built = entry.created[:16].replace("T", " ")
        return (built, (entry.commit or "")[:7], *shown, WORDS[entry.outcome])

    @property
    def title(self) -> str:
        """What the figures are of."""
        return f"{self.name}: {self.variant}, {numbers.how_many(len(self.entries), 'run')}"

    def sentences(self) -> tuple[str, ...]:
        """Each change, the oldest first, or that there is none; then the notes."""
        told = tuple(map(self.said, self.changes)) or ("no change of any figure was found",)
        return (*told, *self.notes)

    def screen(self) -> Screen:
        """The newest runs, the oldest of them first, and what changed."""
        shown = self.entries[-_SHOWN:]
        more = len(self.entries) - len(shown)
        return Screen(
            title=self.title,
            head=self.head(),
            rows=tuple(map(self.cells, shown)),
            above=(f"the newest {len(shown)}; to_dataframe() has all",) if more else (),
            below=self.sentences(),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a run."""
        return [asdict(entry) for entry in self.entries]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill history --json``."""
        document: dict[str, Any] = plain(asdict(self))
        return document

    def as_csv(self) -> str:
        """A line a run, as spreadsheets and other programs for such series read it."""
        out = io.StringIO()
        writer = csv.DictWriter(out, list(Entry.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        for entry in self.entries:
            line = asdict(entry)
            cells = {key: "" if value is None else value for key, value in line.items()}
            writer.writerow(
                {
                    key: f"'{value}" if str(value).startswith(_FORMULA) else value
                    for key, value in cells.items()
                }
            )
        return out.getvalue()

    def said(self, change: Changed) -> str:
        """A change in a sentence."""
        unit = units(self.metric)[change.figure]
        before, after = (numbers.amount(value, unit) for value in (change.before, change.after))
        commit = f", commit {change.commit[:10]}" if change.commit else ""
        chance = "" if change.p is None else f" (by chance in {change.p:.2%} of orders)"
        name = self.metric if change.figure == "score" else NAMES[change.figure]
        return f"{name}: {before} before, {after} since {change.since}{commit}{chance}"


NAMES = {
    "score": "score",
    "bytes": "file size",
    "p50_ms": "latency p50",
    "instructions": "instructions of a query",
}
"""Of the figures, for a sentence."""


def units(metric: str) -> dict[str, Unit]:
    """How each figure is printed."""
    return {
        "score": numbers.score_unit(metric),
        "bytes": BYTES,
        "p50_ms": MILLISECONDS,
        "instructions": COUNT,
    }


def history(folder: Path, variant: str | None = None) -> History:
    """The history of the runs of a name.

    Args:
        folder: of these runs.
        variant: whose figures; None: what the newest run ships, or is nearest to its budgets.

    Raises:
        MaterialError: there are no runs, or no run has the variant.
    """
    reports, unread = _reports(folder)
    if not reports:
        raise MaterialError(
            "no run that can be read", where=str(folder), fix="build one: edgestill build RECIPE"
        )
    newest = reports[-1][1]
    named = variant or newest.verdict.ship or newest.verdict.nearest
    entries = tuple(_entry(run, report, named) for run, report in reports)
    if all(entry.variant is None for entry in entries):
        known = dict.fromkeys(one.name for _, r in reports for one in r.variants.variants)
        raise MaterialError(
            f"no run with a variant {named!r}",
            expected=f"one of {', '.join(known)}",
            where=str(folder),
        )
    notes = (
        [f"{how_many(len(unread), 'run')} could not be read: {', '.join(unread)}"] if unread else []
    )
    found: list[Changed] = []
    for figure in (*COUNTED, *VARIES):
        look = _counted if figure in COUNTED else _varying
        found += look(figure, entries, notes.append)
    return History(newest.name, newest.quality.metric, named, entries, tuple(found), tuple(notes))


def _reports(folder: Path) -> tuple[list[tuple[Path, Report]], list[str]]:
    """Every build with its report, the oldest first; and the runs that cannot be read."""
    found: list[tuple[Path, Report]] = []
    unread = []
    for path in sorted(folder.glob(f"[0-9]*/{REPORT}")):
        run = path.parent
        try:
            report = open_report(run)
        except (MaterialError, OSError):
            unread.append(run.name)
            continue
        if not any(same_build(run, other) for other, _ in found):
            found.append((run, report))
    return found, unread


def _entry(run: Path, report: Report, name: str) -> Entry:
    model = next((one for one in rows.variants(report) if one.name == name), None)

    def value(of: Callable[[rows.Row], Estimate]) -> float | None:
        return None if model is None else of(model).value

    figures = model.figures if model else None
    return Entry(
        run=run.name,
        created=report.created,
        commit=report.commit.sha if report.commit else None,
        outcome=report.verdict.outcome,
        variant=name if model else None,
        score=value(lambda one: one.score),
        bytes=None if model is None else float(model.variant.bytes),
        p50_ms=value(lambda one: one.p50_ms),
        instructions=figures.instructions.value if figures else None,
    )


def _known(figure: str, entries: tuple[Entry, ...]) -> list[tuple[Entry, float]]:
    pairs = [(entry, getattr(entry, figure)) for entry in entries]
    return [(entry, value) for entry, value in pairs if value is not None]


def _counted(
    figure: str, entries: tuple[Entry, ...], note: Callable[[str], None]
) -> Iterator[Changed]:
    """Each change of a count."""
    known = _known(figure, entries)
    if not known:
        note(f"{NAMES[figure]}: not known in any run")
    for (_, before), (entry, after) in pairwise(known):
        if before != after:
            yield Changed(figure, entry.run, entry.commit, before, after, None)


def _varying(
    figure: str, entries: tuple[Entry, ...], note: Callable[[str], None]
) -> Iterator[Changed]:
    """Each change of level of what varies from run to run."""
    known = _known(figure, entries)
    least = change_point.fewest()
    if len(known) < least:
        note(
            f"{NAMES[figure]}: not enough runs to tell, {len(known)} of the {least} that a change "
            "takes at the least"
        )
        return
    for change in change_point.changes([value for _, value in known]):
        entry = known[change.at][0]
        yield Changed(figure, entry.run, entry.commit, change.before, change.after, change.p)
