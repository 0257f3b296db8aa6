"""The result sections: budgets, figures side by side, ratios, parity, gain of distillation.

sections(report)[0].title   # 'Budgets'
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from .. import tasks
from ..records import TEACHER, PackageQuality, Report, VariantQuality, VerifyRecord
from . import (
    adaptation,
    budget_table,
    compression,
    confusion,
    distillation,
    energy,
    groups,
    lost,
    lost_words,
    memory,
    numbers,
    operators,
    rows,
    runtimes,
    search,
    shift_words,
    words,
)
from .numbers import BYTES, COUNT, MILLISECONDS, PERCENT, RATIO, Unit
from .rows import Row
from .sections import Cell, Section, Table, abreast, brief, figure, row, verdict

SIDE_BY_SIDE = "Teacher and variants"
VARIANTS = "Variants"
"""The title of the same section without a teacher."""
C = TypeVar("C", str, Cell)
Line = tuple[str, list[Cell]]
"""A row of figures: its name, and a cell a model."""


def sections(report: Report, pictures: Mapping[int, str] | str = {}) -> tuple[Section, ...]:
    """The result sections in reading order.

    Args:
        report: what to show.
        pictures: of changed samples, as ``lost.section`` takes them.
    """
    by_runtime = [section for section in [runtimes.section(report)] if section]
    several = rows.several_runtimes(report)
    return (
        budget_table.section(report),
        *(by_runtime if several else ()),  # an overview of what the other sections have in detail
        _side_by_side(report),
        *(() if several else by_runtime),
        *([adaptation.section(report.adaptation, report)] if report.adaptation else []),
        *([_ratios(report), lost.section(report, pictures)] if report.teachers else []),
        *filter(None, [confusion.section(report), groups.section(report.quality)]),
        *filter(None, [search.section(report)]),
        *([distillation.section(report)] if report.teachers else []),
        compression.section(report),
        operators.section(report),
        _quality(report),
    )


def _side_by_side(report: Report) -> Section:
    models = rows.models(report)
    measured = report.measured.benchmark
    figures = [model.figures for model in models]
    _, drawn = energy.line(figures, measured.ratios)
    more = Section(
        "More figures of each model",
        paragraphs=(
            *(f"Energy: {method}." for method in energy.methods(measured.models, drawn)),
            *([f"{memory.NOTE}."] if memory.lines(figures) else []),
        ),
        tables=(
            *abreast(_by_model("Time, memory and counts", models, _more_lines(models))),
            *_other_scores(report),
        ),
    )
    return Section(
        SIDE_BY_SIDE if report.teachers else VARIANTS,
        paragraphs=(
            f"{numbers.capital(report.quality.metric)} is over "
            f"{numbers.how_many(report.quality.test_samples, 'test sample')}, "
            "in the runtime that ships. The interval of a figure is printed below it.",
            *filter(None, [words.teacher_without_file(report), lost_words.left_out(report)]),
            *_no_ends(report, models),
        ),
        tables=abreast(_by_model(_caption(report), models, _main_lines(report, models))),
        more=(more,),
        open=not rows.several_runtimes(report),
    )


def _no_ends(report: Report, models: Sequence[Row]) -> Iterator[str]:
    """Why an interval of latency lacks an end, each reason once."""
    reasons = dict.fromkeys(
        estimate.missing
        for model in models
        for estimate in (
            model.p50_ms,
            rows.over_fp32(report, model.name),
            model.p90_ms,
            model.p99_ms,
        )
        if estimate.missing and estimate.value is not None
    )
    if reasons:
        yield f"Where an interval or an end of it is missing: {'; '.join(map(str, reasons))}."


def all_figures(report: Report) -> Table:
    """Every figure of every model in one table, however wide."""
    models = rows.models(report)
    lines = (*_main_lines(report, models), *_more_lines(models))
    return _by_model(_caption(report), models, lines)


def _caption(report: Report) -> str:
    if report.variants.teacher:
        return "The teacher and each variant of the student"
    return "Each variant of the student"


def _by_model(caption: str, models: Sequence[Row], lines: Iterable[Line]) -> Table:
    """A column a model, a row a figure."""
    return Table(
        caption,
        ("Figure", *(model.name for model in models)),
        tuple(row(name, *cells) for name, cells in lines),
    )


def _main_lines(report: Report, models: Sequence[Row]) -> Iterator[Line]:
    yield from _score_lines(report, models)
    yield from _latency_lines(report, models)
    peaks = [figure(model.memory_bytes, BYTES) for model in models]
    yield "Peak memory over the import baseline", peaks
    sizes = [model.variant.bytes for model in models]
    yield "File size", [Cell(numbers.amount(size, BYTES), value=size) for size in sizes]
    power, drawn = energy.line([m.figures for m in models], report.measured.benchmark.ratios)
    yield f"{numbers.capital(power)}, per query", [figure(*shown) for shown in drawn]


def _more_lines(models: Sequence[Row]) -> Iterator[Line]:
    for name, of in rows.EARLY_STOPPING.items():
        yield name, [figure(of(model), MILLISECONDS) for model in models]
    yield "Time to load", [figure(model.load_ms, MILLISECONDS) for model in models]
    yield "First inference", [figure(model.first_ms, MILLISECONDS) for model in models]
    for name, estimates in memory.lines([model.figures for model in models]):
        yield name, [figure(estimate, BYTES) for estimate in estimates]
    yield from _count_lines(models)


def _score_lines(report: Report, models: Sequence[Row]) -> Iterator[Line]:
    metric = report.quality.metric
    title, unit = numbers.capital(metric), numbers.score_unit(metric)
    yield "Verdict", [_judged(model) for model in models]
    yield f"{title} on test", [figure(model.score, unit) for model in models]
    if report.teachers:
        drops = [_drop(model, numbers.lost_unit(metric)) for model in models]
        yield f"{title} lost to the teacher", drops


def _latency_lines(report: Report, models: Sequence[Row]) -> Iterator[Line]:
    yield "Latency p50", [brief(model.p50_ms, MILLISECONDS) for model in models]
    yield "Latency p50 over fp32's", [brief(rows.over_fp32(report, m.name), RATIO) for m in models]
    yield "Latency p90", [brief(model.p90_ms, MILLISECONDS) for model in models]
    yield "Latency p99", [brief(model.p99_ms, MILLISECONDS) for model in models]
    yield from _predicted(report, [model.name for model in models])


def _count_lines(models: Sequence[Row]) -> Iterator[Line]:
    yield from _instructions(models)
    yield "Multiply-accumulates", [_counted(model, "macs") for model in models]
    stored = [_counted(model, "parameters") for model in models]
    yield "Numbers stored in the file (batch norm folded in)", stored


def _predicted(report: Report, names: Sequence[str]) -> tuple[Line, ...]:
    """The prediction for the target, where that is not the host."""
    if not report.measured.predicted:
        return ()
    what = f"p50 on {report.measured.predicted[0].target}, PREDICTED, roofline"
    return ((what, operators.predicted_cells(report, names)),)


def _other_scores(report: Report) -> tuple[Table, ...]:
    """The other metrics of the task; those of a single class are in report.json."""
    files = report.quality.files
    overall = {metric.name for metric in tasks.of(report.data.task).reported}
    overall -= {report.quality.metric}
    names = dict.fromkeys(name for file in files for name in file.metrics if name in overall)
    if not names:
        return ()
    return abreast(
        Table(
            "Other metrics on test",
            ("Score", *(file.name for file in files)),
            tuple(
                row(
                    _metric_title(report, name),
                    *(_score(file, name, report.quality) for file in files),
                )
                for name in names
            ),
        ),
    )


def _metric_title(report: Report, name: str) -> str:
    """A metric in label units is a mean over numbers, where there are several."""
    count, title = len(report.data.labels), numbers.capital(name)
    if tasks.metric_unit(name) != "label unit" or count < 2:
        return title
    apart = "" if report.quality.label_unit else ", each in its own units"
    return f"{title}, mean over {count:,} numbers{apart}"


def _score(model: VariantQuality, name: str, quality: VerifyRecord) -> Cell:
    if name not in model.metrics:
        return Cell("undefined here")
    return figure(model.metrics[name], numbers.figure_unit(name, quality.label_unit))


def _instructions(models: Sequence[Row]) -> list[Line]:
    """A line of instruction counts, where any model has one."""
    counts = [model.figures.instructions if model.figures else None for model in models]
    if not any(count and count.value is not None for count in counts):
        return []
    cells = [
        figure(count, COUNT) if count else Cell("not measured in this run") for count in counts
    ]
    return [("Instructions per query (not a time)", cells)]


def _judged(model: Row) -> Cell:
    if model.name == TEACHER:
        return Cell("reference")
    judged = verdict(model.outcome)
    barred = model.verdict is not None and model.verdict.cannot_ship
    return replace(judged, detail="cannot ship") if barred else judged


def _drop(model: Row, unit: Unit) -> Cell:
    return figure(model.drop, unit) if model.drop else Cell("reference")


def _counted(model: Row, what: str) -> Cell:
    value = getattr(model.figures, what) if model.figures else None
    counted_in = model.figures.counted_in if model.figures else None
    where = f"counted in {counted_in}" if counted_in and value is not None else None
    return Cell(numbers.count(value), where)


def _ratios(report: Report) -> Section:
    if report.variants.teacher is None:
        why = "Unknown: the teacher has no file to measure."
        return Section("Against the teacher", paragraphs=(why,))
    compared = [
        (variant.name, words.against_teacher(report, variant.name)) for variant in _variants(report)
    ]
    return Section(
        "Against the teacher",
        paragraphs=(
            "Each figure of a variant over the same figure of the teacher; latency by the median "
            "(p50). Variant and teacher ran in turn, so a disturbance hit both.",
        ),
        tables=(
            Table(
                "Each variant against the teacher",
                ("Variant", "Latency", "File size", "Peak memory", "Energy proxy"),
                tuple(
                    # Without a measured pair one reason stands for all four.
                    row(
                        name,
                        *(
                            Cell(comparison.short, comparison.detail)
                            for comparison in comparisons * (4 // len(comparisons))
                        ),
                    )
                    for name, comparisons in compared
                ),
            ),
        ),
    )


def _quality(report: Report) -> Section:
    task = tasks.of(report.data.task)
    all_models = report.quality.files
    formats = tuple(
        dict.fromkeys(package.format for model in all_models for package in model.packages)
    )
    return Section(
        "Quality and parity",
        paragraphs=(
            "Parity is the largest difference in outputs between PyTorch and the exported file on "
            "real samples. A file that was quantized afterwards is not checked for parity: its "
            "score is judged instead.",
        ),
        tables=(
            Table(
                "Parity with PyTorch",
                ("Model", "Batch", "Optimization", "Samples", "Difference", "Tolerance", "Parity"),
                tuple(
                    row(
                        model.name,
                        str(parity.batch),
                        parity.optimization,
                        f"{parity.samples:,}",
                        f"{parity.max_abs_difference:.2g}",
                        f"{parity.tolerance:.2g}",
                        "holds" if parity.holds else "lost",
                    )
                    for model in all_models
                    for parity in model.parity
                ),
            ),
            Table(
                "The same samples asked again: largest difference, as a share of an output's "
                "largest value",
                ("Model", "Made from", "Samples", "Again", "In another session", "One by one"),
                tuple(_asked_again(model) for model in all_models),
            ),
            Table(
                "Answers of each file",
                (
                    "Model",
                    *_if_taught(report, f"Same answer as the teacher ({task.same_answer})"),
                    f"{numbers.capital(report.quality.metric)} lost to fp32",
                    "Answers changed against fp32",
                    *(f".{name} against .onnx" for name in formats),
                    "ONNX checker",
                ),
                tuple(_answers(model, report, formats) for model in all_models),
            ),
        ),
    )


def _asked_again(model: VariantQuality) -> tuple[Cell, ...]:
    """Whether one file answers one input in one way."""
    found, made_from = model.steadiness, model.made_from or "its torch model"
    if found is None:
        return row(model.name, made_from, *["not recorded"] * 4)
    return row(
        model.name,
        made_from,
        f"{found.samples:,}",
        f"{found.again:.2g}",
        f"{found.session:.2g}",
        "not claimed" if found.alone is None else f"{found.alone:.2g}",
    )


def _package(package: PackageQuality | None) -> Cell:
    """One format against the ``.onnx`` file."""
    if package is None:
        return Cell("not exported")
    if package.agreement is None or package.max_abs_difference is None:
        return Cell("not run here", package.missing)
    same = numbers.amount(package.agreement, PERCENT)
    apart = f"outputs differ by {package.max_abs_difference:.2g} at most"
    return Cell(f"{same} same answers", apart)


def _answers(model: VariantQuality, report: Report, formats: Sequence[str]) -> tuple[Cell, ...]:
    by_format = {package.format: package for package in model.packages}
    others = [_package(by_format.get(name)) for name in formats]
    checker = model.checker or "passed"
    if model.name == TEACHER:
        return row(model.name, "reference", "not a variant", "not a variant", *others, checker)
    return row(
        model.name,
        *_if_taught(report, figure(model.agreement_with_teacher, PERCENT)),
        figure(model.drop_vs_fp32, numbers.lost_unit(report.quality.metric)),
        Cell(*shift_words.cell(model.shift_vs_fp32, model.answers_changed_vs_fp32, report)),
        *others,
        checker,
    )


def _if_taught(report: Report, cell: C) -> tuple[C, ...]:
    """A cell of a column that compares with the teacher; none without a teacher."""
    return (cell,) if report.teachers else ()


def _variants(report: Report) -> list[Row]:
    return [model for model in rows.models(report) if model.name != TEACHER]
