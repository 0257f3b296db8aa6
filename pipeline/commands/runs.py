"""Commands on a finished run: ``report``, ``verify``."""

import sys
from pathlib import Path

import click

from ...errors import UsageError
from . import names
from .output import say, stdout
from .shared import Invocation, command, print_json, print_result, verbose_option

_run = click.argument("run", type=click.Path(path_type=Path))


@command(
    examples=(
        "edgestill report RUN",
        "edgestill report RUN --verbose",
        "edgestill report --compare RUN_A RUN_B --out comparison.html",
    )
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--compare",
    is_flag=True,
    help="Write nothing of RUN... anew: one table of several runs, a column each, and the keys of "
    "their recipes that differ.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="--compare: write the table to this .html or .md file; default: print it.",
)
@verbose_option
@click.pass_obj
def report(
    invocation: Invocation, runs: tuple[Path, ...], compare: bool, out: Path | None, verbose: bool
) -> None:
    """Write a run's pages again from its records.

    RUN is a run's folder, or a name, whose last build it is. With --verbose what the pages say is
    printed, too. With --compare several runs stand side by side; each may be a report.json as well.
    """
    if compare:
        _compare(invocation, runs, out)
        return
    if len(runs) > 1 or out is not None:
        raise UsageError(
            f"{len(runs)} runs" if len(runs) > 1 else "--out",
            expected="--compare with it",
            fix="edgestill report --compare RUN RUN",
        )
    (run,) = runs
    from ..engine.store import disk_errors
    from ..runs.locate import run_folder
    from ..runs.rejudge import draw_again
    from ..runs.run import open_report

    run = run_folder(run)
    with disk_errors(run, opening=True):
        draw_again(run)
    if verbose and not invocation.json:
        from ..report.terminal import table

        stdout().print(table(open_report(run)))
    print_result(invocation, {"report": str(run / "report.html")}, str(run / "report.html"))


def _compare(invocation: Invocation, runs: tuple[Path, ...], out: Path | None) -> None:
    """Several runs in one table: on the terminal, as a page, or as JSON."""
    from ..engine.store import disk_errors, write_atomic
    from ..report import comparison
    from ..report.terminal_regression import grid
    from ..runs.locate import located

    if len(runs) < 2:
        raise UsageError("1 run", expected="two or more", where="--compare")
    if out is not None and out.suffix not in (".html", ".md"):
        raise UsageError(repr(out.suffix), expected=".html or .md", where="--out")
    reports = [located(run).report for run in runs]
    if out is not None:
        page = comparison.html_page if out.suffix == ".html" else comparison.markdown_page
        with disk_errors(out, opening=True):
            write_atomic(out, page(reports).encode())
    tables = comparison.tables(reports)
    if invocation.json:
        print_json(
            invocation,
            {
                "tables": [
                    {
                        "caption": table.caption,
                        "head": table.head,
                        "rows": [[str(cell) for cell in cells] for cells in table.rows],
                    }
                    for table in tables
                ],
                "out": None if out is None else str(out),
            },
        )
    elif out is not None:
        say(str(out))
    else:
        for table in tables:
            stdout().print(grid(table))
        say(comparison.APART, hang=0)


@command(
    examples=(
        "edgestill verify RUN",
        "edgestill verify digits-bundle --device board.toml",
    )
)
@_run
@click.option(
    "--device",
    metavar="NAME|FILE.toml",
    shell_complete=names.devices,
    help="Run a bundle's models on this device; default: here.",
)
@click.pass_obj
def verify(invocation: Invocation, run: Path, device: str | None) -> None:
    """Check the files and outputs of RUN, a run or a bundle.

    A run is a folder, or a name, whose last build it is. Every file is hashed, and every model runs
    on samples whose outputs were recorded. Exit with 1 if what ships has a fault, with 3 if a file
    or its outputs changed, with 4 if a model of a bundle cannot be run here.
    """
    from ..api.verify import verify as check

    found = check(run, device=device)
    invocation.code = found.exit_code
    print_result(invocation, found.to_dict(), *found.lines())
    if found.faults:
        fix = "; build it again" if found.kind == "run" else ""
        say(f"error: {run}: changed since it was written{fix}", file=sys.stderr)
