"""Multi-layer perceptron: ``mlp2`` has two hidden layers of ``width`` units, ReLU between."""

import math
from itertools import pairwise

from torch import nn


def build(
    depth: int, width: int, sample_shape: tuple[int, ...], layout: str, classes: int
) -> nn.Module:
    """A perceptron on flattened samples; takes any layout.

    Args:
        depth: hidden layers.
        width: units of each.
        sample_shape: of one sample.
        layout: not used, every layout is flattened.
        classes: number of logits.
    """
    del layout
    sizes = [math.prod(sample_shape), *[width] * depth]
    layers: list[nn.Module] = [nn.Flatten()]
    for wide, narrow in pairwise(sizes):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], classes))
