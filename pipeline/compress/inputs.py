"""What the stages of this folder take as input. All of it is part of their keys.

Importing this module loads no torch, so that a plan can be made without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..distill.inputs import Models, Training
from ..engine.stage import Made
from ..recipe.architecture import Architecture
from ..recipe.compress import Compress, StaticRanges
from ..recipe.export import Export
from ..recipe.part import Part
from ..records import DataRecord, ModelRecord, Plan


@dataclass(frozen=True, slots=True)
class TrialInputs:
    """Input of the trial stage.

    Attributes:
        key: of the recipe that names the module, ``student.model`` or ``teacher.model``.
        architecture: the function of the user and its arguments.
        module_hash: hash of the user's module; only the key needs it.
        trained: whether it is trained here.
        normalized: whether it takes normalized samples.
        opset: ONNX operator set of the file.
        data: the data stage's output.
    """

    key: str
    architecture: Architecture
    module_hash: str | None
    trained: bool
    normalized: bool
    opset: int
    data: Made[DataRecord]


@dataclass(frozen=True, slots=True)
class TunedInputs:
    """Input of the tuned stage.

    Attributes:
        plan: how int8 is done for the target.
        opset: ONNX operator set of the file.
        students: the distilled students; the best of them is trained further.
        training: how they were trained.
        method: a name in ``compress.train.stage.METHODS``.
        settings: the method's part of the recipe.
    """

    plan: Plan
    opset: int
    students: tuple[Made[ModelRecord], ...]
    training: Training
    method: str
    settings: Part


@dataclass(frozen=True, slots=True)
class VariantsInputs:
    """Input of the variants stage.

    Attributes:
        compress: the recipe's part.
        plan: how int8 is done for its target.
        export: the recipe's part.
        models: what is exported and compressed.
        data: the data stage's output.
        batch: samples a query, for formats whose files have a fixed batch; None: no such format.
        toolchains: the digest of the requirements of each toolchain that converts, by its name.
    """

    compress: Compress
    plan: Plan
    export: Export
    models: Models
    data: Made[DataRecord]
    batch: int | None = None
    toolchains: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Int8PlainInputs:
    """Input of the int8-plain stage.

    Attributes:
        ranges: how static int8 finds the ranges of activations.
        plan: how int8 is done for the target.
        opset: ONNX operator set of the files.
        students: the distilled students, of which the best has files already; empty where there is
            one alone.
        plain: the same students trained on labels alone.
        data: the data stage's output.
    """

    ranges: StaticRanges
    plan: Plan
    opset: int
    students: tuple[Made[ModelRecord], ...]
    plain: tuple[Made[ModelRecord], ...]
    data: Made[DataRecord]
