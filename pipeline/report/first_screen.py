"""What the first screen answers: ready or not, which file, each budget, against whom, what next.

screen = of(report)
screen.lead        # 'latency, p90 is 1.78× its budget (1.70 to 1.85)'
screen.budgets      # a row a budget, what decides first
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..judge import constant
from ..records import TEACHER, Check, Outcome, Report
from . import (
    adaptation,
    bullet,
    changes,
    distillation,
    gap,
    next_step,
    numbers,
    rows,
    search,
    words,
)
from .bullet import Bullet
from .numbers import BYTES, MICROJOULES, MILLISECONDS
from .rows import Row
from .sections import Cell, Table, figure, row
from .words import Comparison

MOST_BUDGETS = 7
"""Rows that a laptop's screen has room for; the table of all budgets has the others."""
_ORDER: dict[Outcome, int] = {"not ready": 0, "undecided": 1, "ready": 2}


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One figure beside its budget.

    Attributes:
        name: what is limited.
        limit: the budget.
        value: the figure with its unit.
        interval: None where the figure is exact or not known.
        kind: measured, predicted, declared or exact; or that it was not measured.
        outcome: on this budget.
        bar: both as a bar.
        told: the bar in words.
    """

    name: str
    limit: str
    value: str
    interval: str | None
    kind: str
    outcome: Outcome
    bar: Bullet
    told: str


@dataclass(frozen=True, slots=True)
class FirstScreen:
    """All that it shows.

    Attributes:
        lead: of the verdict, what ships, is missed or is not known.
        why: in a sentence.
        file: which file, how large, in which runtime.
        machine: where it was measured, and for which target.
        subject: the name of the variant that all of it is about; None where there is none.
        budgets: what decides first.
        more_budgets: how many have no row.
        beside: heading of what the student is compared with.
        teacher: figures beside those of the teacher; None where it has no file.
        without: why there is none.
        plain: against the student that was trained without the teacher.
        unlabelled: against the one that was taught on labelled samples alone; None without one.
        search: how the recipe was found; None where it was built as it was.
        changes: what would change the verdict.
        command: that does the first of it; None where something ships, or no command does it.
    """

    lead: str
    why: str
    file: str
    machine: str
    subject: str | None
    budgets: tuple[BudgetRow, ...]
    more_budgets: int
    beside: str
    teacher: Table | None
    without: str | None
    plain: str
    unlabelled: str | None
    search: str | None
    changes: tuple[str, ...]
    command: str | None


def of(report: Report) -> FirstScreen:
    """The first screen of a run."""
    subject, step = rows.subject(report), next_step.of(report)
    checks = checks_of(report)
    shown = checks[:MOST_BUDGETS]
    return FirstScreen(
        lead=_lead(report, checks),
        why=report.verdict.why,
        file=_file(report, subject),
        machine=_machine(report),
        subject=subject.name if subject else None,
        budgets=tuple(_row(check, report) for check in shown),
        more_budgets=len(checks) - len(shown),
        beside=_beside(report),
        teacher=_against(report, subject) if subject and report.variants.teacher else None,
        without=words.teacher_without_file(report) if report.teachers else None,
        plain=adaptation.sentence(report.adaptation, report)
        if report.adaptation
        else words.gain(report),
        unlabelled=distillation.by_unlabelled(report),
        search=search.lead(report),
        changes=changes.of(report),
        command=step.command if step else None,
    )


def _beside(report: Report) -> str:
    if report.adaptation is not None:
        both = "the teacher and " if report.teachers else ""
        return f"Against {both}the same student from random weights"
    return "Against the teacher and the plain student" if report.teachers else "Training"


def checks_of(report: Report) -> list[Check]:
    """Those of the subject, what decides first; that it beats a constant only where it does not."""
    judged = next(
        (one for one in report.verdict.variants if one.name == report.verdict.nearest), None
    )
    if judged is None:
        return []
    told = [one for one in judged.checks if not constant.is_one(one) or constant.fails(one)]
    return sorted(told, key=lambda check: _ORDER[check.outcome])


def _lead(report: Report, checks: list[Check]) -> str:
    """What is read first: never a gain where the verdict is none."""
    verdict = report.verdict
    if verdict.ship is not None:
        return f"{verdict.ship} ships"
    judged = next((one for one in verdict.variants if one.name == verdict.nearest), None)
    of_kind = [check for check in checks if check.outcome == verdict.outcome]
    if judged is not None and judged.faults and verdict.outcome == "not ready":
        return f"{judged.name} has a fault"
    if judged is not None and judged.cannot_ship and not of_kind:
        return f"{judged.name} cannot ship"
    if not of_kind:
        return "nothing ships"
    first, more = of_kind[0], len(of_kind) - 1
    name = words.budget_name(first, report.quality)
    others = (
        f"; {more} more {'missed' if verdict.outcome == 'not ready' else 'open'}" if more else ""
    )
    if verdict.outcome == "undecided":
        return f"{name} {_open(first)}{others}"
    return f"{name} is {gap.gap(first, report.quality)}{others}"


def _open(check: Check) -> str:
    """Why a budget is not decided, in a few words."""
    figure = check.figure
    if figure.value is None:
        return "is unknown"
    if figure.kind != "measured":
        return f"is {figure.kind}, not measured"
    if figure.low is None or figure.high is None:
        return "has no interval yet"
    return "may be inside or outside its budget"


def _file(report: Report, subject: Row | None) -> str:
    if subject is None:
        return "No variant was made."
    package = subject.variant.packages[0]
    size = numbers.amount(subject.variant.bytes, BYTES)
    name = f"variants/{PurePosixPath(subject.variant.file).name}"
    if subject.ships:
        name = f"models/{report.name}-{subject.variant.method}{package.suffix}"
    told = f"{name} ({size}) in {package.title}"
    return told if subject.ships else f"Nothing ships. Nearest: {told}"


def _machine(report: Report) -> str:
    measured = report.measured
    cpu = measured.benchmark.host.cpu
    on = f"{measured.measured_on} ({cpu}), {measured.benchmark.runtime}"
    if measured.on_target:
        return f"Target {measured.target}, measured on it: {cpu}, {measured.benchmark.runtime}"
    if measured.on_target is None:
        return f"Measured on {on}; the target is not recorded"
    return f"Target {measured.target}; measured on {on}, which is not the target"


def _row(check: Check, report: Report) -> BudgetRow:
    quality = report.quality
    unit = numbers.budget_unit(check.key, quality)
    value, interval = numbers.without_reason(check.figure, unit)
    if check.figure.value is None:
        value = "unknown"
    name, limit = words.budget_name(check, quality), numbers.budget(check, quality)
    shown = f"{value} ({interval})" if interval else value
    return BudgetRow(
        name=numbers.capital(name),
        limit=limit,
        value=value,
        interval=interval,
        kind="not measured" if check.figure.value is None else check.figure.kind,
        outcome=check.outcome,
        bar=bullet.of_check(check, quality),
        told=f"{name}: {shown}, budget {limit}: {words.ON_BUDGET[check.outcome]}",
    )


def _against(report: Report, subject: Row) -> Table:
    """The figures of the subject, of the teacher, and what one is of the other."""
    metric, unit = report.quality.metric, numbers.score_unit(report.quality.metric)
    teacher = next(model for model in rows.models(report) if model.name == TEACHER)
    lost = figure(subject.drop, numbers.lost_unit(metric)) if subject.drop else Cell("unknown")
    lines = [
        row(
            f"{metric} on test",
            figure(subject.score, unit),
            figure(teacher.score, unit),
            Cell(f"{lost.text} lost", lost.detail),
        )
    ]
    compared = words.against_teacher(report, subject.name)
    if len(compared) == 1:
        (only,) = compared
        lines.append(row(only.what, "", "", Cell(only.short, only.detail)))
    else:
        for comparison, of_models in zip(compared, _figures(subject, teacher), strict=True):
            ratio = Cell(comparison.short, comparison.detail)
            lines.append(row(f"{comparison.what}{_where(report, comparison)}", *of_models, ratio))
    head = ("Figure", subject.name, TEACHER, "Compared")
    return Table(f"{subject.name} against the teacher", head, tuple(lines))


def _where(report: Report, comparison: Comparison) -> str:
    """On which machine, where that is not the target."""
    holds_anywhere = comparison.what == "file size" or report.measured.on_target
    return "" if holds_anywhere else f", on {report.measured.measured_on}"


def _figures(subject: Row, teacher: Row) -> tuple[tuple[Cell, Cell], ...]:
    """Median latency, file size, peak memory and energy of both."""

    def both(of: Callable[[Row], Cell]) -> tuple[Cell, Cell]:
        return of(subject), of(teacher)

    def energy(model: Row) -> Cell:
        # The joules of a declared model are those of no device: only their ratio is shown.
        if model.energy_uj.kind == "declared":
            return Cell("—")
        return Cell(*numbers.parts(model.energy_uj, MICROJOULES))

    return (
        both(lambda model: Cell(*numbers.parts(model.p50_ms, MILLISECONDS))),
        both(lambda model: Cell(numbers.amount(model.variant.bytes, BYTES))),
        both(lambda model: Cell(*numbers.parts(model.memory_bytes, BYTES))),
        both(energy),
    )
