"""Model families: one file each, one table that names them.

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
from . import conv1d, dscnn, factory, mlp, mobilenet, resnet, transformer
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
}
"""``build(depth, width, of)``, a backbone of ``Deployed``: it takes ``of.backbone_shape``."""


def build(architecture: Architecture, of: Signature) -> nn.Module:
    """A freshly initialised backbone, of a family or by a function of the user's.

    Args:
        architecture: family, depth and width, or ``module:function`` and its arguments.
        of: what it takes and gives.

    Raises:
        RecipeError: samples that the family cannot take.
        ModelError: the user's function fails, or makes something else than such a model.
        ValueError: no such family or depth, which a recipe's model never is.
    """
    if is_factory(architecture.model):
        return factory.build(architecture, of)
    family, depth = family_and_depth(architecture.model)
    return FAMILIES[family](depth, architecture.width, of)


def deployed(architecture: Architecture, data: DataRecord, outputs: int | None = None) -> Deployed:
    """The model as it ships: it takes what the data set holds, normalization is part of it.

    Args:
        architecture: of the backbone.
        data: the data set.
        outputs: numbers it gives; None: as many as the task has.
    """
    backbone = build(architecture, signature(data, outputs))
    return Deployed(backbone, data.layout, data.mean, data.std, (data.answer_mean, data.answer_std))


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
    """A batch with the model's input dtype and shape: zeros, or token ids with padding behind."""
    shape = (batch, *data.sample_shape)
    if data.layout == "tokens":
        return tokens(shape, data.pad)
    return torch.zeros(shape, dtype=KINDS[data.dtype])
