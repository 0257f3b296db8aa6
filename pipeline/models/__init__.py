"""Model families: one file each, one table that names them.

>>> model = build("resnet20", width=16, sample_shape=(32, 32, 3), layout="hwc", classes=10)
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..recipe import family_and_depth
from ..records import DataRecord
from . import dscnn, mlp, mobilenet, resnet
from .deployed import Deployed

Family = Callable[..., nn.Module]
FAMILIES: dict[str, Family] = {
    "mlp": mlp.build,
    "resnet": resnet.build,
    "mobilenet": mobilenet.build,
    "dscnn": dscnn.build,
}
"""``build(depth, width, sample_shape, layout, classes)``, a module of [n, c, h, w] or [n, f]."""


def build(
    model: str, *, width: int, sample_shape: tuple[int, ...], layout: str, classes: int
) -> nn.Module:
    """A freshly initialised model, by its name and width.

    Args:
        model: family and depth, such as ``resnet20`` or ``mlp2``.
        width: channels of the first stage, or units of a hidden layer.
        sample_shape: of one sample as the data set holds it.
        layout: what its axes mean.
        classes: number of logits.

    Raises:
        RecipeError: samples of a shape it cannot take.
        ValueError: no such family or depth, which a recipe's model never is.
    """
    family, depth = family_and_depth(model)
    return FAMILIES[family](depth, width, sample_shape, layout, classes)


def deployed(model: str, width: int, data: DataRecord) -> Deployed:
    """The model as it ships: it takes what the data set holds, normalization is part of it."""
    backbone = build(
        model,
        width=width,
        sample_shape=data.sample_shape,
        layout=data.layout,
        classes=data.classes,
    )
    return Deployed(backbone, data.layout, data.mean, data.std)


def parameters(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters())


def example(data: DataRecord, batch: int = 2) -> torch.Tensor:
    """A batch of zeros with the model's input dtype and shape."""
    kinds: dict[str, Any] = {
        "uint8": torch.uint8,
        "int16": torch.int16,
        "float32": torch.float32,
    }
    return torch.zeros((batch, *data.sample_shape), dtype=kinds[data.dtype])
