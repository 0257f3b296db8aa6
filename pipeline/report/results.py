"""What was found: budgets, figures side by side, ratios, parity and what distillation gave.

sections(report)[0].title   # 'Budgets'
"""

from ..records import TEACHER, Report, VariantQuality, VariantVerdict
from . import numbers, rows, words
from .numbers import BYTES, MICROJOULES, MILLISECONDS, PERCENT, POINTS
from .rows import Row
from .sections import Cell, Section, Table, figure, row, verdict


def sections(report: Report) -> tuple[Section, ...]:
    """The results, in the order a reader asks for them."""
    return (
        _budgets(report),
        _side_by_side(report),
        _ratios(report),
        _distillation(report),
        _quality(report),
    )


def _budgets(report: Report) -> Section:
    return Section(
        "Budgets",
        paragraphs=(
            "A budget is met when the whole interval lies inside it, missed when the whole "
            "interval lies outside; in between the answer is undecided.",
            f"Of the variants that are ready, the best in {report.verdict.prefer} ships; of those "
            "that their intervals cannot tell from it, the smallest file.",
        ),
        tables=tuple(_checks(each) for each in report.verdict.variants),
    )


def _checks(judged: VariantVerdict) -> Table:
    checks = tuple(
        row(
            words.budget_name(check),
            figure(check.figure, numbers.budget_unit(check.key)),
            numbers.budget(check.key, check.budget),
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
    lines: tuple[tuple[str, list[Cell]], ...] = (
        ("Verdict", [_judged(each) for each in models]),
        ("Accuracy on test", [figure(each.accuracy, PERCENT) for each in models]),
        ("Accuracy lost to the teacher", [_drop(each) for each in models]),
        ("Latency p50", [figure(each.p50_ms, MILLISECONDS) for each in models]),
        ("Latency p90", [figure(each.p90_ms, MILLISECONDS) for each in models]),
        ("Latency p99", [figure(each.p99_ms, MILLISECONDS) for each in models]),
        ("Time to load", [figure(each.load_ms, MILLISECONDS) for each in models]),
        ("First inference", [figure(each.first_ms, MILLISECONDS) for each in models]),
        ("Peak memory over the import baseline", [figure(m.memory_bytes, BYTES) for m in models]),
        ("File size", [Cell(numbers.amount(each.variant.bytes, BYTES)) for each in models]),
        ("Energy proxy per query", [figure(each.energy_uj, MICROJOULES) for each in models]),
        ("Multiply-accumulates", [_counted(each, "macs") for each in models]),
        (
            "Numbers stored in the file (batch norm folded in)",
            [_counted(each, "parameters") for each in models],
        ),
    )
    return Section(
        "Teacher and variants",
        paragraphs=(
            f"Accuracy is over {numbers.how_many(report.quality.test_samples, 'test sample')}, "
            "in the runtime that ships. Each interval stands with its figure.",
        ),
        tables=(
            Table(
                "The teacher and each variant of the student",
                ("Figure", *(each.name for each in models)),
                tuple(row(name, *cells) for name, cells in lines),
            ),
        ),
    )


def _judged(model: Row) -> Cell:
    if model.name == TEACHER:
        return Cell("reference")
    return verdict(model.outcome)


def _drop(model: Row) -> Cell:
    return figure(model.drop, POINTS) if model.drop else Cell("reference")


def _counted(model: Row, what: str) -> Cell:
    value = getattr(model.figures, what) if model.figures else None
    return Cell(numbers.count(value))


def _ratios(report: Report) -> Section:
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
                    row(name, *(Cell(one.short, one.detail) for one in each))
                    for name, each in compared
                ),
            ),
        ),
    )


def _distillation(report: Report) -> Section:
    gain = report.quality.gain
    return Section(
        "What distillation gave",
        paragraphs=(words.gain(gain),),
        tables=(
            Table(
                "The same student, seed and steps, with and without the teacher",
                ("Seed", "Accuracy with the teacher", "Accuracy without"),
                tuple(
                    row(str(seed), numbers.amount(a, PERCENT), numbers.amount(b, PERCENT))
                    for seed, a, b in zip(
                        gain.seeds, gain.distilled_accuracy, gain.plain_accuracy, strict=True
                    )
                ),
            ),
        ),
    )


def _quality(report: Report) -> Section:
    all_models = [report.quality.teacher, *report.quality.variants]
    return Section(
        "Quality and parity",
        paragraphs=(
            "Parity is the largest difference in logits between PyTorch and the exported file on "
            "real samples. A quantized file has none to keep: its accuracy is what is judged.",
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
                    "Accuracy lost to fp32",
                    "Answers changed against fp32",
                    ".ort against .onnx",
                    "ONNX checker",
                ),
                tuple(_answers(model, report.quality.test_samples) for model in all_models),
            ),
        ),
    )


def _answers(model: VariantQuality, samples: int) -> tuple[Cell, ...]:
    same = numbers.amount(model.ort_agreement, PERCENT)
    apart = f"logits differ by {model.ort_max_abs_difference:.2g} at most"
    ort = Cell(f"{same} same answers", apart)
    checker = model.checker or "no complaint"
    if model.name == TEACHER:
        return row(model.name, "reference", "not a variant", "not a variant", ort, checker)
    return row(
        model.name,
        figure(model.agreement_with_teacher, PERCENT),
        figure(model.drop_vs_fp32, POINTS),
        f"{model.answers_changed_vs_fp32:,} of {samples:,}",
        ort,
        checker,
    )


def _variants(report: Report) -> list[Row]:
    return [each for each in rows.models(report) if each.name != TEACHER]
