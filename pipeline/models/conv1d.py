"""Residual 1-D convolutions over time, for windows of sensor data, spectrograms and raw sound.

As in Wang, Yan & Oates 2017 ("Time series classification from scratch with deep neural networks"):
convolutions with batch norm, a shortcut of 1 by 1 where the shape changes, global average pooling
over time. Unlike there, a block is two convolutions of 5 and later stages halve the time, for the
edge. Long windows first become shorter in a strided convolution that spans four strides, as
networks on raw waveforms do (Dai et al. 2017, M5: kernel 80 at stride 4).
"""

import torch
import torch.nn.functional as F
from torch import nn

from .signature import Signature, unfit

KERNEL = 5
STAGES = 3
STEPS = 512
"""The stem shortens a window of at least twice as many steps to one to two times as many."""


class Block(nn.Module):
    """Two convolutions and a shortcut, which is a 1 by 1 convolution where the shape changes."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _convolution(channels_in, channels, KERNEL, stride)
        self.conv2, self.bn2 = _convolution(channels, channels, KERNEL)
        changed = stride > 1 or channels_in != channels
        self.shortcut = nn.Sequential(
            *(_convolution(channels_in, channels, 1, stride) if changed else ())
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, c_in, t] to [n, c, ceil(t / stride)]."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.shortcut(x))


class Conv1d(nn.Module):
    """A strided stem, stages of ``width``, 2·width and 4·width channels, pooling, one linear."""

    def __init__(self, depth: int, width: int, of: Signature) -> None:
        super().__init__()
        steps, channels = of.sample_shape
        self.image = of.layout == "hw"
        stride = 1 << max(0, (steps // STEPS).bit_length() - 1)
        self.conv, self.bn = _convolution(channels, width, max(KERNEL, 4 * stride + 1), stride)
        blocks: list[nn.Module] = []
        channels_in = width
        for stage in range(STAGES):
            # The first stages have one block more if the depth is no multiple of three.
            for block in range(depth // STAGES + (stage < depth % STAGES)):
                stride = 2 if stage and block == 0 else 1
                blocks.append(Block(channels_in, width << stage, stride))
                channels_in = width << stage
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(channels_in, of.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs [n, outputs] of windows [n, c, t], or of images [n, 1, t, c]."""
        if self.image:
            x = x.squeeze(1).transpose(1, 2)
        x = self.blocks(F.relu(self.bn(self.conv(x))))
        outputs: torch.Tensor = self.linear(x.mean(2))
        return outputs


def _convolution(
    channels_in: int, channels: int, kernel: int, stride: int = 1
) -> tuple[nn.Module, nn.Module]:
    """A convolution that keeps the length, apart from its stride, and its batch norm."""
    convolution = nn.Conv1d(channels_in, channels, kernel, stride, kernel // 2, bias=False)
    return convolution, nn.BatchNorm1d(channels)


def build(depth: int, width: int, of: Signature) -> nn.Module:
    """A residual network over time, for windows of any length and channel count.

    Args:
        depth: residual blocks.
        width: channels of the first stage.
        of: the model's input (``tc``, or ``hw`` with time first) and outputs.

    Raises:
        RecipeError: samples without a time axis.
    """
    if of.layout not in ("tc", "hw"):
        raise unfit(f"conv1d{depth}", of, "windows", reshape="[n, time, channels]")
    return Conv1d(depth, width, of)
