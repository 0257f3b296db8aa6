"""A run on disk: its verdict, its figures, its files; judged again, handed over, looked at."""

import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..engine.stage import Made
from ..engine.store import disk_errors
from ..finished.result import Result, figure, plain
from ..finished.screen import Cell, Screen, cell, near
from ..judge.faults import by_variant
from ..judge.gate import EXIT_CODES
from ..records import TEACHER, Outcome, Report, Verdict, VerifyRecord
from ..report import numbers, rows, words
from ..report.rows import Row
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
            KeyError: the run has no such model.
        """
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(name)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that ship: models and what they need. None where nothing is READY."""
        folder = self.path / "models"
        return tuple(sorted(folder.iterdir())) if folder.is_dir() else ()

    def file(self, name: str | None = None) -> Path:
        """The measured file of a variant, or of ``"teacher"``; of what ships where none is named.

        Raises:
            KeyError: the run has no such model, or nothing ships.
        """
        chosen = name if name is not None else self.verdict.ship
        if chosen is None:
            raise KeyError(f"nothing ships; name one of {', '.join(self.variants)}")
        return self.path / "variants" / self[chosen].variant.file

    @property
    def report_path(self) -> Path:
        """The report as a page."""
        return self.path / "report.html"

    def open_report(self) -> bool:
        """Open the report in a browser; False where there is none to open it in."""
        return webbrowser.open(self.report_path.resolve().as_uri())

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

    def screen(self) -> Screen:
        """The verdict, and a row a model with its figures."""
        report = self.report
        metric = report.quality.metric
        shown = sorted(self.models, key=lambda model: (not model.ships, model.name != TEACHER))
        return Screen(
            title=f"{words.headline(report)} (run {report.name})",
            head=("model", metric, "p50", "size", "verdict"),
            rows=tuple(_row(model, metric) for model in shown),
            above=(report.verdict.why,),
            paths=(("report", near(self.report_path)),),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a model."""
        return [_record(model) for model in self.models]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill build --json``."""
        from ..report import whole

        report = whole(self.report).model_dump(mode="json")
        return {"run": str(self.path), "exit_code": self.exit_code, "report": report}


def judged_again(path: Path, budgets: tuple[str, ...], recipe: Path | None) -> Run:
    """A run judged by other budgets, given as ``gate.key=value`` texts and by a recipe."""
    with disk_errors(path, opening=True):
        return Run(*judge_again(path, budgets_of(path, recipe, budgets)))


@dataclass(frozen=True, slots=True, repr=False)
class Stopped(Result):
    """A build that stopped after a stage.

    Attributes:
        stage: its name.
        key: of its output in the store.
        path: the folder of its output.
        record: what it found.
        wrong: after ``verify``: what is wrong with each variant, whatever the budgets.
        ran: the stages that this call ran.
        exit_code: 1 where every variant has a fault, else 0.
    """

    stage: str
    key: str
    path: Path
    record: Any
    wrong: Mapping[str, tuple[str, ...]]
    ran: tuple[str, ...]
    exit_code: int = 0

    @classmethod
    def after(cls, made: Made[Any], ran: tuple[str, ...]) -> Self:
        """What a stage made; a variant that ``verify`` finds a fault in, no budget makes ready."""
        record, wrong, code = made.record, {}, 0
        if isinstance(record, VerifyRecord):
            wrong = by_variant(record)
            code = EXIT_CODES["not ready"] if len(wrong) == len(record.variants) else 0
        return cls(made.stage.name, made.key, made.path, record, wrong, ran, code)

    def screen(self) -> Screen:
        """Where the output lies, and what is wrong with it."""
        faults = [(name, fault) for name, all_ in self.wrong.items() for fault in all_]
        return Screen(
            title=f"stopped after {self.stage}; {numbers.how_many(len(self.ran), 'stage')} ran",
            head=("variant", "fault") if faults else (),
            rows=tuple(faults),
            paths=((self.stage, str(self.path)),),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping: the record's plain values."""
        return [self.record.model_dump(mode="json")]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-ready values: the document of ``edgestill build --until --json``."""
        document: dict[str, Any] = plain(
            {
                "stage": self.stage,
                "key": self.key,
                "path": str(self.path),
                "record": self.record.model_dump(mode="json"),
                "wrong": self.wrong,
                "exit_code": self.exit_code,
            }
        )
        return document


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
