"""The verdict on a terminal: fits 80 columns, needs no colour, is plain text in a pipe.

    Console().print(table(report))

Models are columns and figures rows, with intervals below the figures. The reason why a figure is
unknown is printed once, below the table. In several runtimes variants are rows of a table of their
own, and only the teacher, fp32 and what ships are columns.
"""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.onboard.stats.estimate import Estimate
from ..judge.choice import FP32
from ..records import AT, TEACHER, Report
from . import (
    adaptation,
    budgeted,
    distillation,
    energy,
    first_screen,
    lost_words,
    numbers,
    operators,
    rows,
    runtimes,
    search,
    warnings,
    words,
)
from .numbers import BYTES, MILLISECONDS, Unit
from .rows import Row
from .terminal_screen import budgets

_STYLES = {"ready": "bold green", "not ready": "bold red", "undecided": "bold yellow"}
_MODELS_ABREAST = 4
"""Of 80 columns: 14 for the names of the figures, 15 a model."""
_COLUMNS = 80


def table(report: Report) -> RenderableType:
    """The verdict, the figures, the ratios, what distillation gave, and the warnings."""
    reasons, first = _Reasons(), first_screen.of(report)
    models = _in_detail(report)
    grids: list[RenderableType] = [
        _grid(report, models[start : start + _MODELS_ABREAST], budgeted.lines(report), reasons)
        for start in range(0, len(models), _MODELS_ABREAST)
    ]
    return Group(
        _text(words.headline(report), _STYLES[report.verdict.outcome]),
        _text(first.file),
        _text(report.verdict.why),
        *(_text(found) for found in [search.lead(report)] if found),
        *(_text(f"warning: {warning}", "yellow") for warning in warnings.first(report)),
        *budgets(report, _COLUMNS, most=len(first.budgets) + first.more_budgets)[0],
        *(_text(change) for change in first.changes),
        *_overview(report, reasons),
        *grids,
        *(_text(line, "dim") for line in reasons.lines()),
        *_ratios(report),
        *(_text(sentence) for sentence in words.first_against_fp32(report)),
        *(_text(predicted_line, "yellow") for predicted_line in operators.predicted_lines(report)),
        *(_text(sentence) for sentence in _lost(report)),
        _text(words.gain(report)),
        *([_text(adaptation.sentence(report.adaptation, report))] if report.adaptation else []),
        *(
            _text(said)
            for said in (
                distillation.by_unlabelled(report),
                distillation.harder_to_quantize(report),
            )
            if said
        ),
        *(_text(f"warning: {warning}", "yellow") for warning in warnings.of_measurement(report)),
    )


def _in_detail(report: Report) -> tuple[Row, ...]:
    """The models that are columns: of several runtimes what others are compared with, and ships."""
    models = rows.models(report)
    if not rows.several_runtimes(report):
        return models
    names = {TEACHER, FP32, report.verdict.nearest}
    return tuple(model for model in models if model.name in names)


def _overview(report: Report, reasons: "_Reasons") -> Iterator[RenderableType]:
    """A row a variant, where there are several runtimes; intervals are in the report."""
    fastest = runtimes.fastest(report)
    if fastest is None:
        return
    metric = report.quality.metric
    head = ("", "file", "p50", "p90", "memory", numbers.printable(metric), "verdict")
    lines = [_line(model, metric, reasons) for model in rows.variants(report)]
    width = sum(max(map(len, column)) + 1 for column in zip(head, *lines, strict=True)) - 1
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for title in head:
        grid.add_column(title, justify="right" if title else "left", overflow="fold")
    for name, *cells in lines:
        # A name is broken before its format where a line does not hold it.
        broken = Text(str(name).replace(AT, f"\n{AT}", 1)) if width > _COLUMNS else name
        grid.add_row(broken, *cells)
    yield grid
    barred = [model.verdict for model in rows.variants(report) if model.verdict]
    reasons_why = dict.fromkeys(one.cannot_ship for one in barred if one.cannot_ship)
    yield from (_text(f"* cannot ship: {why}") for why in reasons_why)
    yield _text(fastest)


def _line(model: Row, metric: str, reasons: "_Reasons") -> tuple[Text, ...]:
    """One variant in the table of several runtimes, its name first."""
    figures = (
        (model.p50_ms, MILLISECONDS),
        (model.p90_ms, MILLISECONDS),
        (model.memory_bytes, BYTES),
        (model.score, numbers.score_unit(metric)),
    )
    return (
        Text(numbers.printable(model.name)),
        Text(numbers.amount(model.variant.bytes, BYTES)),
        *(_value(estimate, unit, reasons) for estimate, unit in figures),
        _short_verdict(model),
    )


