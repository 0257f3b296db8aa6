"""What ``edgestill quantize`` prints: a line a file and an output, then the plan and warnings."""

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..finished.quantize import File, Quantized
from ..report import numbers
from ..report.output_rows import output_cells, shown_outputs
from .file_names import apart, in_lines

_FILE, _OUTPUT = 26, 12
"""Columns of names, so that the figures have room in 80."""


def summary(result: Quantized, *, verbose: bool) -> RenderableType:
    """A table of the files and what is wrong with them; the plan and notes with ``verbose``."""
    folder, names = apart([file.path for file in result.files])
    notes = [f"target {result.plan.device}: {'; '.join(result.plan.why)}"]
    notes += [note for file in result.files for note in _notes(file, result)]
    warnings = [f"the model's {warning}" for warning in result.warnings]
    warnings += [warning for file in result.files for warning in _warnings(file, result)]
    paths = " ".join([result.model, *(file.path for file in result.files)])
    return Group(
        _table(result, names),
        *([Text(f"in {numbers.printable(folder)}")] if folder else []),
        *(Text(f"warning: {warning}", "yellow") for warning in warnings),
        *(map(Text, notes) if verbose else [Text(_details(notes), "dim")]),
        Text(f"measure their latency with: edgestill bench {numbers.printable(paths)}"),
    )


def _table(result: Quantized, names: list[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("file", no_wrap=True)
    for title in ("size", "share"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("output", no_wrap=True)
    for title in ("changed", "error", "most"):
        table.add_column(title, justify="right", no_wrap=True)
    for file, name in zip(result.files, names, strict=True):
        cells = (
            in_lines(name, _FILE),
            numbers.amount(file.bytes, numbers.BYTES),
            f"{file.bytes / result.bytes:.2f}",
        )
        shown, rest = shown_outputs(file.outputs)
        for output in shown:
            of_output, *figures = output_cells(output)
            style = "bold red" if output.destroyed is not None else ""
            table.add_row(*map(Text, (*cells, in_lines(of_output, _OUTPUT), *figures)), style=style)
            cells = ("", "", "")
        if rest:
            table.add_row(*map(Text, (*cells, rest)))
    return table


def _details(notes: list[str]) -> str:
    return f"details: the plan and {numbers.how_many(len(notes) - 1, 'note')}: --verbose"


def _notes(file: File, result: Quantized) -> Iterator[str]:
    yield f"{file.method}: {numbers.how_many(file.changed_nodes, 'node')} changed"
    yield from (f"{file.method}: {note}" for note in file.notes if note not in result.plan.why)
    if file.saturable:
        layers = numbers.how_many(len(file.saturable), "layer")
        yield (
            f"{file.method}: {layers} can saturate on an x86 CPU without VNNI, the first is "
            f"{numbers.printable(file.saturable[0].layer)}"
        )


def _warnings(file: File, result: Quantized) -> Iterator[str]:
    if file.bytes >= result.bytes:
        yield f"{file.method} is not smaller than the original"
    for output in file.outputs:
        name = numbers.printable(output.name)
        if output.destroyed is not None:
            yield f"{file.method} destroys the output {name}: {output.destroyed}"
        elif output.missing is not None:
            yield f"{file.method}: output {name} is not compared: {output.missing}"
