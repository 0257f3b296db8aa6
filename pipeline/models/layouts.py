"""Operations whose gradient has the memory layout of their input.

PyTorch's own give a gradient in rows of pixels (NCHW), or one with strides of 0, where images lie
channels last. What comes before them in a network then reads two layouts at once: of a ReLU the
gradient takes seven to seventeen times as long (DECISIONS.md). Outside training these are the plain
operations, which is what exporters trace.
"""

from typing import Any

import torch
from torch.autograd import Function


def every(x: torch.Tensor, stride: int, training: bool) -> torch.Tensor:
    """Every ``stride``-th row and column of images.

    Args:
        x: [n, c, h, w].
        stride: at least 1.
        training: whether a gradient is wanted.

    Returns:
        [n, c, ceil(h / stride), ceil(w / stride)].
    """
    if not training:
        return x[:, :, ::stride, ::stride]
    taken: torch.Tensor = _Every.apply(x, stride)  # type: ignore[no-untyped-call]
    return taken


def image_mean(x: torch.Tensor, training: bool) -> torch.Tensor:
    """The mean of each channel over an image.

    Args:
        x: [n, c, h, w].
        training: whether a gradient is wanted.

    Returns:
        [n, c].
    """
    if not training:
        return x.mean((2, 3))
    mean: torch.Tensor = _ImageMean.apply(x)  # type: ignore[no-untyped-call]
    return mean


class _Every(Function):
    @staticmethod
    def forward(x: torch.Tensor, stride: int) -> torch.Tensor:
        return x[:, :, ::stride, ::stride]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, int], _: torch.Tensor) -> None:
        x, ctx.stride = inputs
        ctx.shape, ctx.layout = x.shape, _layout(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        whole = torch.empty(
            ctx.shape, dtype=gradient.dtype, device=gradient.device, memory_format=ctx.layout
        ).zero_()
        whole[:, :, :: ctx.stride, :: ctx.stride] = gradient
        return whole, None


class _ImageMean(Function):
    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor], _: torch.Tensor) -> None:
        ctx.shape, ctx.layout = inputs[0].shape, _layout(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        *_, height, width = ctx.shape
        each = (gradient / (height * width))[:, :, None, None]
        whole: torch.Tensor = each.expand(ctx.shape).contiguous(memory_format=ctx.layout)
        return whole


def _layout(x: torch.Tensor) -> torch.memory_format:
    last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format
