"""Model families: one file for each, and one table with all families.

>>> net = build(Architecture(model="mlp2"), Signature((64,), "table", outputs=10))
>>> parameters(net)
1482
"""

from collections.abc import Callable

import torch
from torch import nn

from ..recipe.architecture import Architecture
from ..recipe.model_names import family_and_depth, is_factory
from ..records import DataRecord
from . import conv1d, dan, dscnn, factory, mlp, mobilenet, resnet, transformer
from .deployed import Deployed
from .signature import Signature, signature, tokens

Family = Callable[[int, int, Signature], nn.Module]
FAMILIES: dict[str, Family] = {
    "mlp": mlp.build,
    "resnet": resnet.build,
    "mobilenet": mobilenet.build,
    "dscnn": dscnn.build,
    "conv1d": conv1d.build,
    "transformer": transformer.build,
    "dan": dan.build,
}
"""``build(depth, width, of)`` returns a backbone of ``Deployed`` for ``of.backbone_shape``.

A new family is a file beside these, a line here and a line in ``recipe/model_names.py``.
"""


def build(architecture: Architecture, of: Signature) -> nn.Module:
    """A backbone with random weights: of a family, or from a function of the user.

    Args:
        architecture: family, depth and width, or ``module:function`` and its arguments.
        of: the model's input and outputs.

    Raises:
        RecipeError: the family does not take such samples.
        ModelError: the user's function fails, or does not return such a model.
        ValueError: no such family or depth; a recipe has checked both.
    """
    if is_factory(architecture.model):
        return factory.build(architecture, of)
    family, depth = family_and_depth(architecture.model)
    return FAMILIES[family](depth, architecture.width, of)


def deployed(
    architecture: Architecture,
    data: DataRecord,
    outputs: int | None = None,
    *,
    normalized: bool = True,
    standardized: bool = True,
) -> Deployed:
    """The model as it ships: its input is a sample of the data set, for it normalizes by itself.

    Args:
        architecture: of the backbone.
        data: the data set.
        outputs: numbers it gives; None: as many as the task has.
        normalized: whether the backbone takes normalized samples; else it normalizes by itself.
        standardized: whether the backbone gives standardized numbers of a regression; else it
            gives them in the units of the labels.
    """
    backbone = build(architecture, signature(data, outputs))
    mean, std = scaling(data, normalized=normalized)
    answers = (data.answer_mean, data.answer_std) if standardized else ((), ())
    return Deployed(backbone, data.layout, mean, std, answers)


def scaling(data: DataRecord, *, normalized: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation that samples are normalized by; 0 and 1 leave them as they are."""
    return (data.mean, data.std) if normalized or not data.mean else ((0.0,), (1.0,))


def parameters(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters())


KINDS: dict[str, torch.dtype] = {
    "uint8": torch.uint8,
    "int16": torch.int16,
    "int32": torch.int32,
    "float32": torch.float32,
}
"""The dtypes a data set may have."""


def example(data: DataRecord, batch: int = 2) -> torch.Tensor:
    """A batch with the model's input dtype and shape: zeros, or token ids and then padding."""
    shape = (batch, *data.sample_shape)
    if data.layout == "tokens":
        return tokens(shape, data.pad)
    return torch.zeros(shape, dtype=KINDS[data.dtype])
