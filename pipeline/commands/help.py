"""How ``--help`` is printed: commands and options in groups, examples last.

    click.Group(cls=Commands, sections={"Build": ("build", "plan")}, ...)

The examples come last because a terminal shows the end of a long page. Colour is left out where the
reader is no terminal or does not want it.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from .output import coloured

REST = "Options"
"""The heading of options that stand in no group."""


class _Formatter(click.HelpFormatter):
    """Headings in bold and terms in colour, where the reader wants colour."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The usage line."""
        super().write_usage(prog, args, prefix or _styled("Usage: ", bold=True))

    def write_heading(self, heading: str) -> None:
        """A heading."""
        super().write_heading(_styled(heading, bold=True))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 28, col_spacing: int = 2
    ) -> None:
        """Terms and what they mean."""
        shown = [(_styled(term, fg="cyan"), meaning) for term, meaning in rows]
        super().write_dl(shown, col_max, col_spacing)


class _Context(click.Context):
    formatter_class = _Formatter


class Command(click.Command):
    """A command whose help has groups of options and examples.

    Attributes:
        examples: lines to type, each with what it does after ``#``, or without.
        groups: names of options by the heading they stand under; others stand under `REST`.
    """

    context_class = _Context

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        groups: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.groups = dict(groups or {})
        for option in self.params:
            _name_value(option)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options by group."""
        for heading, options in self.grouped(ctx):
            with formatter.section(heading):
                formatter.write_dl(filter(None, (one.get_help_record(ctx) for one in options)))

    def grouped(self, ctx: click.Context) -> Iterator[tuple[str, list[click.Option]]]:
        """The options of each heading, in their order."""
        options = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        of_group = {name: heading for heading, names in self.groups.items() for name in names}
        for heading in (*self.groups, REST):
            own = [one for one in options if of_group.get(one.name or "", REST) == heading]
            if own:
                yield heading, own

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"  {line}\n")


class Commands(click.Group):
    """Lists its commands in the order of their table, not of the alphabet.

    Attributes:
        sections: names of commands by heading; where empty, all stand under one heading.
    """

    context_class = _Context

    def __init__(
        self, *args: Any, sections: Mapping[str, Sequence[str]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = dict(sections or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the table."""
        del ctx
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, each with its first sentence."""
        named = {name for names in self.sections.values() for name in names}
        rest = [name for name in self.list_commands(ctx) if name not in named]
        width = max(map(len, self.commands))
        limit = formatter.width - 4 - width
        for heading, names in (*self.sections.items(), ("Commands", rest)):
            rows = [
                (name.ljust(width), self.commands[name].get_short_help_str(limit))
                for name in names
                if name in self.commands
            ]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


def _styled(text: str, **style: Any) -> str:
    return click.style(text, **style) if coloured(sys.stdout) else text


def _name_value(option: click.Parameter) -> None:
    """Name a number for what it is: click's own name for it is INTEGER RANGE."""
    if option.metavar is None and isinstance(option, click.Option) and not option.is_flag:
        if isinstance(option.type, click.types.IntParamType):
            option.metavar = "N"
        elif isinstance(option.type, click.types.FloatParamType):
            option.metavar = "NUMBER"
