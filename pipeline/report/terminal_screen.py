"""The verdict on one screen of a terminal: what decided it, each model in a row, what is beyond.

    Console().print(screen(report, columns=80, lines=22))

Budgets stand with figure, interval and verdict. What else there is to know is counted in one line;
``terminal.table`` prints it.
"""

import textwrap
from collections.abc import Sequence

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
    tables, used = budgets(report, columns)
    for most in (2, 1, 0):
        head, foot = _head(report, columns, most), _foot(report, columns, most, rest)
        room = lines - used - sum(_height(text) for text in (*head, *foot))
        models, taken = _models(report, columns, room)
        if taken <= room:
            break
    # What a screen has left sets the tables apart.
    apart = [Text("")] if room - taken >= 2 else []
    return Group(*head, *apart, *tables, *apart, *models, *foot)


def _head(report: Report, columns: int, most: int) -> list[Text]:
    """What is read first, each sentence in at most so many lines; 0: what can be missed is not."""
    first = first_screen.of(report)
    outcome = report.verdict.outcome
    elsewhere = [] if report.measured.on_target else [first.machine]
    ships = report.verdict.ship is not None
    return [
        _cut(f"{words.WORDS[outcome]}: {first.lead}", columns, 2, STYLES[outcome]),
        _cut(first.file, columns, most or 1),
        *(_cut(where, columns, 1, "yellow") for where in elsewhere),
        *(_cut(why, columns, most, "dim") for why in [first.why] if most > 1 - ships),
        *(_cut(found, columns, most or 1, "dim") for found in [first.search] if found),
        *(
            _cut(f"warning: {warning}", columns, most or 1, "yellow")
            for warning in warnings.first(report)[:_MOST_WARNINGS]
        ),
    ]


def _foot(report: Report, columns: int, most: int, rest: str) -> list[Text]:
    """What follows the tables; of 0 lines a sentence without what can be missed."""
    told = [adaptation.brief(report.adaptation)] if report.adaptation else []
    if most and (gained := words.gain_briefly(report)) is not None:
        told.append(gained)
    # What to do next is never cut short for the sake of what there is.
    changes = [_cut(one, columns, 2) for one in first_screen.of(report).changes[:1]]
    details = _cut(_details(report, rest), columns, most or 1, "dim")
    return [*(_cut(one, columns, most or 1) for one in told), *changes, details]


def budgets(
    report: Report, columns: int, most: int = _MOST_BUDGETS
) -> tuple[list[RenderableType], int]:
    """A row a budget of the model that the verdict is about, and how many lines that takes."""
    checks = first_screen.checks_of(report)
    if not checks:
        return [], 0
    shown = checks if len(checks) <= most else checks[: most - 1]
    cells = [_budget(check, report) for check in shown]
    heads = ("", "figure", "interval", "")
    room = _left(columns, heads, cells)
    title = _text(f"budgets of {report.verdict.nearest}")
    width = max(_LEAST_NAME, room)
    for name in (title, *(name for name, *_ in cells)):
        name.truncate(width, overflow="ellipsis")
    grid = _table(title.plain, *heads)
    for name, *others in cells:
        grid.add_row(name, *others)
    if more := len(checks) - len(shown):
        grid.add_row(_text(f"… and {numbers.how_many(more, 'budget')} more"))
    return [grid], len(shown) + bool(more) + 2


def _left(columns: int, heads: Sequence[str], cells: Sequence[Sequence[Text]]) -> int:
    """The columns that all but the names leave to them."""
    others = zip(heads, *(rest for _, *rest in cells), strict=True)
    return columns - sum(max(map(len, column)) + _APART for column in others)


def _budget(check: Check, report: Report) -> tuple[Text, ...]:
    quality = report.quality
    budget = of_record(check.key, quality)
    name = (budget.short or budget.title).replace("{metric} lost", "lost")
    name = name.replace("{metric}", quality.metric).replace(" ({same})", "")
    value, interval = numbers.without_reason(check.figure, numbers.budget_unit(check.key, quality))
    if check.figure.value is None:
        value = "unknown"
    elif check.figure.kind not in ("measured", "exact"):
        name = f"{check.figure.kind} {name}"
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
    measured = report.measured
    title = "models" if measured.on_target else f"on {measured.measured_on}"
    head = (title, metric, "p50", "p90", "memory", "file", "")
    cells = [_model(model, metric) for model in models]
    width = sum(
        max(len(part) for part in column) + 1
        for column in zip(head, *((name, *map(str, rest)) for name, *rest in cells), strict=True)
    )
    grid = _table(*head, figures=True)
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


def _table(*head: str, figures: bool = False) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(_text(head[0], "bold"), no_wrap=True, overflow="ellipsis")
    for number, title in enumerate(head[1:], 1):
        last = number == len(head) - 1
        right = figures and not last
        grid.add_column(_text(title, "bold"), justify="right" if right else "left", no_wrap=True)
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
