"""The new last layer of a loaded student, fitted on the features before it: a linear probe.

>>> fit_head(model, "linear", train, validation, data, schedule)        # doctest: +SKIP
HeadFit(samples=4096, untaught=1.3862943649291992)

A random last layer gives the first steps gradients that undo features which are good already.
Fitted first, it does not (Kumar et al. 2022, "linear probing, then fine-tuning", §3). The fit is
convex in the weights of the layer: L-BFGS on features that are computed once (Alain & Bengio 2017).
"""

from typing import Any, NamedTuple

import torch
from torch import nn

from .. import tasks
from ..data.arrays import Arrays, drawn_rows
from ..engine.compute import device
from ..models.deployed import Deployed
from ..recipe.training import Schedule
from ..records import DataRecord
from ..tasks.task import SampleLoss
from .loop import EVALUATION_BATCH, logits_of

MOST_SAMPLES = 4096
"""Of train, and of validation: more would take the time of more steps than they save."""
_PENALTIES = (1.0, 0.1, 0.01, 1e-3, 1e-4)
"""Factors of the squared weights of standardized features, of which validation chooses one; the
largest first."""
_ITERATIONS = 100
_LEAST_DEVIATION = 0.01
"""Of a feature, over the mean of all: a smaller one would be rounding, or make weights huge."""


class HeadFit(NamedTuple):
    """On how many samples a layer was fitted, and their loss from labels where it gives zeros."""

    samples: int = 0
    untaught: float = 0.0


class _Features(NamedTuple):
    """What the last layer gets: x float32 [n, features], and the labels y."""

    x: torch.Tensor
    y: torch.Tensor


def fit_head(
    model: Deployed,
    head: str,
    train: Arrays,
    validation: Arrays,
    data: DataRecord,
    schedule: Schedule,
) -> HeadFit:
    """Fit the last layer of a student by the loss of its task, all other layers as they are.

    Args:
        model: on the processor, before and afterwards; only the layer is changed.
        head: name of the layer in the backbone.
        train: samples; those without a label come last and are left out.
        validation: chooses the penalty, by the loss.
        data: what they are.
        schedule: label smoothing and class weights.

    Returns:
        Of no samples where the layer was left as it is: it is no Linear of one vector a sample,
        something stands behind it, its features are not finite, the task has no labels, or no fit
        is better on validation than zeros.
    """
    layer, hard_loss = model.backbone.get_submodule(head), tasks.of(data.task).hard_loss
    if hard_loss is None or not isinstance(layer, nn.Linear):
        return HeadFit()
    model.to(device())
    try:
        features = _features(model, layer, train, data)
        held = _features(model, layer, validation, data) if features else None
    finally:
        model.to("cpu")
    if features is None or held is None:
        return HeadFit()
    return _fit(model, layer, features, held, hard_loss(data, schedule))


def _features(
    model: Deployed, layer: nn.Linear, split: Arrays, data: DataRecord
) -> _Features | None:
    """What the layer gets for each sample with a label; None where it cannot be fitted alone."""
    rows, features = drawn_rows(len(split.y), MOST_SAMPLES), []
    seen: list[torch.Tensor] = []

    def note(_: nn.Module, args: Any, kwargs: Any, logits: torch.Tensor) -> None:
        # What stands behind the layer may write into its output.
        seen[:] = [args[0] if args else kwargs["input"], logits.clone()]

    handle = layer.register_forward_hook(note, with_kwargs=True)
    try:
        with torch.no_grad():
            for start in range(0, len(rows), EVALUATION_BATCH):
                block = split.x[rows[start : start + EVALUATION_BATCH]]
                ((outputs, _),) = logits_of(model, block, data)
                x, logits = seen
                ends = torch.equal(model.in_units(logits).cpu(), outputs)
                if not ends or x.dim() != 2 or not torch.isfinite(x).all():
                    return None
                features.append(x.cpu())
    finally:
        handle.remove()
    return _Features(torch.cat(features), torch.from_numpy(split.y[rows]))


class _Try(NamedTuple):
    """What a penalty gave: mean loss on held samples, its standard error, and the weights."""

    loss: float
    error: float
    weight: torch.Tensor
    bias: torch.Tensor


def _fit(
    model: Deployed, layer: nn.Linear, train: _Features, held: _Features, loss: SampleLoss
) -> HeadFit:
    """Leave the layer with the weights of the largest penalty that is as good as the best.

    As good is within one standard error on held samples (Hastie et al. 2009, §7.10): of small
    weights a training that goes on with all layers is freer to leave.
    """
    # Without a bias the layer cannot take a mean away.
    mean = train.x.mean(0) if layer.bias is not None else torch.zeros_like(train.x[0])
    deviation = (train.x - mean).square().mean(0).sqrt()
    least = max(_LEAST_DEVIATION * deviation.mean().item(), torch.finfo().eps)
    deviation = deviation.clamp_min(least)
    weight = torch.zeros_like(layer.weight, requires_grad=True)
    bias = torch.zeros(len(weight), requires_grad=layer.bias is not None)
    trained = [tensor for tensor in (weight, bias) if tensor.requires_grad]

    def losses(features: _Features) -> torch.Tensor:
        logits = torch.addmm(bias, (features.x - mean) / deviation, weight.T)
        return loss(model.in_units(logits), features.y)

    with torch.no_grad():
        untaught, zeros = losses(train).mean().item(), losses(held).mean().item()
    tried = []
    for penalty in _PENALTIES:
        optimizer = torch.optim.LBFGS(trained, max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

        def step(penalty: float = penalty, optimizer: torch.optim.LBFGS = optimizer) -> float:
            optimizer.zero_grad()
            # The bias, too: that of a class without a sample here would fall without end.
            penalized = losses(train).mean() + penalty * sum(t.square().sum() for t in trained)
            penalized.backward()  # type: ignore[no-untyped-call]
            return penalized.item()

        optimizer.step(step)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            found = losses(held)
            error = found.std(correction=0).item() / len(found) ** 0.5
            tried.append(_Try(found.mean().item(), error, weight / deviation, bias.clone()))
    useful = [one for one in tried if one.loss < zeros]
    if not useful:
        return HeadFit()
    best = min(useful, key=lambda one: one.loss)
    chosen = next(one for one in useful if one.loss <= best.loss + best.error)
    with torch.no_grad():
        layer.weight.copy_(chosen.weight)
        if layer.bias is not None:
            layer.bias.copy_(chosen.bias - chosen.weight @ mean)
    return HeadFit(len(train.x), untaught)
