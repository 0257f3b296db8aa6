"""Small models with named layers, and samples for them."""

import torch
from edgestill.pipeline.recipe.distill import LayerPair
from torch import nn


def convolutions(channels=(4, 6), dtype=torch.float32, stride=1):
    """Two stages of an image network: names 'stage1.0' … and 'head'."""
    torch.manual_seed(0)
    first, second = channels
    model = nn.Sequential()
    model.add_module("stage1", stage(3, first, 1))
    model.add_module("stage2", stage(first, second, stride))
    model.add_module("pool", nn.AdaptiveAvgPool2d(1))
    model.add_module("flat", nn.Flatten())
    model.add_module("head", nn.Linear(second, 5))
    return model.to(dtype)


def stage(channels_in, channels, stride):
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, stride, 1),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


class Tokens(nn.Module):
    """A small transformer: [n, t] ids to [n, 5]."""

    def __init__(self, width):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(20, width)
        self.block = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        self.head = nn.Linear(width, 5)

    def forward(self, ids):
        return self.head(self.block(self.embedding(ids)).mean(1))


def images(n=8, size=6, dtype=torch.float32, seed=1):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def layer(loss, student="stage1", teacher="stage1", weight=1.0):
    return LayerPair(loss=loss, student=student, teacher=teacher, weight=weight)
