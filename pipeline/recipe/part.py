"""What every part of a recipe has in common: it is frozen, refuses unknown keys and can be hashed.

>>> Schedule(epochs=3).ingredients()["epochs"]
3

What no key shows by itself is a method that is marked ``across`` and raises a ``ValueError``: of
what was expected of several keys together. All of them are told at once, and one that needs a key
that is wrong is left out (``incomplete``).
"""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]

P = TypeVar("P", bound="Part")
Across = Callable[[Any], None]
"""A check of several keys of a part; raises ``ValueError``."""
ACROSS = "across"
"""Type of the problem that ``across`` checks find, for pydantic."""


def across(check: Across) -> Across:
    """Mark a method of a part that checks several of its keys together."""
    check.is_across = True  # type: ignore[attr-defined]
    return check


class Part(BaseModel):
    """A part of a recipe: frozen, with typed keys; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    addresses: ClassVar[frozenset[str]] = frozenset()
    """Keys whose value is a location. Its content is hashed instead."""

    @classmethod
    @cache
    def checks_across(cls) -> tuple[Across, ...]:
        """The methods that are marked ``across``, a base class's first."""
        every = (one for kind in reversed(cls.__mro__) for one in vars(kind).values())
        return tuple(one for one in every if getattr(one, "is_across", False))

    @model_validator(mode="after")
    def _keys_go_together(self) -> Self:
        expected = []
        for check in self.checks_across():
            try:
                check(self)
            except ValueError as error:
                expected.append(str(error))
        if expected:
            raise PydanticCustomError(ACROSS, "{expected}", {"expected": "; ".join(expected)})
        return self

    def ingredients(self) -> dict[str, Any]:
        """The values of this part that decide a stage's result, as JSON."""
        plain = self.model_dump(mode="json", exclude=set(self.addresses))
        return {key: _ingredients_of(getattr(self, key), value) for key, value in plain.items()}

    def only(self, kind: type[P]) -> P:
        """The keys of a base class alone, so that the other keys do not enter a stage's key."""
        return kind.model_validate({key: getattr(self, key) for key in kind.model_fields})


def _ingredients_of(value: Any, plain: Any) -> Any:
    """A nested part, or a tuple of them, by its ingredients; any other value as JSON has it."""
    if isinstance(value, Part):
        return value.ingredients()
    if isinstance(value, tuple):
        return [_ingredients_of(*pair) for pair in zip(value, plain, strict=True)]
    return plain
