"""The rungs as a ladder climbs them: ``judge.rungs``, with what a build can find out itself.

    options("calibration", state, neighbours)     # [{"compress.calibration": "mse"}]

Advice to a reader names one step; a ladder tries several of a kind: each format that may be added,
each loss that the task has, and students that were measured.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import chain, islice
from typing import Any, Protocol

from ...exporters import toolchains_of
from ...toolchains import interpreter
from .. import tasks
from ..judge.choice import FP32
from ..judge.rungs import RUNGS, State
from ..judge.shortfall import Need, missed_by
from ..recipe.model_names import is_factory
from ..recipe.recipe import Recipe
from ..recipe.search import RungName
from ..records import Cost, Shortfall
from .trials import settings_of

Change = Mapping[str, Any]
"""What is changed, by keys of the recipe."""
Options = Iterable[Change] | str
"""Changes to try one after the other; or why there is none."""
ONCE: frozenset[RungName] = frozenset({"teacher", "longer", "views"})
"""Rungs whose cost grows each time; they are tried once."""
_DROP = "max_drop_vs_fp32"
_LARGER = 2
"""So many larger students are tried before none is expected to help: on few validation samples one
that is better by a point looks worse in every third comparison."""


class Neighbours(Protocol):
    """Students next to the recipe's own, of those that meet the budgets of resources."""

    def larger(self) -> Iterator[Cost]:
        """The larger ones, the next one first."""
        ...

    def smaller(self) -> Iterator[Cost]:
        """The smaller ones, the largest first."""
        ...


def needs(found: Mapping[str, tuple[Shortfall, ...]]) -> frozenset[Need]:
    """What stands between the files and their budgets.

    Args:
        found: what each file is expected to miss.
    """
    by_fp32 = {miss.key for miss in found.get(FP32, ())}
    return frozenset(
        _need(miss.key, by_fp32, is_fp32=name == FP32)
        for name, misses in found.items()
        for miss in misses
    )


def _need(key: str, by_fp32: set[str], *, is_fp32: bool) -> Need:
    missed = missed_by(key)
    if missed != "answers":
        return missed
    lost = key == _DROP or not (is_fp32 or key in by_fp32)
    return "compression" if lost else "student"


def over(misses: Sequence[Shortfall]) -> float:
    """The largest ratio of a figure of time, memory or size to its budget; 1 where none is over."""
    ratios = (
        miss.value / miss.budget
        for miss in misses
        if missed_by(miss.key) != "answers" and miss.budget > 0.0
    )
    return max((1.0, *ratios))


def options(name: RungName, state: State, neighbours: Neighbours) -> Options:
    """What a rung may change of the recipe as it stands.

    Args:
        name: of the rung.
        state: what has been tried.
        neighbours: of the recipe's student.
    """
    recipe, rung = state.recipe, RUNGS[name]
    if state.over > rung.reach:
        return f"{state.over:.3g} times a budget is beyond what it gains"
    match name:
        case "runtime":
            return _runtime(recipe)
        case "loss":
            return _loss(recipe)
        case "larger" | "smaller":
            return _student(recipe, neighbours, name)
        case "qat" if find_spec("torchao") is None:
            return "torchao is not installed; pip install 'edgestill[qat]'"
    changes = rung.changes(state)
    return [changes] if changes else "the recipe has taken it already, or it does not suit it"


def _runtime(recipe: Recipe) -> Options:
    others = [name for name in settings_of(recipe).formats if name not in recipe.export.formats]
    if not others:
        return "search.formats names no format that is not exported already"
    lacking = {name: _not_set_up(name) for name in others}
    found = [_exported(recipe, name) for name, absent in lacking.items() if absent is None]
    absent = next((one for one in lacking.values() if one is not None), "")
    return found or f"not set up: edgestill toolchains setup {absent}"


def _not_set_up(name: str) -> str | None:
    """The first toolchain of a format that is not there."""
    wanted = toolchains_of(name)
    return next((one for one in wanted if interpreter.python_of(one) is None), None)


def _exported(recipe: Recipe, name: str) -> Change:
    changes: dict[str, Any] = {"export.formats": [*recipe.export.formats, name]}
    if recipe.gate.runtimes is not None:
        changes["gate.runtimes"] = [*recipe.gate.runtimes, name]
    return changes


def _loss(recipe: Recipe) -> Options:
    if recipe.teacher.is_none:
        return "there is no teacher"
    task, own = tasks.of(recipe.data.task), recipe.distill.losses
    others = [name for name in dict.fromkeys(("dist", "dkd", *task.soft_losses)) if name not in own]
    found = [{"distill.losses": {name: 1.0}} for name in others if name in task.soft_losses]
    return found or f"{task.name} has no other soft loss"


def _student(recipe: Recipe, neighbours: Neighbours, which: RungName) -> Options:
    if is_factory(recipe.student.model):
        return "the student is a function of yours, which has one size"
    if recipe.student.weights is not None:
        return "the student starts from weights, which have one size"
    costs = neighbours.larger() if which == "larger" else neighbours.smaller()
    first = next(costs, None)
    if first is None:
        return f"no {which} student meets the budgets of resources"
    most = _LARGER if which == "larger" else 1
    return (
        {"student.model": cost.model, "student.width": cost.width}
        for cost in islice(chain((first,), costs), most)
    )
