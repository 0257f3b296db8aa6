"""How much each channel matters: from weights alone, or from the gradient of the loss.

>>> prune(model, samples, 0.5)                                          # doctest: +SKIP
>>> prune(model, samples, 0.5, importance=taylor(batches, loss))        # doctest: +SKIP
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn

from ....errors import DataError
from ...distill.batches import Batch
from ...distill.hard_labels import Loss
from ...models.deployed import Deployed
from .channels import Channels

Importance = Callable[[Deployed, Sequence[Channels]], list[torch.Tensor]]
"""``importance(model, groups)``: of each group, one number a channel, float [size]; numbers of
different groups are compared. The model is in eval mode and is left as it is."""


@torch.no_grad()
def norms(model: Deployed, groups: Sequence[Channels]) -> list[torch.Tensor]:
    """L2 norm of each filter, over the mean of its layer's.

    As in Li et al. 2017 ("Pruning filters for efficient ConvNets", §3.1), with the L2 norm and on
    filters times the scale of the batch norm behind them, weight / sqrt(variance + eps), for
    without it a filter's length means nothing. Lengths of different layers have no common unit,
    hence the mean. Where several layers make a channel, as along a residual connection, theirs are
    summed.

    Args:
        model: in eval mode.
        groups: of its channels.
    """
    importances = []
    for group in groups:
        total = torch.zeros(group.size)
        for channels, start in group.places:
            for layer, along in channels.makers:
                length = _length(model, layer)
                for name in along:
                    # Behind a flattened image a norm has several scales a channel: their mean.
                    length = length * _length(model, name).reshape(channels.size, -1).mean(1)
                length = length[start : start + group.size]
                total += length / length.mean().clamp(min=torch.finfo(length.dtype).tiny)
        importances.append(total)
    return importances


def _length(model: Deployed, layer: str) -> torch.Tensor:
    """Norms of a layer's filters, or the scales of a batch norm."""
    weight = model.get_parameter(f"{layer}.weight")
    norm = model.get_submodule(layer)
    if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.running_var is not None:
        return weight.abs() / (norm.running_var + norm.eps).sqrt()
    return weight.flatten(1).norm(dim=1) if weight.ndim > 1 else weight.abs()


def taylor(batches: Iterable[Batch], loss: Loss) -> Importance:
    """First-order Taylor expansion of the loss (Molchanov et al. 2019, §3.1, eq. 8; gates §3.2).

    The importance of a channel is the mean over batches of (∂L/∂z)², where z = 1 is a gate that the
    channel passes. The gates stand where the channels are read, so that closing one is exactly what
    the cut does; there ∂L/∂z = Σ w · ∂L/∂w over the weights that read the channel, whatever lies
    before. Such numbers estimate changes of one loss, so layers need no scaling to be compared.

    Args:
        batches: a few batches of train.
        loss: what the model was trained for.

    Raises:
        DataError: there is no batch.
    """

    def importance(model: Deployed, groups: Sequence[Channels]) -> list[torch.Tensor]:
        read = [
            [(name, *place) for place in group.places for name in place.channels.into]
            for group in groups
        ]
        weights = [[model.get_parameter(f"{name}.weight") for name, *_ in group] for group in read]
        sums = [torch.zeros(group.size) for group in groups]
        count = 0
        for batch in batches:
            value = loss(model(batch.x).float(), batch)
            flat = [weight for group in weights for weight in group]
            slopes = iter(torch.autograd.grad(value, flat))
            for total, group, places in zip(sums, weights, read, strict=True):
                gate = torch.zeros_like(total)
                for weight, (_, channels, start) in zip(group, places, strict=True):
                    by_channel = _by_channel(weight.detach() * next(slopes), channels.size)
                    gate += by_channel[start : start + len(total)]
                total += gate**2
            count += 1
        if count == 0:
            raise DataError("no batch to see how much each channel matters", where="prune")
        return [total / count for total in sums]

    return importance


def _by_channel(products: torch.Tensor, channels: int) -> torch.Tensor:
    """Sums over what reads each input channel; a flattened image has several inputs a channel."""
    return products.transpose(0, 1).reshape(channels, -1).sum(1)
