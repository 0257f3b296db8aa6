"""A student that starts from weights of another training: its last layer anew, some layers frozen.

>>> began = begin(model, Path("student.safetensors"), "partly", data)   # doctest: +SKIP
>>> began.head, len(began.frozen)                                       # doctest: +SKIP
('linear', 6)

Features that a network learned on one task serve another one, the more of them the earlier the
layer (Yosinski et al. 2014, §4). The new last layer is random here, and ``probe`` fits it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from ...errors import ModelError
from ..models import example
from ..models.deployed import Deployed
from ..models.weights import load_foreign
from ..records import DataRecord

Tune = Literal["frozen", "partly", "whole"]
KEY = "student.weights"
_LAST = (nn.Linear, nn.Conv1d, nn.Conv2d)
"""What a last layer may be: its first axis of weights is that of the outputs."""


class Began(NamedTuple):
    """What was made of a student.

    Attributes:
        head: name of its last layer in the backbone, which has weights of its own.
        frozen: modules with weights or statistics that stay as they were loaded.
        trained: number of parameters that are trained.
    """

    head: str
    frozen: tuple[nn.Module, ...]
    trained: int


def begin(model: Deployed, weights: Path, tune: Tune, data: DataRecord, name: str) -> Began:
    """Load weights into a student but for its last layer, and freeze what is not to be trained.

    The normalization of samples is not loaded: it is that of ``data``.

    Args:
        model: with random weights; changed in place.
        weights: of the same model, whatever its number of outputs was.
        tune: what is trained.
        data: gives an example to find the order of the layers by.
        name: of the model, for a message.

    Raises:
        ModelError: the weights are those of another model; the model ends with no layer that gives
            its outputs; or it has too few layers for ``partly``.
    """
    order, head = _layers(model, data, name)
    load_foreign(model.backbone, weights, name, key_of_path=KEY, fresh=head)
    frozen = _frozen([module for at, module in order if at != head], tune, name)
    for module in frozen:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(False)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return Began(head, tuple(frozen), trained)


def _layers(
    model: Deployed, data: DataRecord, name: str
) -> tuple[list[tuple[str, nn.Module]], str]:
    """The modules with weights of their own in the order of their first call, and the last called.

    One that is never called, whose weights another one reads, counts as called first.
    """
    owners = {
        at: module
        for at, module in model.backbone.named_modules()
        if [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    }
    called: list[str] = []
    with _recorded(owners, called), torch.no_grad():
        outputs = model.eval()(example(data)).shape[1]
    model.train()
    # By the end of its call, the model itself would be the last.
    last = next((at for at in reversed(called) if at), "")
    found = owners.get(last)
    if not isinstance(found, _LAST) or found.weight.shape[0] != outputs:
        raise ModelError(
            found=f"{last!r}, a {type(found).__name__}, as the last layer with weights"
            if found is not None
            else "no layer with weights",
            expected=f"a Linear or a convolution that gives the {outputs} outputs, to make it anew",
            where=f"{KEY} for {name}",
            fix="end the model with such a layer, called as a module",
        )
    first = list(dict.fromkeys(called))
    never = [at for at in owners if at not in first]
    return [(at, owners[at]) for at in (*never, *first)], last


@contextmanager
def _recorded(owners: Mapping[str, nn.Module], called: list[str]) -> Iterator[None]:
    """Note the name of each module when it is called."""

    def note(at: str) -> Any:
        return lambda *_: called.append(at)

    handles = [module.register_forward_pre_hook(note(at)) for at, module in owners.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _frozen(body: list[nn.Module], tune: Tune, name: str) -> list[nn.Module]:
    """Which of the modules before the last layer are not trained, in the order of their call."""
    if tune == "whole":
        return []
    if tune == "frozen":
        return body
    # A norm, which has vectors alone, belongs to the layer before it.
    matrices = [at for at, module in enumerate(body) if _has_matrix(module)]
    if len(matrices) < 2:
        raise ModelError(
            found=f"{len(matrices)} layer before the last one",
            expected="two or more, of which the first half stays as it is",
            where=f'student.tune = "partly" for {name}',
            fix="tune = 'frozen' or 'whole'",
        )
    return body[: matrices[len(matrices) // 2]]


def _has_matrix(module: nn.Module) -> bool:
    return any(parameter.dim() > 1 for parameter in module.parameters(recurse=False))
