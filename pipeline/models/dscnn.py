"""Depthwise separable CNN for keyword spotting (Zhang et al. 2017, "Hello Edge").

``dscnn4`` at width 64 on 49 by 10 features and 12 classes is the network of MLPerf Tiny's keyword
spotting benchmark: a 10 by 4 convolution at stride 2, four separable blocks, average pooling.
Convolutions have no bias, for the batch norm after each has one.
"""

import torch
from torch import nn

from .images import Image, image
from .layouts import image_mean
from .signature import Signature

STEM = (10, 4)
"""Kernel of the first convolution: frames by features."""
STRIDE = 2
DROPOUT = (0.2, 0.4)
"""After the stem and before the classifier, in training."""


class DSCNN(nn.Module):
    """A wide first convolution, ``depth`` separable blocks, global average pooling, one linear."""

    def __init__(self, depth: int, width: int, size: Image, classes: int) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d((*_same(size.width, STEM[1]), *_same(size.height, STEM[0])))
        self.stem = nn.Sequential(
            nn.Conv2d(size.channels, width, STEM, STRIDE, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout(DROPOUT[0]),
        )
        self.blocks = nn.Sequential(*(_separable(width) for _ in range(depth)))
        self.dropout = nn.Dropout(DROPOUT[1])
        self.linear = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of features [n, channels, frames, bins]."""
        x = self.blocks(self.stem(self.pad(x)))
        logits: torch.Tensor = self.linear(self.dropout(image_mean(x, self.training)))
        return logits


def _separable(width: int) -> nn.Sequential:
    """Filter each channel (3x3), then mix the channels (1x1)."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def _same(size: int, kernel: int) -> tuple[int, int]:
    """Zeros before and after, for an output of length ceil(size / stride); an odd one is after."""
    total = max((-(-size // STRIDE) - 1) * STRIDE + kernel - size, 0)
    return total // 2, total - total // 2


def build(depth: int, width: int, of: Signature) -> nn.Module:
    """A depthwise separable CNN for spectrogram-like images of any size.

    Args:
        depth: separable blocks.
        width: channels everywhere.
        of: the model's input (images, frames first) and outputs.

    Raises:
        RecipeError: samples that are not images.
    """
    return DSCNN(depth, width, image(f"dscnn{depth}", of), of.outputs)
