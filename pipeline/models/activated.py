"""A model with the softmax or the sigmoid of its task behind it.

>>> activated(net, "softmax")(samples).sum(1)                              # doctest: +SKIP
tensor([1., 1.])
"""

import torch
from torch import nn

from ...exporters.interface import Activation


class Activated(nn.Module):
    """Gives probabilities [n, outputs] where a model gives logits.

    Args:
        model: takes samples and gives logits [n, outputs].
        activation: ``softmax`` over the outputs of a sample, or ``sigmoid`` of each.
    """

    def __init__(self, model: nn.Module, activation: Activation) -> None:
        super().__init__()
        self.model = model
        self._softmax = activation == "softmax"

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Probabilities [n, outputs] of samples."""
        logits: torch.Tensor = self.model(samples)
        return logits.softmax(-1) if self._softmax else logits.sigmoid()


def activated(model: nn.Module, activation: Activation | None) -> nn.Module:
    """A model with an activation behind it; the model itself without one."""
    return model if activation is None else Activated(model, activation)
