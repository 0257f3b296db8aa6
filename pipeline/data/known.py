"""What is known of a recipe's data without a stage that runs.

>>> record = record_of(recipe.data, recipe.seed, store, key)              # doctest: +SKIP
>>> record.rows if record else "too large to be read for a plan"          # doctest: +SKIP
"""

from ..engine.store import Store
from ..recipe.data import Data
from ..records import DataRecord


def record_of(data: Data, seed: int, store: Store, key: str) -> DataRecord | None:
    """The record of the data stage, or what a look at them shows; None: that takes too long.

    Raises:
        DataError: what a build would refuse about them.
    """
    if (record := store.peek(key)) is not None:
        return DataRecord.model_validate(record)
    from .examine import look  # scikit-learn, to share the samples out

    return look(data, seed)
