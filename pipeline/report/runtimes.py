"""The same variants in several runtimes, side by side; nothing where there is one runtime only.

sections = section(report)          # None for a build of ONNX files alone
fastest(report)                     # 'Fastest correct variant: int8-static in LiteRT, 0.31× the …'
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ...devices.bench import ratio_text
from ...devices.onboard.stats.estimate import Estimate
from ..judge.choice import FP32
from ..judge.fastest import fastest as fastest_of
from ..records import Report, Variant
from . import numbers, rows, runtime_sizes, words
from .numbers import BYTES, MILLISECONDS, RATIO, Unit
from .rows import Row
from .sections import Cell, Section, Table, row, verdict

TITLE = "Runtimes"
_NAMED = 3


def fastest(report: Report) -> str | None:
    """The fastest correct variant in a sentence; None where there is one runtime only."""
    if not rows.several_runtimes(report):
        return None
    found = fastest_of(report.quality, report.measured, report.verdict)
    if found is None:
        return "No variant is shown to be correct, so none is named the fastest."
    variants = {variant.name: variant for variant in report.variants.variants}
    sentence = f"Fastest correct variant: {in_runtime(variants[found.name])}"
    if found.name != FP32:
        over = f"fp32 in {title_of(variants[FP32])}"
        sentence += f", {ratio_text.stated(found.time_over_fp32, 'latency', over)}"
    if not report.measured.on_target:
        sentence += f", on {report.measured.measured_on}, which is not the target"
    if found.equals:
        shown = ", ".join(found.equals[:_NAMED])
        more = len(found.equals) - _NAMED
        others = f"{shown} and {more} more" if more > 0 else shown
        sentence += f"; not shown to be faster than {others}"
    return f"{sentence}.{_shipping(report, found.name)}"


def _shipping(report: Report, name: str) -> str:
    """What keeps the fastest from shipping, where it is known."""
    judged = next(one for one in report.verdict.variants if one.name == name)
    if name == report.verdict.ship:
        return " It ships."
    if judged.cannot_ship:
        return f" It cannot ship: {judged.cannot_ship}."
    if judged.outcome != "ready":
        return f" It is {words.WORDS[judged.outcome]}."
    return ""


def title_of(variant: Variant) -> str:
    """The runtime of the file that is measured, as reports name it."""
    return variant.packages[0].title


def in_runtime(variant: Variant) -> str:
    """A variant with its runtime: ``int8-static in LiteRT``."""
    return f"{variant.method} in {title_of(variant)}"


def section(report: Report) -> Section | None:
    """The variants by runtime, what formats do not carry, and what runtimes weigh."""
    several = rows.several_runtimes(report)
    if not several and not report.variants.not_carried:
        return None
    tables = [_table(report)] if several else []
    if report.variants.not_carried:
        tables.append(_not_carried(report))
    if several:
        tables += runtime_sizes.tables(report)
    return Section(
        TITLE,
        paragraphs=(*filter(None, [fastest(report)]), *(_no_intervals(report) if several else ())),
        tables=tuple(tables),
        open=several,
    )


def as_json(report: Report) -> dict[str, Any] | None:
    """The same table for a program; None where there is one runtime only.

    Figures are those of the report's records, with their intervals.
    """
    if not rows.several_runtimes(report):
        return None
    found = fastest_of(report.quality, report.measured, report.verdict)
    return {
        "variants": [
            {
                "variant": model.variant.method,
                "runtime": title_of(model.variant),
                "format": model.variant.format,
                "name": model.name,
                "file_bytes": model.variant.bytes,
                "p50_ms": asdict(model.p50_ms),
                "p50_over_fp32": asdict(rows.over_fp32(report, model.name)),
                "p90_ms": asdict(model.p90_ms),
                "peak_memory_bytes": asdict(model.memory_bytes),
                "score": asdict(model.score),
                "verdict": model.outcome,
                "cannot_ship": model.verdict.cannot_ship if model.verdict else None,
                "library_bytes": model.figures.library_bytes if model.figures else None,
            }
            for model in rows.variants(report)
        ],
        "fastest": found.name if found else None,
        "fastest_sentence": fastest(report),
        "not_carried": [one.model_dump(mode="json") for one in report.variants.not_carried],
    }


def _table(report: Report) -> Table:
    metric = report.quality.metric
    return Table(
        "Each variant in each runtime",
        (
            "Variant",
            "Runtime",
            "File size",
            "p50",
            "p50 over fp32 in ONNX Runtime",
            "p90",
            "Peak memory",
            numbers.capital(metric),
            "Verdict",
        ),
        tuple(
            row(
                model.variant.method,
                Cell(title_of(model.variant), model.figures.runtime if model.figures else None),
                numbers.amount(model.variant.bytes, BYTES),
                *(_figure(estimate, unit) for estimate, unit in _figures(report, model)),
                _verdict(model),
            )
            for model in sorted(rows.variants(report), key=lambda one: _place(report, one.variant))
        ),
    )


def _figures(report: Report, model: Row) -> tuple[tuple[Estimate, Unit], ...]:
    """What the table shows of a variant with an interval."""
    return (
        (model.p50_ms, MILLISECONDS),
        (rows.over_fp32(report, model.name), RATIO),
        (model.p90_ms, MILLISECONDS),
        (model.memory_bytes, BYTES),
        (model.score, numbers.score_unit(report.quality.metric)),
    )


def _figure(estimate: Estimate, unit: Unit) -> Cell:
    """A figure with its interval; why there is none stands above the table."""
    return Cell(*numbers.without_reason(estimate, unit))


def _no_intervals(report: Report) -> Iterator[str]:
    """Why figures of the table lack an interval, each reason once."""
    estimates = [e for one in rows.variants(report) for e, _ in _figures(report, one)]
    reasons = dict.fromkeys(one.missing for one in estimates if one.value is not None)
    reasons.pop(None, None)
    if reasons:
        yield f"Where an interval or an end of it is missing: {'; '.join(map(str, reasons))}."


def _place(report: Report, variant: Variant) -> tuple[int, int]:
    """By method, each in the order of formats."""
    methods = list(dict.fromkeys(one.method for one in report.variants.variants))
    formats = list(dict.fromkeys(one.format for one in report.variants.variants))
    return methods.index(variant.method), formats.index(variant.format)


def _verdict(model: Row) -> Cell:
    judged = verdict(model.outcome)
    detail = "ships" if model.ships else None
    if model.verdict is not None and model.verdict.cannot_ship:
        detail = "cannot ship"
    return Cell(judged.text, detail, judged.outcome)


def _not_carried(report: Report) -> Table:
    return Table(
        "Variants that a format does not have",
        ("Variant", "Format", "Why"),
        tuple(row(one.variant, one.format, one.reason) for one in report.variants.not_carried),
    )
