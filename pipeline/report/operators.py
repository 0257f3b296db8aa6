"""Where the time goes: the operators of fp32 and of what ships, and what was predicted elsewhere.

section(report).title       # 'Operators'
predicted_lines(report)     # ('int8-static, PREDICTED on raspberry-pi-4: p50 …',)
"""

from collections.abc import Iterator, Sequence

from ..judge.operator_types import Kind, by_type, slowest
from ..records import OperatorsRecord, OperatorTime, Report
from . import numbers
from .numbers import MILLISECONDS
from .sections import Cell, Section, Table, figure, row

FP32 = "fp32"
_SHOWN = 12
"""Slowest operators in a table; all stand in the record."""
_FIGURES = ("Time, µs", "Share", "MACs", "Parameters", "Bytes", "Op/byte", "Gop/s", "Of the roof")


def shown(report: Report) -> tuple[OperatorsRecord, ...]:
    """The records of fp32 and of the variant that ships or is nearest to it."""
    wanted = (FP32, report.verdict.nearest)
    return tuple(one for one in report.measured.operators if one.name in wanted)


def section(report: Report) -> Section:
    """The section, which says so where nothing was timed."""
    found = shown(report)
    if not found:
        return Section("Operators", paragraphs=("Operators were not timed in this run.",))
    return Section(
        "Operators",
        paragraphs=(
            "The time of each operator of the graph that runs, by onnxruntime's profiling, less "
            "what profiling costs a call. What was fused into an operator counts as its own. Of a "
            "multiply-accumulate (MAC) two operations are counted. Bytes are those of the tensors "
            "that an operator is handed and hands on, weights among them.",
            *dict.fromkeys(_roof(one) for one in found),
            *(_how(one) for one in found),
            *(_unplaced(one) for one in found if one.unplaced_macs),
            *predicted_how(report),
        ),
        tables=tuple(table for one in found for table in _tables(one)),
    )


def predicted_lines(report: Report) -> tuple[str, ...]:
    """A sentence a file, each of which says that it is PREDICTED; empty where the host is meant."""
    return tuple(
        f"{one.name}, predicted on {one.target}: p50 {numbers.show(one.p50_ms, MILLISECONDS)}, "
        "PREDICTED, roofline; never measured there."
        for one in report.measured.predicted
    )


def predicted_cells(report: Report, names: Sequence[str]) -> list[Cell]:
    """The predicted median of each of these files."""
    known = {one.name: one for one in report.measured.predicted}
    return [
        figure(known[name].p50_ms, MILLISECONDS) if name in known else Cell("not predicted")
        for name in names
    ]


def predicted_how(report: Report) -> Iterator[str]:
    """How predictions were made, once each."""
    yield from dict.fromkeys(
        f"{one.name} on {one.device}, {numbers.how_many(one.threads, 'thread')}: "
        f"{one.p50_ms.method}."
        for one in report.measured.predicted
        if one.p50_ms.value is not None
    )


def _roof(one: OperatorsRecord) -> str:
    if one.roof is None:
        return f"No roofline: {one.roof_missing}."
    roof = one.roof
    int8 = "unknown" if roof.gop_s is None else f"{roof.gop_s:.3g}"
    return (
        f"The roof is the lesser of peak and intensity times bandwidth. Of {roof.device}, "
        f"{numbers.how_many(roof.cores, 'core')}: {roof.gflop_s:.3g} GFLOP/s in fp32, {int8} Gop/s "
        f"in int8, {roof.gb_s:.3g} GB/s of main memory, as attained here. Above 100 % of it the "
        "data came out of a cache, or other programs disturbed the peak's measurement."
    )


def _how(one: OperatorsRecord) -> str:
    return (
        f"{one.name}: {one.runs} queries, {numbers.how_many(one.threads, 'thread')}; the operators "
        f"add up to {one.query_us:.1f} µs, the 10th percentile without profiling (median "
        f"{one.p50_us:.1f} without, {one.profiled_us:.1f} with it); {one.runtime}."
    )


def _unplaced(one: OperatorsRecord) -> str:
    return (
        f"{one.name}: {one.unplaced_macs:,} multiply-accumulates of the file could not be found "
        "again in the graph that runs, and are missing here."
    )


def _tables(one: OperatorsRecord) -> tuple[Table, Table]:
    kinds = by_type(one.operators)
    return (
        Table(
            f"{one.name}: time by type of operator",
            ("Type", "How many", *_FIGURES),
            tuple(row(kind.op, f"{kind.count:,}", *_cells(kind)) for kind in kinds),
        ),
        Table(
            f"{one.name}: the slowest operators",
            ("Module or node", "Runs as", *_FIGURES),
            tuple(
                row(each.name, Cell(each.op, _with(each)), *_cells(each))
                for each in slowest(one.operators, _SHOWN)
            ),
        ),
    )


def _with(one: OperatorTime) -> str | None:
    """What was fused into it, if anything of another name."""
    more = [op for op in one.fused if op != one.op]
    return f"of {', '.join(more)}" if more else None


def _cells(one: OperatorTime | Kind) -> tuple[str, ...]:
    return (
        f"{one.us:.1f}",
        f"{one.share:.1%}",
        numbers.count(one.macs),
        f"{one.parameters:,}",
        numbers.count(one.bytes, "the runtime did not say"),
        _or_dash(one.intensity, ".3g"),
        _or_dash(one.gop_s, ".3g"),
        _or_dash(one.attained, ".0%"),
    )


def _or_dash(value: float | None, form: str) -> str:
    return "—" if value is None else format(value, form)
