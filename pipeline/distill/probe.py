"""The new last layer of a loaded student, fitted on the features before it: a linear probe.

>>> fit_head(model, "linear", train, validation, data, schedule)        # doctest: +SKIP
HeadFit(samples=4096, untaught=1.3862943649291992)

A random last layer gives the first steps gradients that undo features which are good already.
Fitted first, it does not (Kumar et al. 2022, "linear probing, then fine-tuning", §3). The fit is
convex in the weights of the layer: L-BFGS on features that are computed once (Alain & Bengio 2017).
"""

from typing import NamedTuple

import torch
from torch import nn

from .. import tasks
from ..data.arrays import Arrays, draw
from ..models.deployed import Deployed
from ..recipe.training import Schedule
from ..records import DataRecord
from ..tasks.task import SampleLoss
from .loop import logits_of

MOST_SAMPLES = 4096
"""Of train, and of validation: enough for a layer of some hundred features a class."""
_PENALTIES = (1.0, 0.1, 0.01, 1e-3, 1e-4)
"""Factors of the squared weights of standardized features, of which validation chooses one."""
_ITERATIONS = 100
_CONSTANT = 1e-5
"""Deviation of a feature over its largest value, below which it is rounding."""


class HeadFit(NamedTuple):
    """On how many samples a layer was fitted, and their loss where it gives zeros alone."""

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
        model: its backbone ends with the layer; only that is changed.
        head: name of the layer in the backbone.
        train: samples; those without a label come last and are left out.
        validation: chooses the penalty, by the loss.
        data: what they are.
        schedule: label smoothing and class weights.

    Returns:
        Of no samples where the layer was left as it is: it is no Linear of one vector a sample,
        something stands behind it, its features are not finite, or the task has no labels.
    """
    layer, hard_loss = model.backbone.get_submodule(head), tasks.of(data.task).hard_loss
    if hard_loss is None or not isinstance(layer, nn.Linear):
        return HeadFit()
    labelled = Arrays(train.x[: len(train.y)], train.y)
    features = _features(model, layer, draw(labelled, MOST_SAMPLES), data)
    held = _features(model, layer, draw(validation, MOST_SAMPLES), data)
    if features is None or held is None:
        return HeadFit()
    untaught = _fit(model, layer, features, held, hard_loss(data, schedule))
    return HeadFit(len(features.x), untaught)


def _features(
    model: Deployed, layer: nn.Linear, samples: Arrays, data: DataRecord
) -> _Features | None:
    """What the layer gets for each sample; None where it cannot be fitted alone."""
    seen: list[torch.Tensor] = []
    ends = True

    def note(_: nn.Module, inputs: tuple[torch.Tensor], logits: torch.Tensor) -> None:
        seen[:] = [inputs[0], logits]

    handle, features = layer.register_forward_hook(note), []
    try:
        with torch.no_grad():
            for outputs, _ in logits_of(model, samples.x, data):
                x, logits = seen
                ends = ends and x.dim() == 2 and torch.equal(model.in_units(logits), outputs)
                features.append(x)
    finally:
        handle.remove()
    if not ends or not all(torch.isfinite(x).all() for x in features):
        return None
    return _Features(torch.cat(features), torch.from_numpy(samples.y))


def _fit(
    model: Deployed, layer: nn.Linear, train: _Features, held: _Features, loss: SampleLoss
) -> float:
    """Leave the layer with the weights of the penalty that is best on held samples.

    Returns:
        The loss on train of a layer that gives nothing but zeros.
    """
    # Without a bias the layer cannot take a mean away.
    mean = train.x.mean(0) if layer.bias is not None else torch.zeros_like(train.x[0])
    deviation = (train.x - mean).square().mean(0).sqrt()
    # A feature that is the same in all samples tells nothing: its weights are 0.
    deviation[deviation <= _CONSTANT * train.x.abs().amax(0)] = torch.inf
    weight = torch.zeros_like(layer.weight, requires_grad=True)
    bias = torch.zeros(len(weight), requires_grad=layer.bias is not None)

    def loss_on(features: _Features) -> torch.Tensor:
        logits = torch.addmm(bias, (features.x - mean) / deviation, weight.T)
        return loss(model.in_units(logits), features.y).mean()

    with torch.no_grad():
        untaught = loss_on(train).item()
    best = torch.inf
    for penalty in _PENALTIES:
        trained = [tensor for tensor in (weight, bias) if tensor.requires_grad]
        optimizer = torch.optim.LBFGS(trained, max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

        def step(penalty: float = penalty, optimizer: torch.optim.LBFGS = optimizer) -> float:
            optimizer.zero_grad()
            penalized = loss_on(train) + penalty * weight.square().sum()
            penalized.backward()  # type: ignore[no-untyped-call]
            return penalized.item()

        optimizer.step(step)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            found = loss_on(held).item()
            if found < best:
                best = found
                layer.weight.copy_(weight / deviation)
                if layer.bias is not None:
                    layer.bias.copy_(bias - layer.weight @ mean)
    return untaught
