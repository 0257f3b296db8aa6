"""What commands share: ``--debug`` and ``--json``, options of several commands, consoles."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from ...errors import UsageError
from .help import Command
from .output import say

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Invocation:
    """One run of a command.

    Attributes:
        debug: whether a failure prints its traceback.
        json: whether stdout gets one JSON document and nothing else.
        code: the exit code; a command that has a verdict sets it.
        results: where the document goes; None: stdout as it is.
    """

    debug: bool = False
    json: bool = False
    code: int = 0
    results: TextIO | None = None


def command(
    *,
    as_json: bool = True,
    examples: Sequence[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Callable[[F], Command]:
    """A command with ``--debug`` and, where it has a result, ``--json``; ``main`` reads both.

    Args:
        as_json: whether it has a result.
        examples: lines for its help.
        groups: names of its options by the heading they stand under in its help.
    """

    def decorate(function: F) -> Command:
        decorated = click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            help="Print the traceback of a failure.",
        )(function)
        if as_json:
            decorated = click.option(
                "--json",
                is_flag=True,
                expose_value=False,
                help="Print one JSON document to stdout and nothing else there.",
            )(decorated)
        return click.command(cls=Command, examples=examples, groups=groups)(decorated)

    return decorate


verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Print every figure, how it was found, and each warning; no longer one screen.",
)
overrides_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a recipe key, such as distill.temperature=2; can be repeated.",
)
artifacts_option = click.option(
    "--artifacts",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("artifacts"),
    show_default=True,
    help="The folder that builds write to.",
)
store_option = click.option(
    "--store",
    metavar="FOLDER|URL",
    help="A store that machines share: a folder, or s3://, gs://, az://BUCKET/FOLDER; default: "
    "that of EDGESTILL_STORE, if it is set.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="What runs the stages: this process, or a Ray cluster.",
)
address_option = click.option(
    "--address",
    metavar="HOST:PORT",
    help="Of the Ray cluster's head, or auto; default: RAY_ADDRESS, else Ray is started here.",
)
processes_option = click.option(
    "--processes",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    help="Processes of this machine that share each training; other numbers give other weights.",
)
shapes_option = click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="INPUT=1,3,224,224",
    help="Full shape of an input that has dynamic axes; can be repeated.",
)
inputs_option = click.option(
    "--inputs",
    type=click.Path(path_type=Path),
    help="An .npz file of real inputs, one array per input; default: generated inputs.",
)
batch_axis_option = click.option(
    "--batch-axis",
    "batch_axes",
    multiple=True,
    metavar="[INPUT=]AXIS",
    help="The axis of an input along which its samples lie, counted from 0, where the model and "
    "the arrays do not tell: state=1; 'none' for an input that is the same in each query; without "
    "a name of every input; can be repeated.",
)
batch_option = click.option(
    "--batch",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Samples per query, where the model's first axis is dynamic.",
)
csv_option = click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the figures to this CSV file, one line per model.",
)
html_option = click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the tables to this HTML file, which needs no other file.",
)
seconds_option = click.option(
    "--seconds",
    type=click.FloatRange(0.0, min_open=True),
    default=0.3,
    show_default=True,
    help="Timed seconds per process.",
)
max_seconds_option = click.option(
    "--max-seconds",
    type=click.FloatRange(0.0, min_open=True),
    default=120.0,
    show_default=True,
    help="Longest measurement, in seconds, for a narrower interval.",
)
threads_option = click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Intra-op threads."
)


def axes_of(texts: Sequence[str]) -> dict[str, int | None]:
    """The values of ``--batch-axis``: axes by input, None for ``none``.

    One without the name of an input has the name "", which stands for all that are not named.

    Raises:
        UsageError: one that is neither ``INPUT=AXIS`` nor ``AXIS``.
    """
    axes: dict[str, int | None] = {}
    for text in texts:
        name, equals, axis = text.rpartition("=")
        if (equals and not name) or not (axis == "none" or axis.isdecimal()):
            raise UsageError(
                repr(text),
                expected="INPUT=AXIS, such as state=1 or sr=none, or one axis for all inputs",
                where="--batch-axis",
            )
        axes[name] = None if axis == "none" else int(axis)
    return axes


def note_demo(recipe: Path | None) -> None:
    """Say that a command that names no recipe takes the demo, where the folder has a recipe."""
    own = Path("recipe.toml")
    if recipe is None and own.is_file():
        told = f"recipe: the bundled demo; {own} of this folder is not read: name it to take it"
        say(told, file=sys.stderr, hang=2)


def print_result(invocation: Invocation, document: object, *lines: str, hang: int = 0) -> None:
    """Print a result to stdout: the document with ``--json``, else the lines.

    Args:
        invocation: of the command.
        document: JSON-ready.
        lines: sentences.
        hang: spaces before all but the first part of one that is wider than the terminal.
    """
    if invocation.json:
        print_json(invocation, document)
    else:
        say(*lines, hang=hang)


def print_json(invocation: Invocation, document: object) -> None:
    """Print the one document of ``--json`` to stdout."""
    say(json.dumps(document, allow_nan=False), file=invocation.results)
