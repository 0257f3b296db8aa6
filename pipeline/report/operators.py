"""Time by operator, of fp32 and of the variant that ships, and predictions for the target.

section(report).title       # 'Operators'
predicted_lines(report)     # ('int8-static, PREDICTED on raspberry-pi-4: p50 …',)
"""

from collections.abc import Iterator, Sequence

from ..judge.operator_types import Kind, by_type, slowest
from ..records import OperatorsRecord, OperatorTime, Report
from . import numbers
from .numbers import MILLISECONDS
from .sections import Cell, Section, Table, figure, row

TITLE = "Operators"
FP32 = "fp32"
_NOT_PREDICTED = Cell("not predicted")
_SHOWN = 12
"""Slowest operators in a table; all stand in the record."""
_FIGURES = (
    "Time, µs",
    "Share",
    "MACs",
    "Parameters",
    "Bytes",
    "Op/byte",
    "Gop/s",
    "Of the roofline",
)


def shown(report: Report) -> tuple[OperatorsRecord, ...]:
    """The records of fp32 and of the variant that ships or is nearest to it."""
    wanted = (FP32, report.verdict.nearest)
    return tuple(operator for operator in report.measured.operators if operator.name in wanted)


def section(report: Report) -> Section:
    """The section; it says so where operators were not timed."""
    records = shown(report)
    if not records:
        return Section(TITLE, paragraphs=("Operators were not timed in this run.",))
    return Section(
        TITLE,
        paragraphs=(
            "The time of each operator of the optimized graph, by onnxruntime's profiling, minus "
            "the cost of profiling a call. Work fused into an operator counts as its own. A "
            "multiply-accumulate (MAC) counts as two operations. Bytes are those of an operator's "
            "inputs, outputs and weights.",
            *dict.fromkeys(_roof(record) for record in records),
            *(_how(record) for record in records),
            *(_unplaced(record) for record in records if record.unplaced_macs),
            *predicted_how(report),
        ),
        tables=tuple(table for record in records for table in tables(record)),
    )


def predicted_lines(report: Report) -> tuple[str, ...]:
    """A sentence a file, each marked PREDICTED; empty where the target was measured on."""
    return tuple(
        f"{prediction.name}, predicted on {prediction.target}: p50 "
        f"{numbers.show(prediction.p50_ms, MILLISECONDS)}, "
        "PREDICTED by roofline, not measured there."
        for prediction in report.measured.predicted
    )


def predicted_cells(report: Report, names: Sequence[str]) -> list[Cell]:
    """The predicted median of each of these files."""
    predicted = {prediction.name: prediction for prediction in report.measured.predicted}
    return [
        figure(predicted[name].p50_ms, MILLISECONDS) if name in predicted else _NOT_PREDICTED
        for name in names
    ]


def predicted_how(report: Report) -> Iterator[str]:
    """How predictions were made, once each."""
    yield from dict.fromkeys(
        f"{prediction.name} on {prediction.device}, "
        f"{numbers.how_many(prediction.threads, 'thread')}: {prediction.p50_ms.method}."
        for prediction in report.measured.predicted
        if prediction.p50_ms.value is not None
    )


def _roof(record: OperatorsRecord) -> str:
    if record.roof is None:
        return f"No roofline: {record.roof_missing}."
    roof = record.roof
    int8 = "unknown" if roof.gop_s is None else f"{roof.gop_s:.3g}"
    return (
        f"The roof is the lesser of peak and intensity times bandwidth. Of {roof.device}, "
        f"{numbers.how_many(roof.cores, 'core')}: {roof.gflop_s:.3g} GFLOP/s in fp32, {int8} Gop/s "
        f"in int8, {roof.gb_s:.3g} GB/s of main memory, as attained here. Above 100 % of it the "
        "data came out of a cache, or other programs disturbed the peak's measurement."
    )


def _how(record: OperatorsRecord) -> str:
    return (
        f"{record.name}: {record.runs} queries, {numbers.how_many(record.threads, 'thread')}, "
        f"{record.runtime}. The times add up to {record.query_us:.1f} µs, the 10th percentile "
        f"without profiling (median {record.p50_us:.1f} µs without, {record.profiled_us:.1f} µs "
        "with it)."
    )


def _unplaced(record: OperatorsRecord) -> str:
    return (
        f"{record.name}: {record.unplaced_macs:,} multiply-accumulates of the file were not found "
        "in the optimized graph and are missing here."
    )


def tables(record: OperatorsRecord) -> tuple[Table, Table]:
    """Time by type, and the slowest operators, of one file."""
    kinds = by_type(record.operators)
    return (
        Table(
            f"{record.name}: time by type of operator",
            ("Type", "How many", *_FIGURES),
            tuple(row(kind.op, f"{kind.count:,}", *_cells(kind)) for kind in kinds),
        ),
        Table(
            f"{record.name}: the slowest operators",
            ("Module or node", "Runs as", *_FIGURES),
            tuple(
                row(operator.name, Cell(operator.op, _with(operator)), *_cells(operator))
                for operator in slowest(record.operators, _SHOWN)
            ),
        ),
    )


def _with(operator: OperatorTime) -> str | None:
    """What was fused into it, if anything of another name."""
    more = [op for op in operator.fused if op != operator.op]
    return f"of {', '.join(more)}" if more else None


def _cells(line: OperatorTime | Kind) -> tuple[str, ...]:
    return (
        f"{line.us:.1f}",
        f"{line.share:.1%}",
        numbers.count(line.macs),
        f"{line.parameters:,}",
        numbers.count(line.bytes, "the runtime did not say"),
        _or_dash(line.intensity, ".3g"),
        _or_dash(line.gop_s, ".3g"),
        _or_dash(line.attained, ".0%"),
    )


def _or_dash(value: float | None, form: str) -> str:
    return "—" if value is None else format(value, form)
