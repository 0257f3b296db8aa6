"""What every command shares: how it speaks, its ``--debug`` and ``--json``, options used twice."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Manner:
    """How this run of the command speaks, and its exit code once that is known."""

    debug: bool = False
    json: bool = False
    code: int = 0


class Commands(click.Group):
    """Lists the commands in the order of use, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were declared."""
        del ctx
        return list(self.commands)


def command(*, as_json: bool = True) -> Callable[[F], click.Command]:
    """A command with ``--debug`` and, where it has a result, ``--json``; ``main`` reads both."""

    def decorate(function: F) -> click.Command:
        made = click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            help="Show the traceback of a failure.",
        )(function)
        if as_json:
            made = click.option(
                "--json",
                is_flag=True,
                expose_value=False,
                help="Print one JSON document on stdout and nothing else there.",
            )(made)
        return click.command()(made)

    return decorate


shapes_option = click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="INPUT=1,3,224,224",
    help="Full shape of an input with dynamic axes; may be given again.",
)
batch_option = click.option(
    "--batch",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Samples a query, where the model's first axis is dynamic.",
)
csv_option = click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the figures as CSV, a line a model.",
)
html_option = click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the tables as one HTML page that needs nothing else.",
)
seconds_option = click.option(
    "--seconds",
    type=click.FloatRange(0.0, min_open=True),
    default=0.3,
    show_default=True,
    help="Timed seconds a process.",
)
max_seconds_option = click.option(
    "--max-seconds",
    type=click.FloatRange(0.0, min_open=True),
    default=120.0,
    show_default=True,
    help="How long to go on for a narrow interval.",
)
threads_option = click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Intra-op threads."
)


def say(manner: Manner, document: object, text: str) -> None:
    """Print the result: the document where JSON was asked for, else the text."""
    click.echo(json.dumps(document, allow_nan=False) if manner.json else text)


def ask(question: str) -> str:
    """Ask the user, on stderr."""
    return str(click.prompt(question, err=True))


def stderr() -> "Console":
    """Where progress and warnings go."""
    from rich.console import Console

    return Console(stderr=True)


def stdout() -> "Console":
    """Where results go."""
    from rich.console import Console

    return Console()
