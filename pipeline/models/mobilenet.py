"""Inverted residuals with linear bottlenecks (Sandler et al. 2018, MobileNetV2), for small images.

``mobilenet9`` has nine blocks in three stages of ``width``, 2·width and 4·width channels, at
strides 1, 2 and 2, and keeps the full resolution in its stem as CIFAR-size networks do.
"""

import torch
from torch import nn

from .images import image
from .layouts import image_mean
from .signature import Signature

EXPANSION = 6
"""Ratio of the channels in a block to those of its input (§3.4 of the paper)."""


class InvertedResidual(nn.Module):
    """Expand (1x1), filter each channel (3x3), project (1x1) without a non-linearity."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        inside = EXPANSION * channels_in
        self.block = nn.Sequential(
            *_convolution(channels_in, inside, 1),
            nn.ReLU6(),
            *_convolution(inside, inside, 3, stride, groups=inside),
            nn.ReLU6(),
            *_convolution(inside, channels, 1),
        )
        self.residual = stride == 1 and channels_in == channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, c_in, h, w] to [n, c, ceil(h / stride), ceil(w / stride)]."""
        y: torch.Tensor = self.block(x)
        return x + y if self.residual else y


class MobileNet(nn.Module):
    """A 3x3 stem, the blocks, a 1x1 convolution, global average pooling, one linear."""

    def __init__(self, depth: int, width: int, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_convolution(channels, width, 3), nn.ReLU6())
        blocks: list[nn.Module] = []
        wide = width
        for stage in range(3):
            # The first stages have one block more if the depth is no multiple of three.
            for place in range(depth // 3 + (stage < depth % 3)):
                stride = 2 if stage and place == 0 else 1
                blocks.append(InvertedResidual(wide, width << stage, stride))
                wide = width << stage
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(*_convolution(wide, 2 * wide, 1), nn.ReLU6())
        self.linear = nn.Linear(2 * wide, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of images [n, channels, h, w]."""
        x = self.head(self.blocks(self.stem(x)))
        logits: torch.Tensor = self.linear(image_mean(x, self.training))
        return logits


def _convolution(
    channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Module, nn.Module]:
    """A convolution that keeps the size, apart from its stride, and its batch norm."""
    convolution = nn.Conv2d(
        channels_in, channels, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    return convolution, nn.BatchNorm2d(channels)


def build(depth: int, width: int, of: Signature) -> nn.Module:
    """A network of inverted residuals for images of any size and channel count.

    Args:
        depth: blocks, at least 3.
        width: channels of the first stage.
        of: the model's input (images) and outputs.

    Raises:
        RecipeError: samples that are not images.
    """
    channels = image(f"mobilenet{depth}", of).channels
    return MobileNet(depth, width, channels, of.outputs)
