"""The load under which models are measured, with the options of its own.

>>> choose("single-stream", {}, ())
Chosen(scenario='single-stream', options={})
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ...devices.scenarios.table import OPTIONS, REQUIRED, SCENARIOS
from ...errors import UsageError, did_you_mean

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


def choose(named: str, options: Mapping[str, Any], given: Collection[str]) -> Chosen:
    """The scenario that the options of a command choose.

    Args:
        named: after ``--scenario``.
        options: the values of the command's options by name, of ``OPTIONS`` and others.
        given: names of all options that the user gave.

    Raises:
        UsageError: no such scenario, an option that it does not use or cannot work with, or a
            required one that is missing.
    """
    if named not in SCENARIOS:
        raise UsageError(
            repr(named),
            expected=f"one of {', '.join(SCENARIOS)}",
            where="--scenario",
            fix=did_you_mean(named, SCENARIOS),
        )
    own = {name: options[name] for name in OPTIONS if options.get(name) not in (None, False)}
    for name in sorted(own.keys() - SCENARIOS[named].options.keys()):
        users = [user for user, scenario in SCENARIOS.items() if name in scenario.options]
        raise UsageError(
            f"{flag(name)} with --scenario {named}", expected=f"--scenario {' or '.join(users)}"
        )
    chosen, label = named, f"--scenario {named}"
    for name, scenario in SCENARIOS.items():
        if scenario.option is not None and own.pop(scenario.option, None):
            chosen, label = name, flag(scenario.option)
    for name, reason in SCENARIOS[chosen].refuses.items():
        if name in given:
            raise UsageError(f"{flag(name)} with {label}", fix=reason)
    for name, default in SCENARIOS[chosen].options.items():
        if default is REQUIRED and name not in own:
            what = OPTIONS[name]
            raise UsageError(
                f"{label} without {flag(name)}",
                fix=f"add {flag(name)} N: {what.help[:1].lower()}{what.help[1:].rstrip('.')}",
            )
    return Chosen(chosen, own)


def flag(name: str) -> str:
    """The option of the command line: ``--duration``."""
    return f"--{name.replace('_', '-')}"
