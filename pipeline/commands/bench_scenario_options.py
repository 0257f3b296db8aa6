"""The options of ``edgestill bench`` that choose and shape a scenario; they import nothing heavy.

They are those of ``devices.scenarios.table``: a new scenario is added there, not here.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from ...devices.scenarios.table import OPTIONS, REQUIRED, SCENARIOS, Option
from ...errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

SINGLE_STREAM = "single-stream"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A scenario and the options of its own that were given.

    Attributes:
        scenario: a name of ``devices.scenarios.table.SCENARIOS``.
        options: by name, without those that were left out.
    """

    scenario: str
    options: Mapping[str, Any]


class ScenarioName(click.Choice[str]):
    """The names of the table at the time of use."""

    def __init__(self) -> None:
        super().__init__(_names())

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if the table has it."""
        self.choices = _names()
        return super().convert(value, param, ctx)


def _names() -> tuple[str, ...]:
    """Of those that are chosen by their name, not by an option."""
    return tuple(name for name, scenario in SCENARIOS.items() if scenario.option is None)


def _counts(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    """Whole numbers above 0 with commas between."""
    if value is None:
        return None
    words = [word.strip() for word in value.split(",")]
    if not all(re.fullmatch(r"[1-9][0-9]{0,5}", word) for word in words):
        raise click.BadParameter(f"{value!r} is not like 1,2,4", context, parameter)
    return tuple(map(int, words))


def _click_option(name: str, option: Option) -> Callable[[F], F]:
    flag = _flag(name)
    match option.kind:
        case "count":
            return click.option(flag, type=click.IntRange(1), help=option.help)
        case "counts":
            return click.option(flag, callback=_counts, metavar="1,2,4,…", help=option.help)
        case "positive":
            positive = click.FloatRange(0.0, min_open=True)
            return click.option(flag, type=positive, metavar=option.unit, help=option.help)
        case "choice":
            return click.option(flag, type=click.Choice(option.choices), help=option.help)
        case "flag":
            return click.option(flag, is_flag=True, help=option.help)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def scenario_options(function: F) -> F:
    """All options of scenarios, on a command."""
    for name, option in reversed(OPTIONS.items()):
        function = _click_option(name, option)(function)
    return click.option(
        "--scenario",
        type=ScenarioName(),
        default=SINGLE_STREAM,
        show_default=True,
        help="The load: one query after the other, or another.",
    )(function)


def choose(named: str, options: Mapping[str, Any], given: Collection[str]) -> Chosen:
    """The scenario that the options of a command choose.

    Args:
        named: after ``--scenario``.
        options: the values of the command's options by name, of ``OPTIONS`` and others.
        given: names of all options that the user gave.

    Raises:
        UsageError: an option that the scenario does not use or cannot work with, or a required
            one that is missing.
    """
    own = {name: options[name] for name in OPTIONS if options.get(name) not in (None, False)}
    for name in sorted(own.keys() - SCENARIOS[named].options.keys()):
        users = [user for user, scenario in SCENARIOS.items() if name in scenario.options]
        raise UsageError(
            f"{_flag(name)} with --scenario {named}", expected=f"--scenario {' or '.join(users)}"
        )
    chosen, label = named, f"--scenario {named}"
    for name, scenario in SCENARIOS.items():
        if scenario.option is not None and own.pop(scenario.option, None):
            chosen, label = name, _flag(scenario.option)
    for name, reason in SCENARIOS[chosen].refuses.items():
        if name in given:
            raise UsageError(f"{_flag(name)} with {label}", fix=reason)
    for name, default in SCENARIOS[chosen].options.items():
        if default is REQUIRED and name not in own:
            what = OPTIONS[name]
            raise UsageError(f"{label} without {_flag(name)}", fix=f"add it: {what.help}")
    return Chosen(chosen, own)
