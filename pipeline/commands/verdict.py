"""How a run's verdict is shown; its exit code becomes the command's."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .shared import Invocation, stdout

if TYPE_CHECKING:
    from ..records import Report


def conclude(invocation: Invocation, report: "Report", run: Path) -> None:
    """Print the report of a run and set the exit code of its verdict.

    Args:
        invocation: whether JSON was requested; its `code` is set.
        report: the records and the verdict.
        run: the run's folder.
    """
    from ..judge.gate import EXIT_CODES

    code = invocation.code = EXIT_CODES[report.verdict.outcome]
    if invocation.json:
        document = {"run": str(run), "exit_code": code, "report": report.model_dump(mode="json")}
        click.echo(json.dumps(document, allow_nan=False))
    else:
        from ..report.terminal import table

        console = stdout()
        console.print(table(report))
        console.print(f"report: {run / 'report.html'}", soft_wrap=True, highlight=False)
