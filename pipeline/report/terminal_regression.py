"""What a baseline says, on a terminal: the answer, a row a figure, what it rests on.

console.print(shown(found, report, verbose=False))
"""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..judge.against import Against
from ..records import Report
from . import numbers, regression
from .sections import Table as Figures
from .terminal_screen import STYLES

_DIM = "dim"


def shown(found: Against, report: Report, *, verbose: bool) -> RenderableType:
    """The answer first; with ``verbose`` also what it rests on.

    Args:
        found: what a baseline says.
        report: of the run.
        verbose: whether rates of error and how scores were compared are told.
    """
    said = regression.section(found, report)
    headline, *about = said.paragraphs
    return Group(
        _text(headline, STYLES[found.outcome]),
        *map(grid, said.tables),
        *(_text(point) for point in said.points),
        *(_text(sentence, _DIM) for sentence in about if verbose),
    )


def grid(table: Figures) -> Table:
    """A table of a report on a terminal, with intervals behind their figures."""
    shown = Table(
        title=_text(table.caption),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for number, title in enumerate(table.head):
        last = number in (0, len(table.head) - 1)
        shown.add_column(_text(title), justify="left" if last else "right")
    for cells in table.rows:
        shown.add_row(
            *(_text(str(cell), STYLES[cell.outcome] if cell.outcome else "") for cell in cells)
        )
    return shown


def _text(text: str, style: str = "") -> Text:
    return Text("\n".join(map(numbers.printable, text.split("\n"))), style)
