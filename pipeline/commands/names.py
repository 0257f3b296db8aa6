"""Names that a shell completes: of devices, stages, methods, formats and toolchains.

    click.option("--device", shell_complete=names.devices)

Each is looked up when a shell asks, so that no command imports its table for ``--help``.
"""

from collections.abc import Callable, Iterable
from typing import get_args

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list["CompletionItem[str]"]]


def _completer(names: Callable[[], Iterable[str]], *, or_file: bool = False) -> Completer:
    """Completes the last of names with commas between.

    Args:
        names: all of them.
        or_file: whether a file can stand in place of a name.
    """

    def complete(_: click.Context, __: click.Parameter, text: str) -> list["CompletionItem[str]"]:
        before, comma, last = text.rpartition(",")
        found = [
            CompletionItem(f"{before}{comma}{name}") for name in names() if name.startswith(last)
        ]
        return found or ([CompletionItem(text, type="file")] if or_file else [])

    return complete


def _devices() -> Iterable[str]:
    from ...devices.profiles.profile import names

    return names()


def _stages() -> Iterable[str]:
    from ..stages import STAGES

    return STAGES


def _methods() -> Iterable[str]:
    from ..recipe.compress import Variant

    return get_args(Variant)


def _formats() -> Iterable[str]:
    from ...exporters import EXPORTERS

    return EXPORTERS


def _tasks() -> Iterable[str]:
    from ..recipe.task_names import TASKS

    return TASKS


def _toolchains() -> Iterable[str]:
    from ...toolchains import TOOLCHAINS

    return TOOLCHAINS


devices = _completer(_devices, or_file=True)
stages = _completer(_stages)
methods = _completer(_methods)
formats = _completer(_formats)
tasks = _completer(_tasks)
toolchains = _completer(_toolchains)
