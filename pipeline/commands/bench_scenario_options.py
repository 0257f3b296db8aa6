"""The options of ``edgestill bench`` that choose and shape a scenario; cheap to import."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

import click

from ...errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

SINGLE_STREAM = "single-stream"
SCENARIOS = (
    SINGLE_STREAM,
    "multi-stream",
    "offline",
    "server",
    "threads",
    "cold-start",
    "sustained",
)


def _sizes(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    """Whole numbers above 0 with commas between."""
    if value is None:
        return None
    words = [word.strip() for word in value.split(",")]
    if not all(re.fullmatch(r"[1-9][0-9]{0,5}", word) for word in words):
        raise click.BadParameter(f"{value!r} is not like 1,2,4", context, parameter)
    return tuple(map(int, words))


_OPTIONS = (
    click.option(
        "--scenario",
        type=click.Choice(SCENARIOS),
        default=SINGLE_STREAM,
        show_default=True,
        help="The load: one query after the other, or another.",
    ),
    click.option(
        "--streams",
        type=click.IntRange(1),
        help="Queries at a time, in multi-stream (default 2) and server (default 1).",
    ),
    click.option(
        "--rate",
        type=click.FloatRange(0.0, min_open=True),
        help="Queries a second, in server, which needs it.",
    ),
    click.option(
        "--arrivals",
        type=click.Choice(("poisson", "constant")),
        help="Gaps between queries in server: random (the default) or all alike.",
    ),
    click.option(
        "--deadline-ms",
        type=click.FloatRange(0.0, min_open=True),
        help="In server: count answers later than this after they were due.",
    ),
    click.option(
        "--batches",
        callback=_sizes,
        metavar="1,2,4,…",
        help="Samples a query, in offline; default 1,2,4,8,16,32.",
    ),
    click.option(
        "--duration",
        type=click.FloatRange(0.0, min_open=True),
        metavar="SECONDS",
        help="Length of each process's run, in server (default 5) and sustained (default 120, in "
        "one process unless --processes says more).",
    ),
    click.option(
        "--loadgen",
        is_flag=True,
        help="In single-stream: check p90 against MLPerf's loadgen, which the extra loadgen "
        "brings.",
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a scenario, None where they were not given.

    Attributes:
        scenario: its name.
        streams: queries at a time.
        rate: queries a second.
        arrivals: ``poisson`` or ``constant``.
        deadline_ms: from when a query is due to its answer.
        batches: samples a query.
        duration: seconds of each process's run.
        loadgen: whether to check against loadgen.
    """

    scenario: str
    streams: int | None = None
    rate: float | None = None
    arrivals: str | None = None
    deadline_ms: float | None = None
    batches: tuple[int, ...] | None = None
    duration: float | None = None
    loadgen: bool = False


_USES: Mapping[str, frozenset[str]] = {
    "single-stream": frozenset({"loadgen"}),
    "multi-stream": frozenset({"streams"}),
    "offline": frozenset({"batches"}),
    "server": frozenset({"streams", "rate", "arrivals", "deadline_ms", "duration"}),
    "threads": frozenset(),
    "cold-start": frozenset(),
    "sustained": frozenset({"duration"}),
}


# An option of the command that a scenario would ignore, and what to do about it.
_INSTEAD: Mapping[str, tuple[str, str]] = {
    "offline": ("batch", "say which sizes with --batches"),
    "server": ("seconds", "say how long with --duration"),
    "threads": ("threads", "leave it out: all numbers of threads are measured"),
    "cold-start": ("seconds", "leave it out: each process answers one query"),
    "sustained": ("seconds", "say how long with --duration"),
}


def check(asked: Asked) -> None:
    """Refuse options that the scenario does not use, and a server without a rate.

    Raises:
        UsageError: there is one.
    """
    given = {name for name, value in asdict(asked).items() if value not in (None, False)}
    unused = sorted(given - _USES[asked.scenario] - {"scenario"})
    if unused:
        users = [name for name, used in _USES.items() if unused[0] in used]
        raise UsageError(
            f"--{unused[0].replace('_', '-')} with --scenario {asked.scenario}",
            expected=f"--scenario {' or '.join(users)}",
        )
    if asked.scenario == "server" and asked.rate is None:
        raise UsageError(
            "--scenario server without a rate", fix="say how many queries a second with --rate"
        )


def options_of_scenarios() -> tuple[str, ...]:
    """Their names."""
    return tuple(one.name for one in fields(Asked))


def scenario_options(function: F) -> F:
    """All options of scenarios, on a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def asked_of(given: dict[str, Any], context: click.Context) -> Asked:
    """Take a scenario's options out of a command's, checked.

    Args:
        given: all options by name; those of `Asked` leave it, and `processes` becomes 1 in
            sustained where nobody said otherwise.
        context: of the command, which knows what was said.

    Raises:
        UsageError: an option that the scenario does not use.
    """
    asked = Asked(**{one.name: given.pop(one.name) for one in fields(Asked)})
    check(asked)

    def said(name: str) -> bool:
        return context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT

    other = _INSTEAD.get(asked.scenario)
    if other is not None and said(other[0]):
        raise UsageError(f"--{other[0]} with --scenario {asked.scenario}", fix=other[1])
    if asked.scenario == "sustained" and not said("processes"):
        given["processes"] = 1
    return asked
