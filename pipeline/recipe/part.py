"""What every part of a recipe has in common: it is frozen, refuses unknown keys and can be hashed.

>>> Schedule(epochs=3).ingredients()["epochs"]
3
"""

from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]

P = TypeVar("P", bound="Part")


class Part(BaseModel):
    """A part of a recipe: frozen, with typed keys; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    addresses: ClassVar[frozenset[str]] = frozenset()
    """Keys whose value is a location. Its content is hashed instead."""

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
