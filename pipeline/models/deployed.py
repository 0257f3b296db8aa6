"""A model as it ships: cast, normalization and axis order are part of the graph."""

from collections.abc import Sequence

import torch
from torch import nn


class Deployed(nn.Module):
    """Takes samples of the data set, unchanged, and gives logits.

    Args:
        backbone: takes float32 [n, c, h, w] (images), [n, c, t] (windows) or [n, features]
            (tables), or int32 [n, length] (token ids).
        layout: of the samples: ``table``, ``hw``, ``hwc``, ``chw``, ``tc`` or ``tokens``.
        mean: per channel or column, or one for all, in the data's own units; empty for tokens.
        std: of the same length.
        answers: mean and standard deviation of each number of a regression, whose backbone gives
            standardized numbers; empty for other tasks.

    Shape:
        input [n, *sample_shape], uint8, int16, int32 (tokens) or float32; output [n, outputs],
        float32.
    """

    def __init__(
        self,
        backbone: nn.Module,
        layout: str,
        mean: Sequence[float],
        std: Sequence[float],
        answers: tuple[Sequence[float], Sequence[float]] = ((), ()),
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.layout = layout
        shape = (-1, 1, 1) if layout == "chw" else (-1,)
        # A multiplication is cheaper than a division on the device.
        scale = 1.0 / torch.tensor(list(std), dtype=torch.float64)
        offset = -torch.tensor(list(mean), dtype=torch.float64) * scale
        self.scale: torch.Tensor
        self.offset: torch.Tensor
        self.register_buffer("scale", scale.float().reshape(shape))
        self.register_buffer("offset", offset.float().reshape(shape))
        self.answer_mean: torch.Tensor
        self.answer_std: torch.Tensor
        self.register_buffer("answer_mean", torch.tensor(list(answers[0])), persistent=False)
        self.register_buffer("answer_std", torch.tensor(list(answers[1])), persistent=False)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Logits [n, outputs] of samples [n, *sample_shape]."""
        return self.in_units(self.backbone(self._prepared(samples)))

    def in_units(self, logits: torch.Tensor) -> torch.Tensor:
        """The model's outputs from those of its backbone [n, outputs]: numbers in their units."""
        return logits * self.answer_std + self.answer_mean if len(self.answer_std) else logits

    def _prepared(self, samples: torch.Tensor) -> torch.Tensor:
        """The backbone's input: samples, normalised, channels first."""
        if self.layout == "tokens":
            return samples
        x = samples.to(torch.float32) * self.scale + self.offset
        if self.layout == "hw":
            x = x.unsqueeze(1)
        elif self.layout == "hwc":
            x = x.permute(0, 3, 1, 2)
        elif self.layout == "tc":
            x = x.permute(0, 2, 1)
        return x
