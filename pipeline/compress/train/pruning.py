"""Structured pruning: channels are cut out between layers, and the layers become smaller.

>>> small, pruned = prune(student, samples, share=0.5)                      # doctest: +SKIP
>>> pruned.macs / pruned.macs_before                                        # doctest: +SKIP
0.49
>>> again = restore(deployed(architecture, data), pruned)                   # doctest: +SKIP

What is left is an ordinary model, to be trained on (``distill.loop.fit``), saved and exported.
Which channels can go is found by ``channels``, how much each matters is told by ``importance``.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn

from ....errors import ModelError, NoEffectError, RecipeError
from ...models import parameters
from ...models.deployed import Deployed
from ...models.macs import macs_of
from ...records import Cut, Pruned
from .channels import Channels, Found, find
from .importance import Importance, norms

MULTIPLE = 8
"""Channels are left in multiples of so many, a block of ONNX Runtime's convolutions on AVX2: 31
channels take 1.4 times as long as 32, and 28 as long as 32."""
WHERE = "compress.prune_share"
_CLOSE = 1e-3
"""Largest difference between a cut and a silenced model's answers, over the largest answer."""


def prune(
    model: Deployed,
    example: torch.Tensor,
    share: float,
    *,
    importance: Importance = norms,
    multiple: int = MULTIPLE,
) -> tuple[Deployed, Pruned]:
    """Cut out the channels that matter least, over all layers, until a share of the work is gone.

    Channels are ranked by importance over multiply-accumulates, Dantzig's (1957) greedy rule for a
    budget. They go in blocks, so that each layer keeps a multiple of ``multiple``, one at least.
    Before it is returned, the small model is held against the large one with the same channels
    silenced (their weights and batch norms at zero): the two must answer alike.

    Args:
        model: left as it is.
        example: a batch of samples as the model takes it, [n, *sample_shape].
        share: of the multiply-accumulates of one sample that is to go; at least that much does.
        importance: how much each channel matters.
        multiple: of channels left in a layer.

    Returns:
        The small model, in the mode of the large one, and what was cut.

    Raises:
        RecipeError: no share above 0 and below 1, or more than can go.
        NoEffectError: the model has no channels that can go.
        ModelError: it cannot be traced, holds NaN, or is not what its layers make it: cut, it
            fails, or answers otherwise than with those channels silenced.
    """
    _check_share(share)
    large = copy.deepcopy(model).eval().requires_grad_()
    found, macs = find(large, example), macs_of(large, example)
    blocks = _blocks(found, importance(large, found.groups), multiple)
    cuts = tuple(_all_cuts(found, _kept(found, blocks, macs, share, multiple)))
    small = _cut(copy.deepcopy(model), cuts)
    cut = copy.deepcopy(small).eval()
    _check_alike(cut, _silence(large, cuts), example)
    return small, Pruned(
        cuts=cuts,
        left=found.left | _too_small(found, multiple),
        parameters_before=parameters(model),
        parameters=parameters(small),
        macs_before=macs,
        macs=macs_of(cut, example),
    )


def _all_cuts(found: Found, kept: Sequence[tuple[int, ...]]) -> Iterator[Cut]:
    for group, channels in zip(found.groups, kept, strict=True):
        if len(channels) < group.size:
            yield from _cuts(group, channels)


def _too_small(found: Found, multiple: int) -> dict[str, str]:
    """Layers that have no more channels than must be left, with the reason."""
    small = (group.layer for group in found.groups if group.size <= multiple)
    return dict.fromkeys(small, f"no more than {multiple} channels")


def _cuts(group: Channels, kept: Sequence[int]) -> Iterator[Cut]:
    """The cuts of a group, one for each place where its channels are."""
    for channels, start in group.places:
        before, behind = range(start), range(start + group.size, channels.size)
        layer, *along = channels.outputs
        yield Cut(
            layer=layer,
            channels=channels.size,
            kept=(*before, *(start + channel for channel in kept), *behind),
            along=tuple(along),
            into=channels.into,
        )


