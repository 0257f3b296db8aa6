"""``edgestill history``: the runs of a name over time, and where a figure changed."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import MaterialError, UsageError
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
    from ..engine.store import disk_errors, write_atomic
    from ..finished.history import history as read
    from ..runs.run import folder_of

    found = read(folder_of(artifacts, name or _only(artifacts)), variant)
    if csv_file is not None:
        with disk_errors(csv_file, opening=True):
            write_atomic(csv_file, found.as_csv().encode())
    if invocation.json:
        print_json(invocation, found.to_dict())
        return
    stdout().print(_shown(found, len(found.entries) if every else _SHOWN))


def _only(artifacts: Path) -> str:
    """The name of all runs, where there is one."""
    from ..runs.locate import names

    known = names(artifacts)
    if not known:
        raise MaterialError(
            "no runs", where=str(artifacts / "runs"), fix="build one: edgestill build RECIPE"
        )
    if len(known) > 1:
        raise UsageError(
            f"runs of {len(known)} names", expected=f"one of {', '.join(known)}", where="NAME"
        )
    return known[0]


def _shown(found: "History", most: int) -> "RenderableType":
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from ..finished.history import units
    from ..report import numbers
    from ..report.words import WORDS

    metric = numbers.printable(found.metric)
    head = ("built", "commit", metric, "size", "p50", "instructions", "verdict")
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for place, title in enumerate(head):
        grid.add_column(title, justify="right" if 2 <= place <= 5 else "left")
    figures = units(found.metric)
    for entry in found.entries[-most:]:
        values = (entry.score, entry.bytes, entry.p50_ms, entry.instructions)
        units_in_order = (figures[key] for key in ("score", "bytes", "p50_ms", "instructions"))
        cells = (
            "unknown" if value is None else numbers.amount(value, unit)
            for value, unit in zip(values, units_in_order, strict=True)
        )
        built = entry.created[:16].replace("T", " ")
        grid.add_row(*map(Text, (built, (entry.commit or "")[:7], *cells, WORDS[entry.outcome])))
    more = len(found.entries) - most
    lines = [f"… and {more} older runs: --all"] if more > 0 else []
    lines += [found.said(change) for change in found.changes]
    lines += [] if found.changes else ["no change of any figure was found"]
    title = f"{found.name}: {found.variant}, {numbers.how_many(len(found.entries), 'run')}"
    return Group(
        Text(numbers.printable(title), "bold"),
        grid,
        *(Text(numbers.printable(line)) for line in (*lines, *found.notes)),
    )
