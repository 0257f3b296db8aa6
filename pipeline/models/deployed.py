"""A model as it ships: cast, normalization and axis order are part of the graph."""

from collections.abc import Sequence

import torch
from torch import nn


class Deployed(nn.Module):
    """Takes samples as the data set holds them and gives logits.

    Args:
        backbone: takes float32 [n, c, h, w] (images) or [n, features] (tables).
        layout: of the samples: ``table``, ``hw``, ``hwc`` or ``chw``.
        mean: per channel or column, or one for all, in the data's own units.
        std: as many.

    Shape:
        input [n, *sample_shape], uint8, int16 or float32; output [n, classes], float32.
    """

    def __init__(
        self, backbone: nn.Module, layout: str, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.layout = layout
        shape = (-1, 1, 1) if layout == "chw" else (-1,)
        # A multiplication is cheaper than a division on the device, and it is folded once here.
        scale = 1.0 / torch.tensor(list(std), dtype=torch.float64)
        offset = -torch.tensor(list(mean), dtype=torch.float64) * scale
        self.scale: torch.Tensor
        self.offset: torch.Tensor
        self.register_buffer("scale", scale.float().reshape(shape))
        self.register_buffer("offset", offset.float().reshape(shape))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of samples [n, *sample_shape]."""
        x = samples.to(torch.float32) * self.scale + self.offset
        if self.layout == "hw":
            x = x.unsqueeze(1)
        elif self.layout == "hwc":
            x = x.permute(0, 3, 1, 2)
        logits: torch.Tensor = self.backbone(x)
        return logits
