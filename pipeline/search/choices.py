"""What ``edgestill search`` may choose: the student, and what of its distillation is worth it.

    space = space_of(recipe, architectures)
    space.change({"student.model": 0, "distill.alpha": 1})       # {"student.model": "mlp1", …}

``TABLE`` is the whole space; ``search.choices`` narrows it. A numeric choice is around the recipe's
own value, which is always among the options: the first choice that is tried is the recipe itself.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import tasks
from ..recipe.architecture import Architecture
from ..recipe.model_names import is_factory
from ..recipe.recipe import Recipe
from ..recipe.search import AUTO, ChoiceName
from .trials import settings_of

Picks = Mapping[str, int]
"""The place of an option, by the key of its choice."""
MODEL, WIDTH, LOSSES, TEMPERATURE = (
    "student.model",
    "student.width",
    "distill.losses",
    "distill.temperature",
)
_SOFTENED = frozenset({"kd", "dkd", "dist"})
"""Losses that take a temperature."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One key of the recipe and its options.

    Attributes:
        key: of the recipe.
        options: values; of a width its place among those of the model that is chosen.
        ordered: whether neighbours are alike.
    """

    key: str
    options: tuple[Any, ...]
    ordered: bool


@dataclass(frozen=True, slots=True)
class Space:
    """All choices of a search.

    Attributes:
        recipe: that they change.
        choices: each with at least two options.
        widths: of each model to choose from; empty where the student stays.
    """

    recipe: Recipe
    choices: tuple[Choice, ...]
    widths: Mapping[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        """How many ways to choose there are; some of them may be the same recipe."""
        return math.prod(len(choice.options) for choice in self.choices)

    def change(self, picks: Picks) -> dict[str, Any]:
        """What a choice makes of the recipe, by key; keys that keep their value are in it, too."""
        values = {choice.key: choice.options[picks[choice.key]] for choice in self.choices}
        if self.widths:
            model = values.setdefault(MODEL, next(iter(self.widths)))
            values[WIDTH] = self._width(model, values.get(WIDTH, 0))
        used = values.get(LOSSES, self.recipe.distill.losses)
        if TEMPERATURE in values and not _takes_temperature(used):
            values[TEMPERATURE] = self.recipe.distill.temperature
        return values

    def _width(self, model: str, place: int) -> int:
        widths = self.widths[model]
        most = max(map(len, self.widths.values())) - 1
        return widths[round(place / most * (len(widths) - 1)) if most else 0]

    def own(self) -> dict[str, int]:
        """The choice that is the recipe itself; of a student to be chosen one in the middle."""
        return {choice.key: self._own(choice) for choice in self.choices}

    def _own(self, choice: Choice) -> int:
        student = self.recipe.student
        section, _, name = choice.key.partition(".")
        if choice.key == WIDTH and student.model != AUTO:
            places = range(len(choice.options))
            return next(at for at in places if self._width(student.model, at) == student.width)
        value = getattr(getattr(self.recipe, section), name)
        middle = len(choice.options) // 2
        return choice.options.index(value) if value in choice.options else middle


def _takes_temperature(losses: Mapping[str, float]) -> bool:
    return any(name in _SOFTENED or is_factory(name) for name in losses)


def _losses(recipe: Recipe) -> tuple[dict[str, float], ...]:
    """The recipe's own, and each built-in soft loss of the task by itself."""
    own: dict[str, float] = {str(name): weight for name, weight in recipe.distill.losses.items()}
    others = ({name: 1.0} for name in tasks.of(recipe.data.task).soft_losses)
    return (own, *(one for one in others if set(one) != set(own)))


def _temperatures(recipe: Recipe) -> tuple[float, ...]:
    if not any(map(_takes_temperature, _losses(recipe))):
        return ()
    return _around(recipe.distill.temperature, (0.25, 0.5, 1.0, 2.0), most=100.0)


def _alphas(recipe: Recipe) -> tuple[float, ...]:
    if tasks.of(recipe.data.task).labels is None:
        return ()
    return tuple(sorted({0.5, 0.9, 1.0, recipe.distill.alpha}))


def _epochs(recipe: Recipe) -> tuple[int, ...]:
    return recipe.distill.epochs, 2 * recipe.distill.epochs


def _learning_rates(recipe: Recipe) -> tuple[float, ...]:
    return _around(recipe.distill.learning_rate, (1 / 3, 1.0, 3.0), most=10.0)


def _around(own: float, factors: Sequence[float], most: float) -> tuple[float, ...]:
    """Multiples of the recipe's own value, three digits each; its own as it is."""
    found = {own if factor == 1.0 else float(f"{own * factor:.3g}") for factor in factors}
    return tuple(sorted(value for value in found if value <= most))


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table.

    Attributes:
        key: of the recipe.
        options: of a recipe.
        ordered: whether neighbours are alike.
    """

    key: str
    options: Callable[[Recipe], tuple[Any, ...]]
    ordered: bool


TABLE: dict[ChoiceName, _Row] = {
    "loss": _Row(LOSSES, _losses, ordered=False),
    "temperature": _Row(TEMPERATURE, _temperatures, ordered=True),
    "alpha": _Row("distill.alpha", _alphas, ordered=True),
    "epochs": _Row("distill.epochs", _epochs, ordered=True),
    "learning-rate": _Row("distill.learning_rate", _learning_rates, ordered=True),
}
"""By the name that ``search.choices`` has; ``student`` is two choices, made of the candidates."""


def space_of(recipe: Recipe, architectures: Sequence[Architecture]) -> Space:
    """The space of a recipe.

    Args:
        recipe: whose own values are options, too.
        architectures: candidates for the student; none: it stays as it is.
    """
    names = settings_of(recipe).choices
    widths = _widths(recipe, architectures) if "student" in names else {}
    found = list(_student(widths))
    for name, row in TABLE.items():
        if name in names:
            found.append(Choice(row.key, row.options(recipe), row.ordered))
    return Space(recipe, tuple(one for one in found if len(one.options) > 1), widths)


def _widths(recipe: Recipe, architectures: Sequence[Architecture]) -> dict[str, tuple[int, ...]]:
    """Widths of each model in order, the recipe's own student among them."""
    student = recipe.student
    pairs = {(one.model, one.width) for one in architectures}
    if pairs and student.model != AUTO:
        pairs.add((student.model, student.width))
    models = dict.fromkeys(one.model for one in architectures) | (
        {student.model: None} if pairs and student.model != AUTO else {}
    )
    return {
        model: tuple(sorted(width for other, width in pairs if other == model)) for model in models
    }


def _student(widths: Mapping[str, tuple[int, ...]]) -> list[Choice]:
    most = max(map(len, widths.values()), default=0)
    return [
        Choice(MODEL, tuple(widths), ordered=False),
        Choice(WIDTH, tuple(range(most)), ordered=True),
    ]


def may_change_student(recipe: Recipe) -> bool:
    """Whether other students can be tried at all.

    A function of the user's makes one size; losses between layers name those of one student, and
    ``distill.initialize`` takes the teacher's layers for it.
    """
    return not (is_factory(recipe.student.model) or recipe.distill.needed)
