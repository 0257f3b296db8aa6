"""Commands that a report suggests: as they are typed beside a recipe, or with a run's own files.

>>> build("benchmark.max_seconds=600")
'edgestill build recipe.toml --set benchmark.max_seconds=600'
>>> gate("gate.max_p50_ms=2.1")
'edgestill gate RUN --set gate.max_p50_ms=2.1'
>>> located(gate("gate.max_p50_ms=2.1"), "artifacts/runs/digits/1")
'edgestill gate artifacts/runs/digits/1 --set gate.max_p50_ms=2.1'

A page is read by who has it, wherever that is, so its commands begin at the folder of artifacts:

>>> on_page(build(), Path("/home/me/artifacts/runs/digits/1")).where
'From the folder that holds artifacts/:'
"""

import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from ..records import Check, VerifyRecord
from . import gap

_RECIPE, _RUN = "recipe.toml", "RUN"
_DEPTH = 4
"""Folders that a run is named by: artifacts/runs/NAME/TIME."""
_DIGITS = 3


def build(*overrides: str) -> str:
    """Build again with other settings."""
    return shlex.join(["edgestill", "build", _RECIPE, *_set(overrides)])


def gate(*overrides: str) -> str:
    """Judge again by other budgets; nothing is measured."""
    return shlex.join(["edgestill", "gate", _RUN, *_set(overrides)])


def located(command: str, run: str) -> str:
    """The same with the recipe and the folder of a run.

    Args:
        command: of this module.
        run: the folder, as it is typed.
    """
    places = {_RECIPE: f"{run}/{_RECIPE}", _RUN: run}
    return shlex.join([places.get(word, word) for word in shlex.split(command)])


@dataclass(frozen=True, slots=True)
class OnPage:
    """A command as a page shows it.

    Attributes:
        command: to copy.
        where: in which folder it works, as a sentence; None where any folder does.
    """

    command: str
    where: str | None


def on_page(command: str, run: Path | None) -> OnPage:
    """A command with the run's folder, without what lies above its artifacts: pages are moved.

    Args:
        command: of this module.
        run: the folder of the run; None: not known.
    """
    if run is None or len(run.parts) < _DEPTH:
        return OnPage(command, None)
    parts = run.parts[-_DEPTH:]
    placed = located(command, "/".join(parts))
    where = f"From the folder that holds {parts[0]}/:" if placed != command else None
    return OnPage(placed, where)


def met_by(check: Check, quality: VerifyRecord) -> str | None:
    """A budget, as ``--set`` takes it, that the whole interval of a figure lies inside.

    None where the interval has no such end, or no recipe sets the budget.
    """
    worst = gap.worst(check, quality)
    key, dot, name = check.key.partition(".")
    if worst is None or not math.isfinite(worst) or not key.startswith(("min_", "max_")):
        return None
    grain = 10.0 ** (math.floor(math.log10(abs(worst) or 1.0)) - _DIGITS + 1)
    outward = math.ceil if gap.at_most(check, quality) else math.floor
    quoted = name if name.replace("_", "").isalnum() and name.isascii() else f'"{name}"'
    # A step that a division has rounded up to is not one that the figure needs.
    return f"gate.{key}{dot}{quoted if dot else ''}={outward(round(worst / grain, 6)) * grain:.12g}"


def _set(overrides: tuple[str, ...]) -> list[str]:
    return [word for text in overrides for word in ("--set", text)]
