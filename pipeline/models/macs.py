"""Multiply-accumulates of a model.

>>> macs_of(nn.Linear(64, 10), torch.zeros(2, 64))
640
"""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@torch.no_grad()
def macs_of(model: nn.Module, example: torch.Tensor) -> int:
    """Multiply-accumulates of one sample, by torch's own counter.

    Args:
        model: of any kind.
        example: a batch of samples.
    """
    with FlopCounterMode(display=False) as counter:
        model(example)
    return int(counter.get_total_flops()) // 2 // len(example)
