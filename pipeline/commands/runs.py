"""Commands on a finished run: ``report``, ``verify``."""

import sys
from pathlib import Path

import click

from . import names
from .output import say, stdout
from .shared import Invocation, command, print_result, verbose_option

_run = click.argument("run", type=click.Path(path_type=Path))


@command(examples=("edgestill report RUN", "edgestill report RUN --verbose"))
@_run
@verbose_option
@click.pass_obj
def report(invocation: Invocation, run: Path, verbose: bool) -> None:
    """Write RUN's pages again from its records.

    With --verbose what they say is printed, too.
    """
    from ..engine.store import disk_errors
    from ..runs.latest import run_of
    from ..runs.rejudge import draw_again
    from ..runs.run import open_report

    run = run_of(run)
    with disk_errors(run, opening=True):
        draw_again(run)
    if verbose and not invocation.json:
        from ..report.terminal import table

        stdout().print(table(open_report(run)))
    print_result(invocation, {"report": str(run / "report.html")}, str(run / "report.html"))


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

    Every file is hashed, and every model runs on samples whose outputs were recorded. Exit with 1
    if what ships has a fault, with 3 if a file or its outputs changed, with 4 if a model of a
    bundle cannot be run here.
    """
    from ..api.verify import verify as check

    found = check(run, device=device)
    invocation.code = found.exit_code
    print_result(invocation, found.to_dict(), *found.lines())
    if found.faults:
        fix = "; build it again" if found.kind == "run" else ""
        say(f"error: {run}: changed since it was written{fix}", file=sys.stderr)
