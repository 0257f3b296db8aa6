"""What was found: budgets, figures side by side, ratios, parity and what distillation gave.

sections(report)[0].title   # 'Budgets'
"""

from collections.abc import Mapping, Sequence

from .. import tasks
from ..judge.gate import preferred
from ..records import TEACHER, Report, VariantQuality, VariantVerdict, VerifyRecord
from . import compression, energy, lost, memory, numbers, operators, rows, words
from .numbers import BYTES, COUNT, MILLISECONDS, PERCENT, Unit
from .rows import Row
from .sections import Cell, Section, Table, figure, row, verdict


def sections(report: Report, pictures: Mapping[int, str] | str = {}) -> tuple[Section, ...]:
    """The results, in the order a reader asks for them.

    Args:
        report: what to show.
        pictures: of changed samples, as ``lost.section`` takes them.
    """
    return (
        _budgets(report),
        _side_by_side(report),
        _ratios(report),
        lost.section(report, pictures),
        _distillation(report),
        compression.section(report),
        operators.section(report),
        _quality(report),
    )


def _budgets(report: Report) -> Section:
    best_in = preferred(report.verdict.prefer, report.quality.metric)
    return Section(
        "Budgets",
        paragraphs=(
            "A budget is met when the whole interval lies inside it, missed when the whole "
            "interval lies outside; in between the answer is undecided.",
            f"Of the variants that are ready, the best in {best_in} ships; of those "
            "that their intervals cannot tell from it, the smallest file.",
        ),
        tables=tuple(_checks(each, report.quality.metric) for each in report.verdict.variants),
    )


def _checks(judged: VariantVerdict, metric: str) -> Table:
    checks = tuple(
        row(
            words.budget_name(check, metric),
            figure(check.figure, numbers.budget_unit(check.key, metric)),
            numbers.budget(check.key, check.budget, metric),
            verdict(check.outcome),
            check.why,
        )
        for check in judged.checks
    )
    faults = tuple(
        row("sound whatever the budgets", "a fault", "none", verdict("not ready"), fault)
        for fault in judged.faults
    )
    return Table(
        f"{judged.name}: {words.WORDS[judged.outcome]}",
        ("What", "Found", "Budget", "Outcome", "Why"),
        checks + faults,
    )


def _side_by_side(report: Report) -> Section:
    models = rows.models(report)
    measured = report.measured.benchmark
    metric = report.quality.metric
    title, unit, lost_unit = (
        numbers.capital(metric),
        numbers.score_unit(metric),
        numbers.lost_unit(metric),
    )
    power, drawn = energy.line([each.figures for each in models], measured.ratios)
    lines: tuple[tuple[str, list[Cell]], ...] = (
        ("Verdict", [_judged(each) for each in models]),
        (f"{title} on test", [figure(each.score, unit) for each in models]),
        (f"{title} lost to the teacher", [_drop(each, lost_unit) for each in models]),
        ("Latency p50", [figure(each.p50_ms, MILLISECONDS) for each in models]),
        ("Latency p90", [figure(each.p90_ms, MILLISECONDS) for each in models]),
        ("Latency p99", [figure(each.p99_ms, MILLISECONDS) for each in models]),
        *_predicted(report, [each.name for each in models]),
        ("Time to load", [figure(each.load_ms, MILLISECONDS) for each in models]),
        ("First inference", [figure(each.first_ms, MILLISECONDS) for each in models]),
        ("Peak memory over the import baseline", [figure(m.memory_bytes, BYTES) for m in models]),
        *(
            (name, [figure(each, BYTES) for each in estimates])
            for name, estimates in memory.lines([each.figures for each in models])
        ),
        ("File size", [Cell(numbers.amount(each.variant.bytes, BYTES)) for each in models]),
        (f"{numbers.capital(power)}, per query", [figure(*shown) for shown in drawn]),
        *_instructions(models),
        ("Multiply-accumulates", [_counted(each, "macs") for each in models]),
        (
            "Numbers stored in the file (batch norm folded in)",
            [_counted(each, "parameters") for each in models],
        ),
    )
    return Section(
        "Teacher and variants",
        paragraphs=(
            f"{title} is over {numbers.how_many(report.quality.test_samples, 'test sample')}, "
            "in the runtime that ships. Each interval stands with its figure.",
            *filter(None, [words.teacher_without_file(report)]),
            *(f"Energy: {each}." for each in energy.methods(measured.models, drawn)),
            *([f"{memory.NOTE}."] if any(each.footprint for each in measured.models) else []),
        ),
        tables=(
            Table(
                "The teacher and each variant of the student"
                if report.variants.teacher
                else "Each variant of the student",
                ("Figure", *(each.name for each in models)),
                tuple(row(name, *cells) for name, cells in lines),
            ),
            *_other_scores(report),
        ),
    )


