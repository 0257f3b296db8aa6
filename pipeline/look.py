"""What a plan looks at before any stage runs: the data, and the modules of the user's.

>>> record = record_of(recipe, store, key)                                # doctest: +SKIP
>>> record.rows if record else "too large to be read for a plan"          # doctest: +SKIP
"""

from importlib.util import find_spec

from .compress.inputs import TrialInputs
from .engine.store import Store
from .preflight import suits
from .recipe.recipe import Recipe
from .records import DataRecord

WITHOUT_TORCH = "not tried in this plan, which lacks torch: pip install 'edgestill[train]'"
TOO_LARGE = "not tried in this plan: the data are too large to be read for it"


def record_of(recipe: Recipe, store: Store, key: str) -> DataRecord | None:
    """The record of the data stage, or what is known without it; None where that takes too long.

    Raises:
        DataError: what a build would refuse about them.
    """
    if (record := store.peek(key)) is not None:
        return DataRecord.model_validate(record)
    from .data.examine import look  # scikit-learn, to share the samples out

    return look(recipe.data, recipe.seed)


def at_data(recipe: Recipe, store: Store, key: str) -> DataRecord | None:
    """What is known of the data; refuses at once what a build would refuse after reading them."""
    record = record_of(recipe, store, key)
    if record is not None:
        suits(recipe, record)
    return record


def at_module(inputs: TrialInputs, data: DataRecord | None) -> str | None:
    """Make a module of the user's and let it answer two samples, as the trial stage does first.

    Returns:
        Why it was left out; None: it was not.

    Raises:
        ModelError: as the trial stage.
    """
    if find_spec("torch") is None:
        return WITHOUT_TORCH
    if data is None:
        return TOO_LARGE
    from .models import build
    from .models.signature import signature

    build(inputs.architecture, signature(data))
    return None
