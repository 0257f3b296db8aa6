"""How a run's verdict is shown; its exit code becomes the command's."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .output import stdout
from .shared import Invocation, print_json, print_result

_LOG = 1000
"""Lines that a log has room for."""

if TYPE_CHECKING:
    from ..api.run import Run
    from ..api.stopped import Stopped


def conclude_stage(invocation: Invocation, stopped: "Stopped") -> None:
    """Print the output of the stage that a build stopped after.

    After ``verify`` the faults of its variants are printed too, and where every variant has one the
    exit code is that of NOT READY: no budget could make it ready.
    """
    invocation.code = stopped.exit_code
    lines = [f"{stopped.stage}: {stopped.path}", *fault_lines(stopped.wrong)]
    print_result(invocation, stopped.to_dict(), *lines)


def fault_lines(wrong: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with each variant, a line a fault."""
    return [f"fault of {name}: {fault}" for name, faults in wrong.items() for fault in faults]


def conclude(invocation: Invocation, run: "Run", *, verbose: bool) -> None:
    """Print the report of a run and set the exit code of its verdict.

    Args:
        invocation: whether JSON was requested; its `code` is set.
        run: the run.
        verbose: whether all of it is printed, not one screen.
    """
    invocation.code = run.exit_code
    if invocation.json:
        print_json(invocation, run.to_dict())
    else:
        show_verdict(run, verbose=verbose)


def show_verdict(run: "Run", *, verbose: bool) -> None:
    """Print the report of a run.

    Args:
        run: the run.
        verbose: whether all of it is printed, not one screen.
    """
    console, command = stdout(), run.next_command
    below = [*([] if command is None else [f"try: {command}"]), f"report: {run.report_path}"]
    if verbose:
        from ..report.terminal import table

        console.print(table(run.report))
    else:
        from ..report.terminal_screen import screen

        # Below it stand what to try next, the path of the report and the prompt.
        taken = 1 + sum(-(-len(line) // console.width) for line in below)
        lines = console.height - taken if console.is_terminal else _LOG
        console.print(screen(run.report, columns=console.width, lines=lines))
    for line in below:
        console.print(line, soft_wrap=True)
