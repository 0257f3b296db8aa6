"""What ``edgestill quantize`` prints: a line a file and an output, then the plan and warnings."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..finished.quantize import Quantized
from ..report import numbers
from ..report.output_rows import output_cells, shown_outputs


def summary(result: Quantized) -> RenderableType:
    """A table of the files, then the plan, notes and warnings."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("file", overflow="fold")
    for title in ("size", "of the original", "nodes"):
        table.add_column(title, justify="right")
    table.add_column("output", overflow="fold")
    for title in ("changed", "error", "max difference"):
        table.add_column(title, justify="right")
    for file in result.files:
        cells = (
            numbers.printable(file.path),
            numbers.amount(file.bytes, numbers.BYTES),
            f"{file.bytes / result.bytes:.2f}",
            str(file.changed_nodes),
        )
        shown, rest = shown_outputs(file.outputs)
        for output in shown:
            table.add_row(*map(Text, (*cells, *output_cells(output))))
            cells = ("", "", "", "")
        if rest:
            table.add_row(*map(Text, (*cells, rest)))
    lines = [f"target {result.plan.device}: {'; '.join(result.plan.why)}"]
    lines += [f"warning: the model's {warning}" for warning in result.warnings]
    for file in result.files:
        lines += [f"{file.method}: {note}" for note in file.notes if note not in result.plan.why]
        if file.saturable:
            layers = numbers.how_many(len(file.saturable), "layer")
            lines.append(
                f"{file.method}: {layers} can saturate on an x86 CPU without VNNI, the first is "
                f"{numbers.printable(file.saturable[0].layer)}"
            )
        if file.bytes >= result.bytes:
            lines.append(f"warning: {file.method} is not smaller than the original")
        lines += [
            f"warning: {file.method}: output {numbers.printable(output.name)} is not compared: "
            f"{output.missing}"
            for output in file.outputs
            if output.missing is not None and output.destroyed is None
        ]
        lines += [
            f"warning: {file.method} destroys the output {numbers.printable(output.name)}: "
            f"{output.destroyed}"
            for output in file.destroyed
        ]
    names = " ".join([result.model, *(file.path for file in result.files)])
    lines.append(f"measure their latency with: edgestill bench {numbers.printable(names)}")
    return Group(table, *map(Text, lines))
