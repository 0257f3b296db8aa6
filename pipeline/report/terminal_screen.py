"""The verdict on one screen of a terminal: what decided it, each model in a row, what is beyond.

    Console().print(screen(report, columns=80, lines=22))

Budgets stand with figure, interval and verdict. What else there is to know is counted in one line;
``terminal.table`` prints it.
"""

import textwrap

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.onboard.stats.estimate import Estimate
from ..judge.task_budgets import of_record
from ..records import AT, TEACHER, Check, Outcome, Report
from . import adaptation, first_screen, numbers, rows, warnings, words
from .numbers import BYTES, MILLISECONDS, Unit
from .rows import Row

STYLES: dict[Outcome, str] = {
    "ready": "bold green",
    "not ready": "bold red",
    "undecided": "bold yellow",
}
_MOST_BUDGETS = 6
_LEAST_MODELS, _LEAST_NAME = 3, 12
_APART = 2
"""Blanks between two columns."""
_MOST_WARNINGS = 2
_NARROW = 76
"""Columns of a table of models; a wider one has its names broken before their format."""


def screen(
    report: Report, *, columns: int, lines: int, rest: str = "in the report or --verbose"
) -> RenderableType:
    """The verdict, the budgets that decided it, the models, the next step.

    Args:
        report: of a run.
        columns: of the terminal.
        lines: there is room for; of more models than fit the last are counted.
        rest: where the rest is told.
    """
    first = first_screen.of(report)
    outcome = report.verdict.outcome
    head = [
        _cut(f"{words.WORDS[outcome]}: {first.lead}", columns, 2, STYLES[outcome]),
        _cut(first.file, columns, 2),
        _cut(first.why, columns, 2, "dim"),
        *(_cut(found, columns, 2, "dim") for found in [first.search] if found),
        *(
            _cut(f"warning: {warning}", columns, 2, "yellow")
            for warning in warnings.first(report)[:_MOST_WARNINGS]
        ),
    ]
    foot = [_cut(first.changes[0], columns, 2)] if first.changes else []
    if report.adaptation is not None:
        foot.insert(0, _cut(adaptation.brief(report.adaptation), columns, 2))
    foot.append(_cut(_details(report, rest), columns, 2, "dim"))
    budgets, used = _budgets(report, columns)
    room = lines - used - sum(_height(text) for text in (*head, *foot))
    models, taken = _models(report, columns, room)
    # What a screen has left sets the tables apart.
    apart = [Text("")] if room - taken >= 2 else []
    return Group(*head, *apart, *budgets, *apart, *models, *foot)


def _budgets(report: Report, columns: int) -> tuple[list[RenderableType], int]:
    """A row a budget of the model that the verdict is about, and how many lines that takes."""
    checks = first_screen.checks_of(report)
    if not checks:
        return [], 0
    shown = checks if len(checks) <= _MOST_BUDGETS else checks[: _MOST_BUDGETS - 1]
    name = f"budgets of {report.verdict.nearest}"
    grid = _table(name, "", "figure", "interval", "")
    cells = [_budget(check, report) for check in shown]
    # Figures are never cut for the sake of a long name.
    others = zip(("", "figure", "interval", ""), *(rest for _, *rest in cells), strict=True)
    room = columns - sum(max(map(len, column)) + _APART for column in others) - _APART
    for budget, *rest in cells:
        budget.truncate(max(_LEAST_NAME, room), overflow="ellipsis")
        grid.add_row(budget, *rest)
    if more := len(checks) - len(shown):
        grid.add_row(f"… and {numbers.how_many(more, 'budget')} more")
    return [grid], len(shown) + bool(more) + 2


def _budget(check: Check, report: Report) -> tuple[Text, ...]:
    quality = report.quality
    budget = of_record(check.key, quality)
    name = (budget.short or budget.title).replace("{metric} lost", "lost")
    name = name.replace("{metric}", quality.metric).replace(" ({same})", "")
    value, interval = numbers.without_reason(check.figure, numbers.budget_unit(check.key, quality))
    if check.figure.value is None:
        value = "unknown"
    return (
        _text(name),
        _text(numbers.budget(check, quality)),
        _text(value),
        _text(interval or "exact" if check.figure.value is not None else ""),
        _text(words.ON_BUDGET[check.outcome], STYLES[check.outcome]),
    )


