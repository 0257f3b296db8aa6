"""What the stages of this folder take as input. All of it is part of their keys.

Importing this module loads no torch, so that a plan can be made without it.
"""

from dataclasses import dataclass

from ..engine.stage import Made
from ..recipe.architecture import Architecture
from ..records import DataRecord, TargetsRecord


@dataclass(frozen=True, slots=True)
class CostsInputs:
    """Input of the costs stage.

    Attributes:
        architectures: of the candidates.
        data: the data stage's output.
        targets: where the teacher decides how many numbers a student gives; else None.
    """

    architectures: tuple[Architecture, ...]
    data: Made[DataRecord]
    targets: Made[TargetsRecord] | None


@dataclass(frozen=True, slots=True)
class UntrainedInputs:
    """Input of the untrained stage.

    Attributes:
        architecture: of the candidate.
        module_hash: hash of the user's module that makes the student; only the key needs it.
        data: the data stage's output.
        targets: as in ``CostsInputs``.
    """

    architecture: Architecture
    module_hash: str | None
    data: Made[DataRecord]
    targets: Made[TargetsRecord] | None
