"""Commands on toolchains: which are set up, setting one up, removing one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UsageError, did_you_mean
from . import names
from .help import Commands
from .output import stderr, stdout
from .shared import Invocation, command, print_json, print_result

if TYPE_CHECKING:
    from rich.table import Table

    from ...toolchains.table import Toolchain

_STATES = {
    "ready": "set up",
    "here": "in this Python",
    "outdated": "set up for an earlier edgestill: run setup again",
    "unfinished": "not set up whole: run setup again",
    "absent": "not set up",
}


@command(examples=("edgestill toolchains list",))
@click.pass_obj
def list_toolchains(invocation: Invocation) -> None:
    """List the toolchains and whether each is set up."""
    from ...toolchains import TOOLCHAINS

    documents = [_document(toolchain) for toolchain in TOOLCHAINS.values()]
    if invocation.json:
        print_json(invocation, documents)
        return
    stdout().print(_table(documents))


@command(examples=("edgestill toolchains setup litert",))
@click.argument("name", shell_complete=names.toolchains)
@click.pass_obj
def setup_toolchain(invocation: Invocation, name: str) -> None:
    """Set up a toolchain from its pinned requirements.

    The packages come from the index that pip is configured for. They go into an environment of
    their own below the user's cache folder (or EDGESTILL_TOOLCHAINS); nothing else changes.
    """
    from ...toolchains.setup import setup
    from ..progress import OnConsole

    toolchain = _named(name)
    python = setup(toolchain, OnConsole(stderr()).note)
    print_result(invocation, _document(toolchain), f"{name}: ready, {python}")


@command(examples=("edgestill toolchains remove litert",))
@click.argument("name", shell_complete=names.toolchains)
@click.pass_obj
def remove_toolchain(invocation: Invocation, name: str) -> None:
    """Delete a toolchain's environment."""
    from ...toolchains.setup import remove

    toolchain = _named(name)
    text = f"{name}: removed" if remove(toolchain) else f"{name}: was not set up"
    print_result(invocation, _document(toolchain), text)


def _named(name: str) -> "Toolchain":
    from ...toolchains import TOOLCHAINS

    if name not in TOOLCHAINS:
        raise UsageError(
            f"toolchain '{name}'",
            expected=f"one of {', '.join(TOOLCHAINS)}",
            where="toolchains",
            fix=did_you_mean(name, TOOLCHAINS),
        )
    return TOOLCHAINS[name]


def _document(toolchain: "Toolchain") -> dict[str, Any]:
    from ...toolchains.interpreter import environment_of, state

    place: Path = environment_of(toolchain)
    return {
        "name": toolchain.name,
        "title": toolchain.title,
        "state": state(toolchain),
        "download_mib": toolchain.download_mib,
        "folder": str(place),
    }


def _table(documents: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("toolchain", "what it brings", "MiB", "state"):
        table.add_column(heading, justify="right" if heading == "MiB" else "left")
    for one in documents:
        size = f"{one['download_mib']:,}"
        table.add_row(one["name"], one["title"], size, _STATES[one["state"]])
    return table


TOOLCHAIN_COMMANDS: dict[str, click.Command] = {
    "list": list_toolchains,
    "setup": setup_toolchain,
    "remove": remove_toolchain,
}
"""Every command of ``edgestill toolchains``, in the order of its help."""


@click.group(cls=Commands, commands=TOOLCHAIN_COMMANDS)
def toolchains() -> None:
    """Set up converters and runtimes of other formats.

    Each lies in an environment of its own.
    """