def _models(report: Report, columns: int, lines: int) -> tuple[list[RenderableType], int]:
    """A row a model, and how many lines that takes.

    Where they do not fit, those that the verdict is about come first.
    """
    models = list(rows.models(report))
    barred = dict.fromkeys(
        model.verdict.cannot_ship for model in models if model.verdict and model.verdict.cannot_ship
    )
    below = [_cut(f"* cannot ship: {why}", columns, 1) for why in barred]
    room = max(_LEAST_MODELS, lines - 2 - len(below))
    if len(models) > room:
        models.sort(key=lambda one: (one.name != report.verdict.nearest, one.name != TEACHER))
        models = models[: room - 1]
    metric = report.quality.metric
    head = ("models", metric, "p50", "p90", "memory", "file", "")
    cells = [_model(model, metric) for model in models]
    width = sum(
        max(len(part) for part in column) + 1
        for column in zip(head, *((name, *map(str, rest)) for name, *rest in cells), strict=True)
    )
    grid = _table(*head)
    for name, *rest in cells:
        # A name is broken before its format where a line does not hold it.
        grid.add_row(_text(name.replace(AT, f"\n{AT}", 1) if width > _NARROW else name), *rest)
    if more := len(rows.models(report)) - len(models):
        grid.add_row(f"… and {more} more")
    broken = len(models) if width > _NARROW and any(AT in name for name, *_ in cells) else 0
    return [grid, *below], 2 + len(models) + broken + bool(more) + len(below)


def _model(model: Row, metric: str) -> tuple[str, Text, Text, Text, Text, Text, Text]:
    return (
        numbers.printable(model.name),
        _brief(model.score, numbers.score_unit(metric)),
        _brief(model.p50_ms, MILLISECONDS),
        _brief(model.p90_ms, MILLISECONDS),
        _brief(model.memory_bytes, BYTES),
        _text(numbers.amount(model.variant.bytes, BYTES)),
        _verdict(model),
    )


def _verdict(model: Row) -> Text:
    if model.name == TEACHER:
        return _text("reference", "dim")
    if model.ships:
        return _text("ships", STYLES["ready"])
    if model.outcome is None:
        return _text("not judged")
    barred = "*" * bool(model.verdict and model.verdict.cannot_ship)
    return _text(f"{words.WORDS[model.outcome]}{barred}", STYLES[model.outcome])


def _brief(estimate: Estimate, unit: Unit) -> Text:
    """A figure without its interval, or that it is unknown."""
    if estimate.value is None:
        return _text("unknown", "dim")
    return _text(numbers.without_reason(estimate, unit)[0])


def _details(report: Report, rest: str) -> str:
    """What is not on this screen."""
    told = warnings.first(report)[_MOST_WARNINGS:]
    count = len(told) + len(warnings.of_measurement(report))
    warned = f"{numbers.how_many(count, 'warning')}, " if count else ""
    return f"details: {warned}every interval, comparisons: {rest}"


def _table(*head: str) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(_text(head[0], "bold"), no_wrap=True, overflow="ellipsis")
    for number, title in enumerate(head[1:], 1):
        last = number == len(head) - 1
        right = head[0] == "models" and not last
        grid.add_column(
            _text(title, "bold"), justify="right" if right else "left", no_wrap=not last
        )
    return grid


def _height(text: Text) -> int:
    return text.plain.count("\n") + 1


def _cut(text: str, columns: int, lines: int, style: str = "") -> Text:
    """A sentence in so many lines, cut between words."""
    wrapped = textwrap.wrap(
        numbers.printable(text),
        columns,
        max_lines=lines,
        placeholder=" …",
        break_on_hyphens=False,
    )
    return Text("\n".join(wrapped), style)


def _text(text: str, style: str = "") -> Text:
    return Text("\n".join(map(numbers.printable, text.split("\n"))), style)
