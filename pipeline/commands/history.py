"""``edgestill history``: the runs of a name over time, and where a figure changed."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .output import stdout
from .shared import Invocation, artifacts_option, command, print_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..finished.history import History

_SHOWN = 20
"""Runs on a terminal, the newest; ``--all`` shows every one."""


@command(
    examples=(
        "edgestill history digits",
        "edgestill history digits --variant int8-static --csv digits.csv",
    )
)
@click.argument("name", required=False)
@click.option(
    "--variant",
    metavar="NAME",
    help="The variant whose figures are shown; default: what the newest run ships.",
)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a line a run to this CSV file.",
)
@click.option("--all", "every", is_flag=True, help=f"Show every run, not the newest {_SHOWN}.")
@artifacts_option
@click.pass_obj
def history(
    invocation: Invocation,
    name: str | None,
    variant: str | None,
    csv_file: Path | None,
    every: bool,
    artifacts: Path,
) -> None:
    """Show the runs of NAME over time.

    Verdict, score, size, latency and instructions of each run, and since which run a figure is
    another one. Changes of scores and latencies are told from chance; in a series without a change
    one is found in at most 1 % of histories. Needs no NAME where all runs have one.
    """
    from ..api.history import history as read
    from ..engine.store import disk_errors, write_atomic

    found = read(name, variant=variant, artifacts=artifacts)
    if csv_file is not None:
        with disk_errors(csv_file, opening=True):
            write_atomic(csv_file, found.as_csv().encode())
    if invocation.json:
        print_json(invocation, found.to_dict())
        return
    stdout().print(_shown(found, len(found.entries) if every else _SHOWN))


def _shown(found: "History", most: int) -> "RenderableType":
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from ..report import numbers

    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for place, title in enumerate(found.head()):
        justify: Literal["left", "right"] = "right" if 2 <= place <= 5 else "left"
        grid.add_column(numbers.printable(title), justify=justify)
    for entry in found.entries[-most:]:
        grid.add_row(*map(Text, found.cells(entry)))
    more = len(found.entries) - most
    lines = [f"… and {more} older runs: --all"] if more > 0 else []
    return Group(
        Text(numbers.printable(found.title), "bold"),
        grid,
        *(Text(numbers.printable(line)) for line in (*lines, *found.sentences())),
    )