def _value(estimate: Estimate, unit: Unit, reasons: "_Reasons") -> Text:
    """A figure without its interval."""
    if estimate.value is None:
        return _figure(estimate, unit, reasons)
    return Text(numbers.printable(numbers.amount(estimate.value, unit)))


def _short_verdict(model: Row) -> Text:
    if model.ships:
        return Text("ships", _STYLES["ready"])
    text = _verdict(model)
    if model.verdict is not None and model.verdict.cannot_ship:
        text.append("*")
    return text


class _Reasons:
    """Why figures are unknown, each reason once, by letter."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def mark(self, reason: str) -> str:
        letter = chr(ord("a") + len(self._letters) % 26)
        return self._letters.setdefault(reason, letter)

    def lines(self) -> Iterator[str]:
        return (f"[{letter}] {reason}" for reason, letter in self._letters.items())


def _grid(
    report: Report, models: Sequence[Row], budgets: Sequence[budgeted.Line], reasons: _Reasons
) -> Table:
    metric, ratios = report.quality.metric, report.measured.benchmark.ratios
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("")
    for model in models:
        name = numbers.printable(model.name)
        grid.add_column(Text(f"{name} (ships)" if model.ships else name), overflow="fold")
    power, drawn = energy.line([model.figures for model in models], ratios)
    figures: tuple[tuple[str, list[Text]], ...] = (
        (metric, [_figure(m.score, numbers.score_unit(metric), reasons) for m in models]),
        *(
            [
                (
                    "lost to teacher",
                    [_compared(m.drop, numbers.lost_unit(metric), reasons) for m in models],
                )
            ]
            if report.teachers
            else []
        ),
        *_budgeted([line for line in budgets if line.of_answers], models, reasons),
        ("p50", [_figure(model.p50_ms, MILLISECONDS, reasons) for model in models]),
        ("p90", [_figure(model.p90_ms, MILLISECONDS, reasons) for model in models]),
        ("peak memory", [_figure(model.memory_bytes, BYTES, reasons) for model in models]),
        ("file size", [Text(numbers.amount(model.variant.bytes, BYTES)) for model in models]),
        (power, [_figure(estimate, unit, reasons) for estimate, unit in drawn]),
        *_budgeted([line for line in budgets if not line.of_answers], models, reasons),
        ("verdict", [_verdict(model) for model in models]),
    )
    for name, cells in figures:
        grid.add_row(Text(numbers.printable(name)), *cells)
    return grid


def _budgeted(
    lines: Sequence[budgeted.Line], models: Sequence[Row], reasons: _Reasons
) -> Iterator[tuple[str, list[Text]]]:
    for line in lines:
        cells = [_compared(line.figures[model.name], line.unit, reasons) for model in models]
        yield line.name, cells


def _figure(estimate: Estimate, unit: Unit, reasons: _Reasons) -> Text:
    if estimate.value is None:
        return Text(f"unknown [{reasons.mark(estimate.missing or 'no reason was recorded')}]")
    value, interval = numbers.without_reason(estimate, unit)
    text = Text(numbers.printable(value))
    if interval and (estimate.low is None or estimate.high is None):
        mark = reasons.mark(estimate.missing or "no reason was recorded")
        text.append(f"\n{interval} [{mark}]", "dim")
    elif interval:
        text.append(f"\n{interval}", "dim")
    return text


def _compared(figure: Estimate | None, unit: Unit, reasons: _Reasons) -> Text:
    """A figure that the teacher may not have, being what is compared with."""
    return _figure(figure, unit, reasons) if figure else Text("reference")


def _verdict(model: Row) -> Text:
    if model.name == TEACHER:
        return Text("reference")
    if model.outcome is None:
        return Text("not judged")
    return Text(words.WORDS[model.outcome], _STYLES[model.outcome])


def _lost(report: Report) -> Iterator[str]:
    sentences = (
        words.teacher_without_file(report) if report.teachers else None,
        lost_words.left_out(report),
        lost_words.changed(report),
        lost_words.worst_class(report),
    )
    return (sentence for sentence in sentences if sentence)


def _ratios(report: Report) -> Iterator[Text]:
    model = rows.subject(report)
    if model and report.variants.teacher:
        ratios = ", ".join(
            str(comparison) for comparison in words.against_teacher(report, model.name)
        )
        yield _text(f"{model.name} against the teacher: {ratios}")


def _text(text: str, style: str = "") -> Text:
    return Text(numbers.printable(text), style)
