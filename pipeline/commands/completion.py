"""``edgestill completion SHELL``: the script by which a shell completes commands and options.

The shell calls ``edgestill`` again with ``_EDGESTILL_COMPLETE`` set, and ``answer`` replies.
"""

import os

import click

from .output import say
from .shared import command

VARIABLE = "_EDGESTILL_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@command(
    as_json=False,
    examples=(
        'eval "$(edgestill completion bash)"          # at the end of ~/.bashrc',
        'eval "$(edgestill completion zsh)"           # at the end of ~/.zshrc',
        "edgestill completion fish > ~/.config/fish/completions/edgestill.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes edgestill in a shell.

    Commands, options, and the names of devices, stages, methods, formats and toolchains are
    completed; files are completed as the shell does. A shell has it once its start-up file reads
    the script.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click.Choice admits these names alone
    root = click.get_current_context().find_root().command
    say(*kind(root, {}, "edgestill", VARIABLE).source().rstrip().split("\n"))


def answer(root: click.Command) -> int | None:
    """Reply to a shell that asks for completions; None where none asks."""
    instruction = os.environ.get(VARIABLE)
    if not instruction:
        return None
    from click.shell_completion import shell_complete

    return shell_complete(root, {}, "edgestill", VARIABLE, instruction)
