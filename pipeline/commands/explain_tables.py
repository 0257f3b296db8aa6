"""What ``edgestill explain`` prints: layers as a table, findings, advice, what was applied."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...devices.bench.ratio_text import stated
from ..diagnose.findings import Diagnosis, LayerTimes
from ..finished.explain import Applied
from ..report import numbers
from .file_names import in_lines, room

_SHOWN = 6
"""Layers of one screen."""
_LAYER = 12
"""Columns of a layer's name below which its operator has no column of its own."""
_FIGURES = ("fp32 µs", "int8 µs", "ratio", "Q/DQ µs")
_OPERATOR, _RUNS_AS = "operator", "runs as"


def summary(
    diagnosis: Diagnosis, *, verbose: bool, columns: int = 80, applied: bool = False
) -> RenderableType:
    """A table of layers, then the findings and the advice.

    Args:
        diagnosis: of both files.
        verbose: whether every layer is shown, and each island; else those that differ most.
        columns: of the terminal.
        applied: whether the advice is applied already.
    """
    layers = list(diagnosis.layers) if verbose else _most_different(diagnosis.layers)
    table = _table(layers, diagnosis.advice.layers if diagnosis.advice else (), columns)
    lines = [*diagnosis.why, *_advice(diagnosis, applied=applied)]
    if verbose:
        lines += _lines(diagnosis)
    else:
        hidden = len(diagnosis.layers) - len(layers)
        more = f"{numbers.how_many(hidden, 'more layer')}, " if hidden else ""
        lines.append(f"details: {more}islands in float, how it was measured: --verbose")
    return Group(table, *map(Text, lines))


def _table(layers: Sequence[LayerTimes], advised: Sequence[str], columns: int) -> Table:
    """A row a layer; its name takes the columns that figures and whole words leave."""
    figures = [_figures(layer) for layer in layers]
    kernels = [_words(layer.kernels) for layer in layers]
    operators = [numbers.printable(layer.op) for layer in layers]
    longest = max(len(word) for cell in [*kernels, [_RUNS_AS]] for word in cell)
    left = room(columns, _FIGURES, figures) - longest - 2
    beside = left - max(map(len, (_OPERATOR, *operators))) - 2
    # An operator without a column of its own stands below its layer's name.
    apart = beside >= _LAYER
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("layer", no_wrap=True)
    if apart:
        table.add_column(_OPERATOR, no_wrap=True)
    for name in _FIGURES:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(_RUNS_AS, min_width=longest)
    for layer, operator, times, runs_as in zip(layers, operators, figures, kernels, strict=True):
        name = in_lines(layer.name, beside if apart else left)
        named = (name, operator) if apart else (f"{name}\n{in_lines(operator, left)}",)
        style = "bold" if layer.name in advised else ""
        table.add_row(*map(Text, (*named, *times, " ".join(runs_as))), style=style)
    return table


def _figures(layer: LayerTimes) -> tuple[str, str, str, str]:
    ratio = f"{layer.ratio:.2f}" if layer.ratio is not None else "—"
    return _us(layer.fp32_us), _us(layer.int8_us), ratio, _us(layer.conversions_us)


def _words(kernels: Sequence[str]) -> list[str]:
    """Operator types, those that follow each other more than once counted."""
    runs = [(op, len(list(same))) for op, same in groupby(map(numbers.printable, kernels))]
    return [word for op, count in runs for word in ([f"{count}×"] if count > 1 else []) + [op]]


def _most_different(layers: Sequence[LayerTimes]) -> list[LayerTimes]:
    """The layers whose times differ most, in the order of the graph."""
    differences = {
        id(one): abs((one.int8_us or 0.0) - (one.fp32_us or 0.0)) + (one.conversions_us or 0.0)
        for one in layers
    }
    first = sorted(layers, key=lambda one: -differences[id(one)])[:_SHOWN]
    return [one for one in layers if any(one is each for each in first)]


def applied_lines(applied: Applied) -> RenderableType:
    """The measured ratios of what was applied, the verdict, and the warnings."""
    name = numbers.printable(applied.file)
    lines = (
        f"int8: {stated(applied.int8_over_fp32, 'latency', 'fp32')}",
        f"{name}: {stated(applied.over_int8, 'latency', 'int8')}, and "
        f"{stated(applied.over_fp32, 'latency', 'fp32')}",
        applied.verdict,
        *(line for compared in applied.answers for line in compared.lines()),
    )
    cautions = [text for compared in applied.answers for text in compared.cautions()]
    warnings = [
        Text(f"warning: {warning}", style="yellow") for warning in (*cautions, *applied.warnings)
    ]
    return Group(*map(Text, lines), *warnings)


def _advice(diagnosis: Diagnosis, *, applied: bool) -> Iterator[str]:
    if diagnosis.advice:
        names = ", ".join(repr(numbers.printable(name)) for name in diagnosis.advice.exclude)
        yield f"leave in float: [{names}]"
        yield (
            f"{'--apply OUT.onnx writes that file; ' if not applied else ''}excluding the layers "
            "in a quantizer has no effect where their neighbours are quantized, because "
            "onnxruntime then quantizes their weights again when it loads the file"
        )


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    """What was found besides, and how it was measured."""
    for island in diagnosis.islands:
        yield (
            f"float island: {island.op} {numbers.printable(island.name)} takes {island.us:.1f} µs, "
            f"and the Q and DQ around it {island.conversions_us:.1f} µs"
        )
    for node in diagnosis.unjoined:
        yield (
            f"not matched with a layer: {numbers.printable(node.op)} "
            f"{numbers.printable(node.name)} of the {node.file} file, {node.us:.1f} µs"
        )
    yield (
        f"operator times: onnxruntime's profiling of {diagnosis.runs} queries per file, "
        "less the cost of profiling (a profiled query takes "
        f"{diagnosis.fp32_profiled_us:.0f} µs in fp32 and {diagnosis.int8_profiled_us:.0f} µs in "
        f"int8); {diagnosis.runtime}"
    )


def _us(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f}"
