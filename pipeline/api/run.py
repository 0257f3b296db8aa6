"""A run on disk: its verdict, its figures, its files; judged again, handed over, looked at."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UnknownNameError, no_name
from ..engine.store import disk_errors
from ..finished.result import Result, figure
from ..finished.screen import COLUMNS, LINES, Cell, Screen, cell, near, path_line
from ..judge.gate import EXIT_CODES
from ..records import TEACHER, NextStep, Outcome, Report, Verdict
from ..report import commands, first_screen, next_step, numbers, rows, words
from ..report.rows import Row
from ..runs.latest import run_of
from ..runs.rejudge import budgets as budgets_of
from ..runs.rejudge import judge_again
from .settings import Settings, texts

if TYPE_CHECKING:
    from .bundle import Bundled

_FIGURES = (
    "score",
    "drop",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "load_ms",
    "first_ms",
    "memory_bytes",
    "energy_uj",
)
"""Of a model, in a data frame."""


@dataclass(frozen=True, slots=True, repr=False)
class Run(Result):
    """One build on disk, whole and immutable.

    Attributes:
        path: the run's folder.
        report: every record of it, as ``report.json`` has them.
        ran: the stages that this call ran; the others were in the store. Empty of a run that was
            read from disk.
    """

    path: Path
    report: Report
    ran: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """READY, NOT READY or UNDECIDED, and why, for the run and for each variant."""
        return self.report.verdict

    @property
    def outcome(self) -> Outcome:
        """The verdict in a word: ``"ready"``, ``"not ready"`` or ``"undecided"``."""
        return self.verdict.outcome

    @property
    def ready(self) -> bool:
        """Whether something ships."""
        return self.outcome == "ready"

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0 ready, 1 not ready, 5 undecided."""
        return EXIT_CODES[self.outcome]

    @property
    def models(self) -> tuple[Row, ...]:
        """The teacher, where it has a file, and every variant, with their figures and verdicts."""
        return rows.models(self.report)

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of the variants, in the order they were made."""
        return tuple(variant.name for variant in self.report.variants.variants)

    def __getitem__(self, name: str) -> Row:
        """The figures and the verdict of a variant, or of ``"teacher"``.

        Raises:
            UnknownNameError: the run has no such model; it is a KeyError, too.
        """
        for model in self.models:
            if model.name == name:
                return model
        raise no_name(name, (model.name for model in self.models))

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that ship: models and what they need. None where nothing is READY."""
        folder = self.path / "models"
        return tuple(sorted(folder.iterdir())) if folder.is_dir() else ()

    def file(self, name: str | None = None) -> Path:
        """The measured file of a variant, or of ``"teacher"``; of what ships where none is named.

        Raises:
            UnknownNameError: the run has no such model, or nothing ships; it is a KeyError, too.
        """
        chosen = name if name is not None else self.verdict.ship
        if chosen is None:
            raise UnknownNameError("nothing ships", fix=f"name one of {', '.join(self.variants)}")
        return self.path / "variants" / self[chosen].variant.file

    @property
    def report_path(self) -> Path:
        """The report as a page."""
        return self.path / "report.html"

    def open_report(self) -> bool:
        """Open the report in a browser; False where there is none to open it in."""
        import webbrowser

        return webbrowser.open(self.report_path.resolve().as_uri())

    @property
    def next_step(self) -> NextStep | None:
        """The cheapest thing to try where nothing ships; None where something does."""
        return next_step.of(self.report)

    @property
    def next_command(self) -> str | None:
        """The command that tries it with this run's own recipe; None where there is none."""
        step = self.next_step
        if step is None or step.command is None:
            return None
        return commands.located(step.command, near(self.path))

    def gate(self, budgets: Settings = (), *, recipe: Path | str | None = None) -> "Run":
        """Judge the saved records by other budgets; nothing is measured.

        Args:
            budgets: by key of ``[gate]``, such as ``{"max_size_kib": 100}``; they are added to
                those of the recipe.
            recipe: take the budgets of this recipe; None: the run's own.

        Returns:
            A new run beside this one, or this one where the verdict is the same.

        Raises:
            RecipeError: a key or a value is wrong.
            MaterialError: a file of the run is not as it was written.
        """
        named = None if recipe is None else Path(recipe)
        return judged_again(self.path, texts(budgets, "gate."), named)

    def bundle(
        self,
        out: Path | str | None = None,
        *,
        formats: tuple[str, ...] = (),
        zipped: bool = False,
        inspection: bool = False,
    ) -> "Bundled":
        """Write what is handed over of this run; see ``edgestill.bundle``."""
        from .bundle import bundle

        return bundle(self.path, out, formats=formats, zipped=zipped, inspection=inspection)

    def __repr__(self) -> str:
        """As the command prints it: 80 columns, 24 lines."""
        from rich.console import Console

        from ..report.terminal_screen import screen

        console = Console(
            file=io.StringIO(), width=COLUMNS, color_system=None, markup=False, emoji=False
        )
        rest = "in the report and to_dict()"
        with console.capture() as captured:
            console.print(screen(self.report, columns=COLUMNS, lines=LINES - 1, rest=rest))
        lines = [line.rstrip() for line in captured.get().rstrip().split("\n")]
        return "\n".join([*lines, path_line("report", near(self.report_path))])

    def screen(self) -> Screen:
        """The same for a notebook: the verdict, its budgets, a row a model, the next step."""
        report, first = self.report, first_screen.of(self.report)
        metric = report.quality.metric
        shown = sorted(self.models, key=lambda model: (not model.ships, model.name != TEACHER))
        return Screen(
            title=f"{words.WORDS[self.outcome]}: {first.lead}",
            head=("model", metric, "p50", "size", "verdict"),
            rows=tuple(_row(model, metric) for model in shown),
            above=(first.file, first.why, *map(_told, first.budgets)),
            below=first.changes[:1],
            paths=(("report", near(self.report_path)),),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a model."""
        return [_record(model) for model in self.models]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill build --json``."""
        from ..report import whole

        report = whole(self.report).model_dump(mode="json")
        return {
            "run": str(self.path),
            "exit_code": self.exit_code,
            "next_command": self.next_command,
            "report": report,
        }


def judged_again(path: Path, budgets: tuple[str, ...], recipe: Path | None) -> Run:
    """A run judged by other budgets, given as ``gate.key=value`` texts and by a recipe."""
    path = run_of(path)
    with disk_errors(path, opening=True):
        return Run(*judge_again(path, budgets_of(path, recipe, budgets)))


def _told(budget: first_screen.BudgetRow) -> str:
    """A budget in a sentence, with its figure."""
    met = {"ready": "met", "not ready": "MISSED", "undecided": "undecided"}[budget.outcome]
    interval = f" ({budget.interval})" if budget.interval else ""
    return f"{met}: {budget.name} {budget.limit}; found {budget.value}{interval}"


def _row(model: Row, metric: str) -> tuple[Cell, ...]:
    if model.ships:
        verdict = "ships"
    elif model.outcome is None:
        verdict = "reference" if model.name == TEACHER else "not judged"
    else:
        verdict = words.WORDS[model.outcome]
    return (
        model.name,
        cell(model.score, numbers.score_unit(metric)),
        cell(model.p50_ms, numbers.MILLISECONDS),
        numbers.amount(model.variant.bytes, numbers.BYTES),
        verdict,
    )


def _record(model: Row) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": model.name,
        "method": model.variant.method,
        "format": model.variant.format,
        "file": model.variant.file,
        "bytes": model.variant.bytes,
        "outcome": model.outcome,
        "ships": model.ships,
    }
    for name in _FIGURES:
        record |= dict(figure(name, getattr(model, name)))
    return record
