"""Layers that look beyond one sample, over a batch that several processes compute together.

with shared_layers(ranks, count):
    outputs = model(own_samples)        # as those samples of a process that computes all of them

Batch norm takes mean and variance of the whole batch, dropout what it would drop there, and the
ranges of activations that are rounded reach over all of it. Functions are exchanged for as long as
the context lasts, not layers: the model, its names and its hooks stay as they are, and a layer of
the user's that calls these functions is understood, too. torch's own ``SyncBatchNorm`` replaces
layers and refuses processors.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from ..engine.ranks import Ranks


@contextmanager
def shared_layers(ranks: Ranks, count: int) -> Iterator[None]:
    """Forward passes of the own samples of a batch of ``count``, as of the whole batch."""
    if ranks.size == 1:
        yield
        return
    with _Exchanged(ranks, count):
        yield


class _Exchanged(TorchFunctionMode):
    """Calls what stands in ``_FOR`` in place of some of torch's functions."""

    def __init__(self, ranks: Ranks, count: int) -> None:
        super().__init__()
        self._share = _Share(ranks, count)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        exchanged = _FOR.get(func)
        if exchanged is None:
            return func(*args, **(kwargs or {}))
        return exchanged(self._share, func, *args, **(kwargs or {}))


class _Share:
    """A batch of which a part is computed here."""

    def __init__(self, ranks: Ranks, count: int) -> None:
        self.ranks, self.count = ranks, count
        own = ranks.own(count)
        self.start, self.own = own.start, own.stop - own.start


class _BatchNorm(NamedTuple):
    """What ``F.batch_norm`` is given besides the samples."""

    running_mean: torch.Tensor | None
    running_var: torch.Tensor | None
    weight: torch.Tensor | None = None
    bias: torch.Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5


class _TorchBatchNorm(NamedTuple):
    """The same of ``torch.batch_norm``, in its own order."""

    weight: torch.Tensor | None
    bias: torch.Tensor | None
    running_mean: torch.Tensor | None
    running_var: torch.Tensor | None
    training: bool
    momentum: float
    eps: float
    cudnn_enabled: bool = True


def _batch_norm(
    share: _Share, func: Callable[..., torch.Tensor], x: torch.Tensor, *args: Any, **kwargs: Any
) -> torch.Tensor:
    """``F.batch_norm`` (Ioffe & Szegedy 2015, algorithm 1) over the batches of all processes."""
    of = _BatchNorm(*args, **kwargs)
    if not of.training:
        return func(x, *of)
    found: tuple[torch.Tensor, ...]
    found = _Normalized.apply(x, of.weight, of.bias, of.eps, share.ranks)  # type: ignore[no-untyped-call]
    outputs, mean, var, size = found
    if of.running_mean is not None and of.running_var is not None:
        with torch.no_grad():
            of.running_mean.lerp_(mean.to(of.running_mean.dtype), of.momentum)
            unbiased = var * (size / (size - 1.0))
            of.running_var.lerp_(unbiased.to(of.running_var.dtype), of.momentum)
    return outputs


def _torch_batch_norm(
    share: _Share, func: Callable[..., torch.Tensor], x: torch.Tensor, *args: Any, **kwargs: Any
) -> torch.Tensor:
    del func
    of = _TorchBatchNorm(*args, **kwargs)
    own = {name: getattr(of, name) for name in _BatchNorm._fields}
    return _batch_norm(share, F.batch_norm, x, **own)


class _Normalized(torch.autograd.Function):
    """Normalizes by mean and variance over all processes.

    Means and variances of parts are put together as by Chan, Golub & LeVeque (1983, eq. 2.1): sums
    of squares alone would cancel. Both passes are the kernels of a batch norm whose statistics
    stand still, and one message a pass.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        eps: float,
        ranks: Ranks,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        channels = x.shape[1]
        unused = torch.zeros(channels, dtype=torch.float32, device=x.device)
        mean, var = torch.batch_norm_update_stats(x, unused, unused.clone(), 0.0)
        parts = x.new_zeros((ranks.size, 2 * channels + 1), dtype=torch.float64)
        parts[ranks.rank] = torch.cat([mean, var, mean.new_tensor([x.numel() // channels])])
        means, variances, sizes = torch.split(ranks.add(parts), [channels, channels, 1], 1)
        size = sizes.sum()
        mean = (sizes * means).sum(0) / size
        var = ((sizes * (variances + (means - mean).square())).sum(0) / size).float()
        mean = mean.float()
        ctx.save_for_backward(x, weight, mean, var, size)
        ctx.eps, ctx.ranks = eps, ranks
        outputs = torch.native_batch_norm(x, weight, bias, mean, var, False, 0.0, eps)[0]
        ctx.mark_non_differentiable(mean, var, size)
        return outputs, mean, var, size

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, weight, mean, var, size = ctx.saved_tensors
        by_x, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0].contiguous(memory_format=_format(x)),
            x, weight, mean, var, None, None, False, ctx.eps, [True, True, True],
        )  # fmt: skip
        sums = ctx.ranks.add(torch.stack([by_weight, by_bias]).double())
        # What follows from the statistics, which depend on every sample.
        scale = (var + ctx.eps).rsqrt().double()
        outer = scale if weight is None else scale * weight
        slope = -outer * scale * sums[0] / size
        shift = -outer * sums[1] / size - slope * mean
        shape = (1, -1, *[1] * (x.ndim - 2))
        by_x.addcmul_(x, slope.to(x.dtype).view(shape)).add_(shift.to(x.dtype).view(shape))
        wanted = ctx.needs_input_grad
        return by_x, by_weight if wanted[1] else None, by_bias if wanted[2] else None, None, None


def _format(x: torch.Tensor) -> torch.memory_format:
    last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(x.ndim)
    if last is not None and x.is_contiguous(memory_format=last):
        return last
    return torch.contiguous_format


def _dropout(
    share: _Share,
    func: Callable[..., torch.Tensor],
    x: torch.Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> torch.Tensor:
    """``F.dropout`` that draws for the whole batch, so that all processes draw alike."""
    rows, rest = divmod(len(x), max(1, share.own))
    if not training or rest:
        return func(x, p, training, inplace)
    drawn = torch.empty(
        (rows * share.count, *x.shape[1:]), dtype=x.dtype, device=x.device,
        memory_format=_format(x),
    ).fill_(1.0)  # fmt: skip
    start = rows * share.start
    kept = F.dropout(drawn, p, True)[start : start + len(x)]
    return x.mul_(kept) if inplace else x * kept


def _aminmax(
    share: _Share, func: Callable[..., Any], x: torch.Tensor, *args: Any, **kwargs: Any
) -> Any:
    """``torch.aminmax`` of a whole tensor, as rounding takes the range of activations."""
    found = func(x, *args, **kwargs)
    if args or kwargs or not x.is_floating_point():
        return found
    ends = x.new_zeros((share.ranks.size, 2))
    ends[share.ranks.rank] = torch.stack(list(found))
    ends = share.ranks.add(ends)
    return torch.return_types.aminmax((ends[:, 0].min(), ends[:, 1].max()))


_FOR: dict[Any, Callable[..., Any]] = {
    F.batch_norm: _batch_norm,
    torch.batch_norm: _torch_batch_norm,
    F.dropout: _dropout,
    torch.aminmax: _aminmax,
}
"""What stands in for a function of torch's."""
