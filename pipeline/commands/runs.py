"""Commands on a finished run: ``gate``, ``report``, ``verify``."""

import sys
from pathlib import Path

import click

from ...errors import MaterialError, UsageError
from . import names
from .output import say, stdout
from .shared import Invocation, command, overrides_option, print_result, verbose_option
from .verdict import conclude, fault_lines

_run = click.argument("run", type=click.Path(path_type=Path))


@command(
    examples=(
        "edgestill gate RUN --set gate.max_p90_ms=2",
        "edgestill gate RUN --recipe stricter.toml",
    )
)
@_run
@click.option(
    "--recipe", type=click.Path(path_type=Path), help="Take the budgets from this recipe."
)
@overrides_option
@verbose_option
@click.pass_obj
def gate(
    invocation: Invocation,
    run: Path,
    recipe: Path | None,
    overrides: tuple[str, ...],
    verbose: bool,
) -> None:
    """Judge RUN by other budgets.

    The saved records are judged; nothing is measured.
    """
    from ..api.run import judged_again

    conclude(invocation, judged_again(run, overrides, recipe), verbose=verbose)


@command(examples=("edgestill report RUN", "edgestill report RUN --verbose"))
@_run
@verbose_option
@click.pass_obj
def report(invocation: Invocation, run: Path, verbose: bool) -> None:
    """Write RUN's pages again from its records.

    With --verbose what they say is printed, too.
    """
    from ..engine.store import disk_errors
    from ..runs.rejudge import draw_again
    from ..runs.run import open_report

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
    from ..handover.opened import is_bundle
    from ..judge.gate import EXIT_CODES
    from .verify_run import check

    if is_bundle(run):
        from .verify_bundle import verify_bundle

        verify_bundle(invocation, run, device)
        return
    if device is not None:
        raise UsageError(
            "a run",
            expected="a bundle",
            where="--device",
            fix=f"write one: edgestill bundle {run}",
        )
    checked = check(run)
    faults = list(checked.faults)
    if faults:
        invocation.code = MaterialError.exit_code
    elif not checked.ready:
        invocation.code = EXIT_CODES["not ready"]
    document = {
        "run": str(run),
        "files": checked.files,
        "models": checked.models,
        "faults": faults,
        "wrong": dict(checked.wrong),
        "exit_code": invocation.code,
    }
    lines = faults or [
        f"{checked.files} files match the manifest, {checked.models} models give their recorded "
        "outputs"
    ]
    print_result(invocation, document, *lines, *fault_lines(checked.wrong))
    if faults:
        say(f"error: {run}: changed since it was written; build it again", file=sys.stderr)
