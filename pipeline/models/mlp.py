"""Multi-layer perceptron: ``mlp2`` has two hidden layers of ``width`` units, ReLU between."""

import math
from itertools import pairwise

from torch import nn

from .signature import Signature, unfit


def build(depth: int, width: int, of: Signature) -> nn.Module:
    """A perceptron on flattened samples; takes any layout but text.

    Args:
        depth: hidden layers.
        width: units of each.
        of: the model's input and outputs.

    Raises:
        RecipeError: samples are texts, whose ids are no quantities.
    """
    if of.layout == "tokens":
        raise unfit(f"mlp{depth}", of, "numbers")
    sizes = [math.prod(of.sample_shape), *[width] * depth]
    layers: list[nn.Module] = [nn.Flatten()]
    for wide, narrow in pairwise(sizes):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], of.outputs))
