"""The rungs of the ladder: what each changes of a recipe, and which shortfalls it helps against.

    RUNGS["calibration"].options(recipe, neighbours)     # [{"compress.calibration": "mse", …}]

The order is that of ``search.ladder``: better calibration costs seconds, a longer distillation the
time of a training.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, Protocol

from ...exporters import toolchains_of
from ...toolchains import interpreter
from .. import tasks
from ..judge.budgets import BUDGETS
from ..recipe.model_names import is_factory
from ..recipe.recipe import Recipe
from ..recipe.search import RungName
from ..records import Cost, Shortfall
from .trials import settings_of

Trouble = Literal["resources", "int8", "quality"]
"""Of a shortfall: the file takes too much of the device; it loses too much to fp32; fp32 itself is
not good enough."""
Change = Mapping[str, Any]
"""What is changed, by keys of the recipe."""
Options = Sequence[Change] | str
"""Changes to try one after the other; or why there is none."""
FP32 = "fp32"
_DROP = "max_drop_vs_fp32"
_CALIBRATION, _MORE = "mse", 4
"""A range of least squared error, from so many times the samples."""
_LONGER, _MORE_VIEWS = 3, 2
"""Times the epochs and the views."""


class Neighbours(Protocol):
    """Students next to the recipe's own, of those that meet the budgets of resources."""

    def larger(self) -> Cost | None:
        """The next larger one; None where there is none."""
        ...

    def smaller(self) -> Cost | None:
        """The largest that is smaller; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Rung:
    """One thing to try.

    Attributes:
        helps: against what.
        options: ``(recipe, neighbours)``: what it may change of the recipe as it stands.
        again: whether what it gave may be followed by more of the same.
    """

    helps: frozenset[Trouble]
    options: Callable[[Recipe, Neighbours], Options]
    again: bool = True


def troubles(found: Mapping[str, tuple[Shortfall, ...]]) -> frozenset[Trouble]:
    """What stands between the files and their budgets.

    Args:
        found: what each file is expected to miss.
    """
    by_fp32 = {miss.key for miss in found.get(FP32, ())}
    return frozenset(
        _trouble(miss.key, by_fp32, is_fp32=name == FP32)
        for name, misses in found.items()
        for miss in misses
    )


def _trouble(key: str, by_fp32: set[str], *, is_fp32: bool) -> Trouble:
    if key in BUDGETS and BUDGETS[key].measured is not None:
        return "resources"
    if key == _DROP or not (is_fp32 or key in by_fp32):
        return "int8"
    return "quality"


def _with_variant(name: str) -> Callable[[Recipe, Neighbours], Options]:
    def options(recipe: Recipe, _: Neighbours) -> Options:
        if name in recipe.compress.variants:
            return f"the recipe has {name} already"
        return [{"compress.variants": [*recipe.compress.variants, name]}]

    return options


def _calibration(recipe: Recipe, _: Neighbours) -> Options:
    compress = recipe.compress
    if not {"int8-static", "int8-mixed"} & set(compress.variants):
        return "no variant has ranges from calibration samples"
    if compress.calibration == _CALIBRATION:
        return f"calibration is by {_CALIBRATION} already"
    samples = _MORE * compress.calibration_samples
    return [{"compress.calibration": _CALIBRATION, "compress.calibration_samples": samples}]


def _mixed(recipe: Recipe, neighbours: Neighbours) -> Options:
    found = _with_variant("int8-mixed")(recipe, neighbours)
    drop = recipe.gate.max_drop_vs_fp32
    if isinstance(found, str) or drop is None or drop <= 0.0:
        return found
    # Half of what is allowed: calibration samples are few, and test is another sample.
    most = min(recipe.compress.mixed_max_loss, drop / 2)
    return [{**found[0], "compress.mixed_max_loss": most}]


def _qat(recipe: Recipe, neighbours: Neighbours) -> Options:
    if find_spec("torchao") is None:
        return "torchao is not installed; pip install 'edgestill[qat]'"
    return _with_variant("int8-qat")(recipe, neighbours)


def _runtime(recipe: Recipe, _: Neighbours) -> Options:
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


def _longer(recipe: Recipe, _: Neighbours) -> Options:
    distill = recipe.distill
    changes: dict[str, Any] = {"distill.epochs": _LONGER * distill.epochs}
    if recipe.augment.varies and distill.views > 0:
        changes["distill.views"] = _MORE_VIEWS * distill.views
    return [changes]


def _loss(recipe: Recipe, _: Neighbours) -> Options:
    task, own = tasks.of(recipe.data.task), recipe.distill.losses
    others = [name for name in dict.fromkeys(("dkd", *task.soft_losses)) if name not in own]
    found = [{"distill.losses": {name: 1.0}} for name in others if name in task.soft_losses]
    return found or f"{task.name} has no other soft loss"


def _larger(recipe: Recipe, neighbours: Neighbours) -> Options:
    return _student(recipe, neighbours.larger, "larger")


def _smaller(recipe: Recipe, neighbours: Neighbours) -> Options:
    return _student(recipe, neighbours.smaller, "smaller")


def _student(recipe: Recipe, next_one: Callable[[], Cost | None], which: str) -> Options:
    if is_factory(recipe.student.model):
        return "the student is a function of yours, which has one size"
    cost = next_one()
    if cost is None:
        return f"no {which} student meets the budgets of resources"
    return [{"student.model": cost.model, "student.width": cost.width}]


_RESOURCES: frozenset[Trouble] = frozenset({"resources"})
_INT8: frozenset[Trouble] = frozenset({"int8"})
_QUALITY: frozenset[Trouble] = frozenset({"quality"})
RUNGS: dict[RungName, Rung] = {
    "int8": Rung(_RESOURCES, _with_variant("int8-static")),
    "calibration": Rung(_INT8, _calibration),
    "mixed": Rung(_INT8, _mixed),
    "runtime": Rung(_RESOURCES | _INT8, _runtime),
    "qat": Rung(_INT8, _qat),
    "longer": Rung(_QUALITY, _longer, again=False),
    "loss": Rung(_QUALITY, _loss),
    "larger": Rung(_QUALITY, _larger),
    "smaller": Rung(_RESOURCES, _smaller),
    "pruning": Rung(_RESOURCES, _with_variant("pruned")),
}
"""By the name that ``search.ladder`` has."""