def _predicted(report: Report, names: Sequence[str]) -> tuple[tuple[str, list[Cell]], ...]:
    """Where the target is not the host, what was predicted there."""
    if not report.measured.predicted:
        return ()
    what = f"p50 on {report.measured.predicted[0].target}, PREDICTED, roofline"
    return ((what, operators.predicted_cells(report, names)),)


def _other_scores(report: Report) -> tuple[Table, ...]:
    """What else the task is scored by; what belongs to one class or number stands in the record."""
    files = report.quality.files
    overall = {metric.name for metric in tasks.of(report.data.task).reported}
    overall -= {report.quality.metric}
    names = dict.fromkeys(name for file in files for name in file.metrics if name in overall)
    if not names:
        return ()
    return (
        Table(
            "Other scores on test, without intervals",
            ("Score", *(each.name for each in files)),
            tuple(
                row(numbers.capital(name), *(_score(each, name) for each in files))
                for name in names
            ),
        ),
    )


def _score(model: VariantQuality, name: str) -> str:
    if name not in model.metrics:
        return "undefined here"
    return numbers.amount(model.metrics[name], numbers.score_unit(name))


def _instructions(models: Sequence[Row]) -> list[tuple[str, list[Cell]]]:
    """A line where any model has a count, which takes a tool that not every machine has."""
    counts = [each.figures.instructions if each.figures else None for each in models]
    if not any(one and one.value is not None for one in counts):
        return []
    cells = [figure(one, COUNT) if one else Cell("not measured in this run") for one in counts]
    return [("Instructions per query (a count, not a time)", cells)]


def _judged(model: Row) -> Cell:
    if model.name == TEACHER:
        return Cell("reference")
    return verdict(model.outcome)


def _drop(model: Row, unit: Unit) -> Cell:
    return figure(model.drop, unit) if model.drop else Cell("reference")


def _counted(model: Row, what: str) -> Cell:
    value = getattr(model.figures, what) if model.figures else None
    return Cell(numbers.count(value))


def _ratios(report: Report) -> Section:
    if report.variants.teacher is None:
        why = "Unknown: the teacher has no file to measure beside the variants."
        return Section("Against the teacher", paragraphs=(why,))
    compared = [(each.name, words.against_teacher(report, each.name)) for each in _variants(report)]
    return Section(
        "Against the teacher",
        paragraphs=(
            "Latency by the median (p50). Variant and teacher ran in turn, so what disturbed one "
            "disturbed the other.",
        ),
        tables=(
            Table(
                "Each variant against the teacher",
                ("Variant", "Speed", "File size", "Peak memory", "Energy proxy"),
                tuple(
                    # Without a measured pair one reason stands for all four.
                    row(name, *(Cell(one.short, one.detail) for one in each * (4 // len(each))))
                    for name, each in compared
                ),
            ),
        ),
    )


def _distillation(report: Report) -> Section:
    gain, metric = report.quality.gain, report.quality.metric
    if gain is None:
        return Section("What distillation gave", paragraphs=(words.gain(report),))
    unit = numbers.score_unit(metric)
    return Section(
        "What distillation gave",
        paragraphs=(words.gain(report),),
        tables=(
            Table(
                "The same student, seed and steps, with and without the teacher",
                (
                    "Seed",
                    f"{numbers.capital(metric)} with the teacher",
                    f"{numbers.capital(metric)} without",
                ),
                tuple(
                    row(str(seed), numbers.amount(a, unit), numbers.amount(b, unit))
                    for seed, a, b in zip(
                        gain.seeds, gain.distilled_score, gain.plain_score, strict=True
                    )
                ),
            ),
        ),
    )


def _quality(report: Report) -> Section:
    all_models = report.quality.files
    return Section(
        "Quality and parity",
        paragraphs=(
            "Parity is the largest difference in logits between PyTorch and the exported file on "
            "real samples. A quantized file has none to keep: its score is what is judged.",
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
                "Answers of each file",
                (
                    "Model",
                    "Same answer as the teacher",
                    f"{numbers.capital(report.quality.metric)} lost to fp32",
                    "Answers changed against fp32",
                    ".ort against .onnx",
                    "ONNX checker",
                ),
                tuple(_answers(model, report.quality) for model in all_models),
            ),
        ),
    )


def _answers(model: VariantQuality, quality: VerifyRecord) -> tuple[Cell, ...]:
    same = numbers.amount(model.ort_agreement, PERCENT)
    apart = f"logits differ by {model.ort_max_abs_difference:.2g} at most"
    ort = Cell(f"{same} same answers", apart)
    checker = model.checker or "no complaint"
    if model.name == TEACHER:
        return row(model.name, "reference", "not a variant", "not a variant", ort, checker)
    return row(
        model.name,
        figure(model.agreement_with_teacher, PERCENT),
        figure(model.drop_vs_fp32, numbers.lost_unit(quality.metric)),
        f"{model.answers_changed_vs_fp32:,} of {quality.test_samples:,}",
        ort,
        checker,
    )


def _variants(report: Report) -> list[Row]:
    return [each for each in rows.models(report) if each.name != TEACHER]
