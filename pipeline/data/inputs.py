"""What the data stage takes as input. All of it is part of its key."""

from dataclasses import dataclass

from ..recipe.data import Data


@dataclass(frozen=True, slots=True)
class DataInputs:
    """Input of the data stage.

    Attributes:
        data: the recipe's section.
        source_hash: hash of the source; only the key needs it.
        tokenizer_hash: hash of the tokenizer that the recipe names; only the key needs it.
        seed: of the splits.
        unlabelled_hash: hash of the source of unlabelled samples; only the key needs it.
    """

    data: Data
    source_hash: str
    tokenizer_hash: str | None
    seed: int
    unlabelled_hash: str | None = None
