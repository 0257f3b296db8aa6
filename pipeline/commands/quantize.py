"""What ``edgestill quantize`` prints: a line a file and an output, then the plan and warnings."""

import shlex
import textwrap
from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..finished.quantize import File, Quantized
from ..report import numbers
from ..report.output_rows import output_cells, shown_outputs
from .file_names import apart, in_lines, room

_OF_FILE, _OF_OUTPUT = ("size", "share"), ("changed", "error", "most")


def summary(result: Quantized, *, verbose: bool, columns: int = 80) -> RenderableType:
    """A table of the files and what is wrong with them.

    Args:
        result: the files.
        verbose: whether the plan and all notes are printed.
        columns: of the terminal.
    """
    folder, names = apart([file.path for file in result.files])
    notes = [f"target {result.plan.device}: {'; '.join(result.plan.why)}"]
    notes += [note for file in result.files for note in _notes(file, result)]
    warnings = [f"the model's {warning}" for warning in result.warnings]
    warnings += [warning for file in result.files for warning in _warnings(file, result)]
    return Group(
        _table(result, names, columns),
        *_one_output(result),
        *([Text(f"in {numbers.printable(folder)}")] if folder else []),
        *(Text(f"warning: {warning}", "yellow") for warning in warnings),
        *(map(Text, notes) if verbose else [Text(_details(notes), "dim")]),
    )


def next_command(result: Quantized) -> str:
    """What to run next; printed as one line, so that it can be copied."""
    paths = [result.model, *(file.path for file in result.files)]
    return f"measure their latency with: edgestill bench {numbers.printable(shlex.join(paths))}"


def _table(result: Quantized, names: list[str], columns: int) -> Table:
    """A row a file and output; names take the columns that the figures leave."""
    rows = [_File(file, name, result.bytes) for file, name in zip(result.files, names, strict=True)]
    figures = [row.figures + cells[1:] for row in rows for cells in row.outputs]
    outputs = {cells[0] for row in rows for cells in row.outputs}
    left = room(columns, (*_OF_FILE, *_OF_OUTPUT), figures)
    # One output needs no column of its own: the line below the table names it.
    several = len(outputs) > 1
    width = min(max(map(len, outputs), default=0), left * 2 // 5) if several else 0
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("file", no_wrap=True)
    for title in _OF_FILE:
        table.add_column(title, justify="right", no_wrap=True)
    if several:
        table.add_column("output", no_wrap=True)
    for title in _OF_OUTPUT:
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        first: tuple[str, ...] = (
            in_lines(row.name, left - (width + 2 if several else 0)),
            *row.figures,
        )
        for (of_output, *cells), style in zip(row.outputs, row.styles, strict=True):
            middle = (in_lines(of_output, width),) if several else ()
            table.add_row(*map(Text, (*first, *middle, *cells)), style=style)
            first = ("",) * len(first)
        if row.rest:
            table.add_row(*map(Text, (*first, "\n".join(textwrap.wrap(row.rest, width)))))
    return table


class _File:
    """The cells of one file.

    Attributes:
        name: of the file.
        figures: its size and share of the original's.
        outputs: the name and figures of each output that is shown.
        styles: of the outputs.
        rest: what there is to say of the others.
    """

    def __init__(self, file: File, name: str, original_bytes: int) -> None:
        shown, self.rest = shown_outputs(file.outputs)
        self.name = name
        self.figures = (
            numbers.amount(file.bytes, numbers.BYTES),
            f"{file.bytes / original_bytes:.2f}",
        )
        self.outputs = [output_cells(output) for output in shown]
        self.styles = ["bold red" if one.destroyed is not None else "" for one in shown]


def _one_output(result: Quantized) -> Iterator[Text]:
    """The name of the output, where there is but one."""
    names = {output.name for file in result.files for output in file.outputs}
    if len(names) == 1:
        yield Text(f"output: {numbers.printable(*names)}")


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
