"""Every scenario in one table, which imports nothing heavy: a command line lists them at once.

    >>> SCENARIOS["offline"].options["batches"]
    (1, 2, 4, 8, 16, 32)

A new scenario is a module that states an `Implementation` and a line here. A load that no other
scenario runs is a function in `onboard.measure.scenario` besides. An option that no other scenario
has is a line in `OPTIONS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal["count", "counts", "positive", "choice", "flag"]
"""Of an option's value: a whole number above 0, several of them, a number above 0, a word of
several, or whether it is given."""
REQUIRED = "required"
"""In place of a default: the scenario needs this option."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Option:
    """An option of one or more scenarios.

    Attributes:
        kind: of its value.
        help: for a command line.
        unit: of the value, where it has one that the name does not say.
        choices: the words of a choice.
    """

    kind: Kind
    help: str
    unit: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One load.

    Attributes:
        module: the module of this folder whose `IMPLEMENTATION` measures it.
        load: in a few words, for a command line.
        options: its own, each with its default, or `REQUIRED`. A command line has those of them
            that are in `OPTIONS`; the others are for callers in Python.
        refuses: options of every measurement that have no meaning here, each with the reason and
            what to do instead.
        processes: fresh processes of a model where none are requested; None: as in other scenarios.
        option: the option that chooses it instead of its own name; None: its name does.
    """

    module: str
    load: str
    options: Mapping[str, Any] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)
    processes: int | None = None
    option: str | None = None


_CLOSED_LOOP = (
    "operators are timed one query after the other; under this load their times would include "
    "waiting for other queries"
)
_DURATION = "say how long with --duration"

SCENARIOS: dict[str, Scenario] = {
    "single-stream": Scenario(
        "single_stream",
        "one query after the other",
        options={"references": (), "prices": None, "loadgen": False},
    ),
    "multi-stream": Scenario(
        "multi_stream",
        "several closed loops at once",
        options={"streams": 2},
        refuses={"operators": _CLOSED_LOOP},
    ),
    "offline": Scenario(
        "offline",
        "throughput by batch size",
        options={"batches": (1, 2, 4, 8, 16, 32)},
        refuses={"batch": "say which sizes with --batches"},
    ),
    "server": Scenario(
        "server",
        "queries at a fixed rate",
        options={
            "rate": REQUIRED,
            "arrivals": "poisson",
            "deadline_ms": None,
            "streams": 1,
            "duration": 5.0,
        },
        refuses={
            "seconds": _DURATION,
            "operators": _CLOSED_LOOP,
        },
    ),
    "threads": Scenario(
        "threads",
        "latency by intra-op threads",
        options={"counts": ()},
        refuses={"threads": "leave it out: all numbers of threads are measured"},
    ),
    "cold-start": Scenario(
        "cold_start",
        "the first answer of a fresh process",
        refuses={
            "seconds": "leave it out: each process answers one query",
            "meter": "leave it out: one query is too short for samples of power",
            "operators": "leave it out: the first query of a process is run once and not profiled",
        },
    ),
    "sustained": Scenario(
        "sustained",
        "one query after the other for minutes",
        options={"duration": 120.0, "windows": 60},
        refuses={
            "seconds": _DURATION,
            "precision": "say how long with --duration: what this scenario finds is a drift, which "
            "is near 0, and no share of it is a precision",
            "operators": _CLOSED_LOOP,
        },
        processes=1,
    ),
    "loadgen": Scenario(
        "loadgen",
        "one query after the other, by this loop and by MLPerf's loadgen in turn",
        refuses={
            "meter": "leave it out: loadgen decides by itself when it times",
            "operators": "leave it out: the same query is timed by two loops, not by operator",
        },
        option="loadgen",
    ),
}
"""In the order of a command line's help."""

OPTIONS: dict[str, Option] = {
    "streams": Option("count", "Queries at a time, in multi-stream (default 2) and server (1)."),
    "rate": Option("positive", "Queries a second, in server, which needs it."),
    "arrivals": Option(
        "choice",
        "Gaps between queries in server: random (the default) or all alike.",
        choices=("poisson", "constant"),
    ),
    "deadline_ms": Option(
        "positive", "In server: count answers later than this after they were due."
    ),
    "batches": Option("counts", "Samples of a query, in offline; default 1,2,4,8,16,32."),
    "duration": Option(
        "positive",
        "Length of each process's run, in server (default 5) and sustained (default 120, in one "
        "process unless --processes says more).",
        unit="SECONDS",
    ),
    "loadgen": Option(
        "flag",
        "In single-stream: check p90 against MLPerf's loadgen, which the extra loadgen installs.",
    ),
}
