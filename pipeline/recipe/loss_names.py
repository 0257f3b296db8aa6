"""Names of the losses, so that a recipe's ``distill.losses`` is checked before any work.

>>> known_soft_loss("kd"), known_layer_loss("my_module:my_loss")
('kd', 'my_module:my_loss')
"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from ...errors import did_you_mean
from .model_names import is_factory

SOFT_LOSSES = ["kd", "mse", "dkd", "dist", "cosine"]
"""``Task.soft_losses`` says what each name means for a task."""
LAYER_LOSSES = ["hint", "attention", "similarity", "rkd", "cosine"]
"""``distill/feature_losses.py`` has a function for each."""


def known_soft_loss(name: str) -> str:
    """The name of a built-in soft loss, or of a user's function, unchanged.

    Raises:
        ValueError: no such loss; names all losses, and the nearest one.
    """
    return _known(name, SOFT_LOSSES)


def known_layer_loss(name: str) -> str:
    """The name of a built-in loss between layers, or of a user's function, unchanged.

    Raises:
        ValueError: no such loss; names all losses, and the nearest one.
    """
    return _known(name, LAYER_LOSSES)


def _known(name: str, names: Sequence[str]) -> str:
    if name in names or is_factory(name):
        return name
    near = did_you_mean(name, names)
    hint = f"; {near}" if near else ""
    listed = f"{', '.join(map(repr, names[:-1]))} or {names[-1]!r}"
    raise ValueError(f"{listed}, or a function of yours as 'module:function'{hint}")


def _one_of(names: Sequence[str]) -> Any:
    """The same for an editor that reads the JSON schema."""
    forms: list[Any] = [{"enum": list(names)}, {"pattern": ":"}]
    return Field(json_schema_extra=lambda schema: schema.update(anyOf=forms))


SoftLossName = Annotated[str, AfterValidator(known_soft_loss), _one_of(SOFT_LOSSES)]
"""One of ``SOFT_LOSSES``, or ``module:function``."""
LayerLossName = Annotated[str, AfterValidator(known_layer_loss), _one_of(LAYER_LOSSES)]
"""One of ``LAYER_LOSSES``, or ``module:function``."""
