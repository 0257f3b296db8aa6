"""``edgestill bench --instructions`` on a terminal and as CSV."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..finished.instructions import InstructionsCounted
from ..report import numbers
from .bench_files import Line, text


def lines(counted: InstructionsCounted) -> list[Line]:
    """For a CSV: a line a model."""
    return [
        {
            key: text(value) if key == "name" else "" if value is None else value
            for key, value in row.items()
        }
        for row in counted.records()
    ]


def summary(counted: InstructionsCounted) -> RenderableType:
    """The counts as a table, one row a model, and what the baseline says."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", overflow="fold")
    for title in ("instructions", "to the first"):
        table.add_column(title, no_wrap=True)
    first = counted.models[0].entry.instructions
    for model in counted.models:
        table.add_row(
            Text(numbers.printable(model.entry.name)),
            f"{model.entry.instructions:,}",
            f"{model.entry.instructions / first:.4g}",
        )
    warnings = [
        Text(f"warning: {numbers.printable(told)}", style="yellow") for told in counted.unsteady()
    ]
    judged = [Text(model.judged.why) for model in counted.models if model.judged is not None]
    return Group(table, Text(counted.how(), style="dim"), *warnings, *judged)
