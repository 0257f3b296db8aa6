"""Deep averaging network over token ids (Iyyer et al. 2015).

``dan2`` at width 32 averages the embeddings of a text's tokens, 32 numbers each, and has two hidden
layers of 32 units. The order of words is lost; what is left is small, fast, and of operators that
microcontrollers have, which a transformer is not. Padding takes no part in the average, so a batch
that is cut to its longest text has the same outputs as the padded one.
"""

import torch
from torch import nn

from .signature import Signature, unfit

INITIAL = 0.1
"""Standard deviation of the initial embeddings."""


class DAN(nn.Module):
    """Embeddings of tokens, their mean, ``depth`` hidden layers with ReLU, one linear."""

    def __init__(self, depth: int, width: int, of: Signature) -> None:
        super().__init__()
        self.pad = of.pad
        self.embedding = nn.Embedding(of.vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=INITIAL)
        hidden: list[nn.Module] = []
        for _ in range(depth):
            hidden += [nn.Linear(width, width), nn.ReLU()]
        self.hidden = nn.Sequential(*hidden)
        self.linear = nn.Linear(width, of.outputs)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Outputs [n, outputs] of token ids int32 [n, t]; t may be shorter than the full length."""
        x = self.embedding(ids)
        weights = (ids != self.pad).to(x.dtype).unsqueeze(2)
        mean = (x * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        outputs: torch.Tensor = self.linear(self.hidden(mean))
        return outputs


def build(depth: int, width: int, of: Signature) -> nn.Module:
    """A deep averaging network for texts.

    Args:
        depth: hidden layers.
        width: numbers of an embedding, and units of each layer.
        of: the model's input (token ids) and outputs.

    Raises:
        RecipeError: samples that are no texts.
    """
    if of.layout != "tokens":
        raise unfit(f"dan{depth}", of, "texts")
    return DAN(depth, width, of)
