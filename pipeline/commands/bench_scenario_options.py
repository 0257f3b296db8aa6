"""The options of ``edgestill bench`` that choose and shape a scenario; they import nothing heavy.

They are those of ``devices.scenarios.table``: a new scenario is added there, not here.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...devices.scenarios.table import OPTIONS, SCENARIOS, Option
from ..finished.scenario import SINGLE_STREAM, flag

F = TypeVar("F", bound=Callable[..., Any])


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
    told = flag(name)
    match option.kind:
        case "count":
            return click.option(told, type=click.IntRange(1), help=option.help)
        case "counts":
            return click.option(told, callback=_counts, metavar="1,2,4,…", help=option.help)
        case "positive":
            positive = click.FloatRange(0.0, min_open=True)
            return click.option(told, type=positive, metavar=option.unit, help=option.help)
        case "choice":
            return click.option(told, type=click.Choice(option.choices), help=option.help)
        case "flag":
            return click.option(told, is_flag=True, help=option.help)


def scenario_options(function: F) -> F:
    """All options of scenarios, on a command."""
    for name, option in reversed(OPTIONS.items()):
        function = _click_option(name, option)(function)
    return click.option(
        "--scenario",
        type=ScenarioName(),
        default=SINGLE_STREAM,
        show_default=True,
        metavar="LOAD",
        help=f"The load: {', '.join(_names())}.",
    )(function)