def check_possible(
    model: Deployed, example: torch.Tensor, share: float, *, multiple: int = MULTIPLE
) -> None:
    """Refuse a share that cannot go, whatever the weights are: sizes alone decide.

    Args:
        model: of random weights, in eval mode.
        example: a batch of samples as the model takes it.
        share: of the multiply-accumulates of one sample that is to go.
        multiple: of channels left in a layer.

    Raises:
        RecipeError: no share above 0 and below 1, or more than can go.
        NoEffectError: the model has no channels that can go.
        ModelError: it cannot be traced.
    """
    _check_share(share)
    found = find(model, example)
    blocks = _blocks(found, [torch.ones(group.size) for group in found.groups], multiple)
    _kept(found, blocks, macs_of(model, example), share, multiple)


def _check_share(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise RecipeError(
            found=f"a share of {share:g}",
            expected="one above 0 and below 1",
            where=WHERE,
            fix="0.5 takes half of the multiply-accumulates out",
        )


def restore(model: Deployed, pruned: Pruned) -> Deployed:
    """Cut a model as another of its architecture was, so that it takes the other's weights.

    Args:
        model: freshly built; left as it is.
        pruned: what ``prune`` cut from the other.

    Raises:
        ModelError: it has other layers, or layers of other sizes.
    """
    for cut in pruned.cuts:
        for name in (cut.layer, *cut.along, *cut.into):
            _check_fit(model, name, cut, axis=int(name in cut.into))
    return _cut(copy.deepcopy(model), pruned.cuts)


# --- what goes --------------------------------------------------------------------------------


class _Block(NamedTuple):
    """Channels of one group that go together; blocks sort by importance over cost.

    Those along a residual connection come last: one block of them is a large part of the whole
    network, and goes only where what lies between layers is not enough.
    """

    residual: bool
    worth: float
    group: int
    channels: tuple[int, ...]


def _blocks(found: Found, importances: Sequence[torch.Tensor], multiple: int) -> list[_Block]:
    """All that may go, the least worth first; the first of each group leaves a multiple."""
    blocks = []
    for place, (group, importance) in enumerate(zip(found.groups, importances, strict=True)):
        if not torch.isfinite(importance).all():
            raise ModelError(
                found="NaN or infinity in how much channels matter",
                where=f"{WHERE}: {group.layer}",
                fix="look for NaN in the weights",
            )
        macs = sum(found.macs[name] / size for name, size in _touched(group) if name in found.macs)
        order = importance.argsort(stable=True)
        start, end = 0, group.size % multiple or multiple
        while end < group.size:
            part = order[start:end]
            worth = importance[part].mean().item() / macs
            residual = bool(group.added or group.wider)
            blocks.append(_Block(residual, worth, place, tuple(part.tolist())))
            start, end = end, end + multiple
    return sorted(blocks)


def _touched(group: Channels) -> Iterator[tuple[str, int]]:
    """Layers whose work depends on the number of channels, each with that number."""
    for channels, _ in group.places:
        for name in (*channels.outputs, *channels.into):
            yield name, channels.size


def _kept(
    found: Found, blocks: Sequence[_Block], macs: int, share: float, multiple: int
) -> list[tuple[int, ...]]:
    """The channels of each group that are left once enough blocks are cut."""
    if not blocks:
        raise NoEffectError(
            found=f"no channels that can be cut out ({_ties(found)})",
            expected=f"a layer of more than {multiple} channels that only layers read",
            where=WHERE,
            fix="leave 'pruned' out of compress.variants",
        )
    kept = [set(range(group.size)) for group in found.groups]
    elsewhere = macs - sum(found.macs.values())
    macs_left = macs
    for block in blocks:
        if macs_left <= (1.0 - share) * macs:
            break
        kept[block.group] -= set(block.channels)
        macs_left = elsewhere + _macs_left(found, [len(channels) for channels in kept])
    if macs_left > (1.0 - share) * macs:
        raise RecipeError(
            found=f"a share of {share:g}",
            # Rounded down, so that what is named can be had.
            expected=f"at most {int((1.0 - macs_left / macs) * 1000) / 1000:g} for this model",
            where=WHERE,
            fix="lower it, or take a smaller model",
        )
    return [tuple(sorted(channels)) for channels in kept]


def _ties(found: Found) -> str:
    if found.groups:
        return "no layer has enough"
    return ", ".join(f"{layer}: {tie}" for layer, tie in found.left.items()) or "no layers"


def _macs_left(found: Found, counts: Sequence[int]) -> int:
    """Multiply-accumulates of the layers for these numbers of channels, one a group."""
    macs = dict(found.macs)
    for group, count in zip(found.groups, counts, strict=True):
        for name, size in _touched(group):
            if name in macs:
                macs[name] = macs[name] * (size - group.size + count) // size
    return sum(macs.values())


# --- cutting ----------------------------------------------------------------------------------

_SIZES: dict[int, tuple[str, ...]] = {
    0: ("out_channels", "out_features", "num_features"),
    1: ("in_channels", "in_features"),
}
"""Where torch's layers say how much they give and take, by the axis of their weights."""


def _cut(model: Deployed, cuts: Sequence[Cut]) -> Deployed:
    """Cut in place."""
    for cut in cuts:
        for name in (cut.layer, *cut.along):
            _narrow(model.get_submodule(name), 0, cut.kept, cut.channels)
        for name in cut.into:
            _narrow(model.get_submodule(name), 1, cut.kept, cut.channels)
    return model


@torch.no_grad()
def _narrow(module: nn.Module, axis: int, kept: Sequence[int], channels: int) -> None:
    """Leave a layer only some of its channels: those it gives (axis 0) or reads (axis 1)."""
    size = len(_tensors(module)["weight"])
    for name, tensor in _tensors(module).items():
        if tensor.ndim <= axis:
            continue
        narrow = tensor.index_select(axis, _places(kept, channels, tensor.shape[axis]))
        if isinstance(tensor, nn.Parameter):
            narrow = nn.Parameter(narrow, tensor.requires_grad)
        setattr(module, name, narrow)
    now = _tensors(module)["weight"].shape[axis]
    for name in _SIZES[axis]:
        if hasattr(module, name):
            setattr(module, name, now)
    if getattr(module, "groups", 1) == size > 1:
        for name in ("in_channels", "groups"):
            setattr(module, name, now)


def _tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers of a layer, its batch counter left out."""
    own = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    return {name: tensor for name, tensor in own if tensor.ndim}


def _places(channels: Sequence[int], count: int, size: int) -> torch.Tensor:
    """Places of channels on an axis: behind a flattened image each takes several in a row."""
    width = size // count
    return (torch.tensor(channels)[:, None] * width + torch.arange(width)).flatten()


@torch.no_grad()
def _silence(model: Deployed, cuts: Sequence[Cut]) -> Deployed:
    """Set to zero, in place, what makes the channels that are not kept."""
    for cut in cuts:
        gone = sorted(set(range(cut.channels)) - set(cut.kept))
        for name in (cut.layer, *cut.along):
            for parameter in model.get_submodule(name).parameters(recurse=False):
                parameter[_places(gone, cut.channels, len(parameter))] = 0.0
    return model


@torch.no_grad()
def _check_alike(cut: Deployed, silenced: Deployed, example: torch.Tensor) -> None:
    """See that cutting did what silencing does: the forward pass may hold sizes of its own."""
    expected = silenced(example)
    try:
        apart = (cut(example) - expected).abs().max().item()
    except (RuntimeError, ValueError, TypeError) as error:
        raise _unlike(f"a model that fails ({str(error).partition(chr(10))[0]})") from error
    if not apart <= _CLOSE * max(1.0, expected.abs().max().item()):
        raise _unlike(f"answers {apart:.3g} away")


def _unlike(found: str) -> ModelError:
    return ModelError(
        found=f"{found} with its channels cut out",
        expected="what it answers with those channels at zero",
        where=WHERE,
        fix="let its forward pass take sizes from tensors, not from numbers kept aside",
    )


def _check_fit(model: Deployed, name: str, cut: Cut, axis: int) -> None:
    try:
        size = _tensors(model.get_submodule(name))["weight"].shape[axis]
    except (AttributeError, KeyError, IndexError):
        fault = f"no layer {name!r} with channels"
    else:
        if size % cut.channels == 0 and (name != cut.layer or size == cut.channels):
            return
        fault = f"layer {name!r} of {size} channels"
    raise ModelError(
        found=fault,
        expected=f"one of {cut.channels}",
        where=WHERE,
        fix="restore into the architecture that was cut",
    )
