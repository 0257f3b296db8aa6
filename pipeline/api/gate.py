"""``edgestill.gate``: is what a run ships worse than what an earlier run gave?"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..finished.baseline import MAX_SECONDS, against
from ..finished.result import Result, figure, plain
from ..finished.screen import Screen, near
from ..judge.against import Against, combined
from ..judge.gate import EXIT_CODES
from ..judge.regression import Change, Limits
from ..progress import Progress
from ..records import Outcome
from ..report import regression, words
from ..runs.locate import Located, located, same_build
from .paths import OnDisk, path_of
from .run import Run, judged_again
from .settings import Settings, texts
from .watching import ProgressOption, watched

_DEFAULT = Limits()


@dataclass(frozen=True, slots=True, repr=False)
class Gated(Result):
    """A run that was judged by its budgets and against a baseline.

    Attributes:
        run: as its budgets judge it.
        against: what was compared with the baseline, and what came of it.
    """

    run: Run
    against: Against

    @property
    def regression(self) -> bool | None:
        """Whether something is worse than allowed; None where that cannot be told."""
        return {"ready": False, "not ready": True, "undecided": None}[self.against.outcome]

    @property
    def outcome(self) -> Outcome:
        """The worse of the budgets' verdict and of that against the baseline."""
        return combined(self.run.outcome, self.against.outcome)

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0 ready and no regression, 1 not, 5 undecided."""
        return EXIT_CODES[self.outcome]

    def screen(self) -> Screen:
        """The answer, a row a figure, and the verdict of the budgets."""
        report = self.run.report
        said = regression.section(self.against, report)
        tables = [table for table in said.tables if table.rows]
        return Screen(
            title=said.paragraphs[0],
            head=("", *tables[0].head[1:-1], "verdict") if tables else (),
            rows=tuple(tuple(map(str, cells)) for table in tables for cells in table.rows),
            above=tuple(table.caption for table in tables[:1]),
            below=(*said.points, f"by its own budgets: {words.WORDS[self.run.outcome]}"),
            paths=(("run", near(self.run.path)),),
        )

    def records(self) -> list[dict[str, Any]]:
        """One mapping a figure of each pair of models."""
        return [
            {"now": pair.now, "then": pair.then, "format": pair.format, **_record(change)}
            for pair in self.against.pairs
            for change in pair.changes
        ]

    def to_dict(self) -> dict[str, Any]:
        """The document of ``edgestill gate --baseline --json``."""
        document = self.run.to_dict() | {"exit_code": self.exit_code}
        return document | {"baseline": plain(self.against.to_dict())}


def gate(  # noqa: PLR0913 - named options of a function that users call
    run: OnDisk | Path | str,
    baseline: OnDisk | Path | str,
    *,
    budgets: Settings = (),
    recipe: Path | str | None = None,
    max_size_growth: float = _DEFAULT.size_growth,
    max_score_drop: float = _DEFAULT.score_drop,
    max_instructions_growth: float = _DEFAULT.instructions_growth,
    max_latency_growth: float = _DEFAULT.latency_growth,
    measure: bool = False,
    max_seconds: float = MAX_SECONDS,
    artifacts: Path | str = "artifacts",
    progress: ProgressOption = True,
) -> Gated:
    """Compare what a run ships with an earlier run, and judge it by its budgets.

    Args:
        run: a run, its folder, or a name: then the last build of that name.
        baseline: the run to compare with, or the ``report.json`` that was kept of it; of a name its
            last build, or where that is the run, the newest run of another build.
        budgets: by key of ``[gate]``, in place of the run's own; see ``Run.gate``.
        recipe: take the budgets of this recipe.
        max_size_growth: of the file, a share of the baseline's: 0.02 allows 2 % more.
        max_score_drop: in the score's own unit; 0.01 is a point of an accuracy.
        max_instructions_growth: of a query, a share, where both runs counted alike.
        max_latency_growth: of a query, a share, where both files are measured.
        measure: measure both files in turn on this machine; else no latency is judged.
        max_seconds: the longest measurement of a pair of files.
        artifacts: where runs lie by their names.
        progress: True shows it, False does not; a function is called with each ``Event``.

    Raises:
        MaterialError: there is no such run, or it cannot be read.
        UsageError: a limit is negative or not a number.
        RecipeError: a key or a value of a budget is wrong.
        ModelError, MeasureError: a file cannot be measured.

    Example:
        >>> import edgestill
        >>> found = edgestill.gate(run, baseline=run)
        >>> found.regression, found.exit_code
        (False, 0)
    """
    limits = Limits(max_size_growth, max_score_drop, max_instructions_growth, max_latency_growth)
    for name, value in asdict(limits).items():
        _sound(value, f"max_{name}")
    folder = located(path_of(run, "run"), artifacts=Path(artifacts)).folder
    judged = judged_again(folder, texts(budgets, "gate."), None if recipe is None else Path(recipe))
    other = baseline_of(judged, path_of(baseline, "baseline"), Path(artifacts))
    with watched(progress, "edgestill.gate") as watch:
        measured = watch.progress if measure else None
        return judged_against(judged, other, limits, measured, max_seconds)


def baseline_of(judged: Run, named: Path, artifacts: Path = Path("artifacts")) -> Located:
    """The run to compare with; of a name the last build, or the newest of another build."""
    return located(
        named,
        artifacts=artifacts,
        where="--baseline",
        but=lambda other: same_build(other, judged.path),
    )


def judged_against(
    judged: Run,
    baseline: Located,
    limits: Limits,
    progress: Progress | None = None,
    max_seconds: float = MAX_SECONDS,
) -> Gated:
    """A judged run against a baseline; both files are measured where there is progress."""
    run = Located(judged.report, judged.path)
    return Gated(judged, against(run, baseline, limits, progress, max_seconds))


def _sound(value: float, name: str) -> None:
    if not 0.0 <= value < float("inf"):
        raise UsageError(f"{value:g}", expected="a number of at least 0", where=name)


def _record(change: Change) -> dict[str, Any]:
    return {
        "what": change.what,
        "outcome": change.outcome,
        **dict(figure("then", change.then)),
        **dict(figure("now", change.now)),
        **dict(figure("change", change.change)),
        "limit": change.limit,
        "why": change.why,
    }
