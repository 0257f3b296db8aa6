"""CIFAR-style residual networks (He et al. 2016, §4.2): depth 6n+2, option-A shortcuts.

The parameter names are those of the widely used CIFAR checkpoints (``conv1``, ``bn1``,
``layer1.0.conv1`` … ``linear``), so that their weights load as they are.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .images import image
from .layouts import every, image_mean
from .signature import Signature


class Block(nn.Module):
    """Two 3x3 convolutions; the shortcut (option A) strides and adds zero channels."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        extra = channels - channels_in
        self.pad = (extra // 2, extra - extra // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, c_in, h, w] to [n, c, ceil(h / stride), ceil(w / stride)]."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.stride != 1:
            x = every(x, self.stride, self.training)
        if any(self.pad):
            x = F.pad(x, (0, 0, 0, 0, *self.pad))
        return F.relu(y + x)


class ResNet(nn.Module):
    """Stages of ``width``, 2·width and 4·width channels, global average pooling, one linear."""

    def __init__(self, blocks: int, width: int, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(blocks, width, width, 1)
        self.layer2 = _stage(blocks, width, 2 * width, 2)
        self.layer3 = _stage(blocks, 2 * width, 4 * width, 2)
        self.linear = nn.Linear(4 * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of images [n, channels, h, w]."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: torch.Tensor = self.linear(image_mean(x, self.training))
        return logits


def _stage(blocks: int, channels_in: int, channels: int, stride: int) -> nn.Sequential:
    first = Block(channels_in, channels, stride)
    return nn.Sequential(first, *(Block(channels, channels, 1) for _ in range(blocks - 1)))


def build(depth: int, width: int, of: Signature) -> nn.Module:
    """A residual network for images of any size and channel count.

    Args:
        depth: 6n+2 for n blocks a stage: 8, 14, 20, …
        width: channels of the first stage.
        of: the model's input (images) and outputs.

    Raises:
        RecipeError: samples that are not images.
    """
    channels = image(f"resnet{depth}", of).channels
    return ResNet((depth - 2) // 6, width, channels, of.outputs)
