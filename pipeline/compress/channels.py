"""Which channels of a model can be cut out: those that two layers share and nothing else ties.

>>> found = find(model, samples)                        # doctest: +SKIP
>>> found.groups[0]                                     # doctest: +SKIP
Channels(layer='backbone.layer1.0.conv1', size=16, along=('backbone.layer1.0.bn1',),
    into=('backbone.layer1.0.conv2',))

They are found in the graph that ``torch.export`` traces, not by names, so a user's own module is
read as a family's is. Channels are followed from the layer that makes them to every layer that
reads them. They are free where all that lies between keeps a channel of zeros at zero and apart
from the others (activations, pooling, batch norm, depthwise convolutions); a residual, a
concatenation, a layer norm or the model's output ties them.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.fx import Node

from ...errors import ModelError
from ..models.deployed import Deployed

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_LAYERS = {
    "conv1d": CONVOLUTIONS,
    "conv2d": CONVOLUTIONS,
    "conv3d": CONVOLUTIONS,
    "linear": (nn.Linear,),
    "batch_norm": NORMS,
}
"""Modules that own the weights of an operator."""
_KEEP_ZERO = {
    "celu", "clone", "contiguous", "dropout", "elu", "feature_dropout", "gelu", "hardswish",
    "hardtanh", "leaky_relu", "mish", "relu", "relu6", "selu", "silu", "softsign", "tanh",
}  # fmt: skip
"""Elementwise, f(0) = 0. A sigmoid gives one half: its channels carry a constant to what follows,
and cutting them would do more than setting them to zero."""
_SCALE = {"mul", "div"}
_REDUCE = {"amax", "mean", "sum"}
_POOLS = {
    "adaptive_avg_pool1d": 1, "adaptive_avg_pool2d": 2, "avg_pool1d": 1, "avg_pool2d": 2,
    "max_pool1d": 1, "max_pool2d": 2,
}  # fmt: skip
"""How many of the last axes they pool."""
_FLATTEN = {"flatten", "reshape", "view"}


class Channels(NamedTuple):
    """Channels that can be cut together.

    Attributes:
        layer: the convolution or linear layer that makes them, by its name in ``named_modules()``.
        size: how many.
        along: batch norms and depthwise convolutions between, which have one of each.
        into: the layers that read them, at least one.
    """

    layer: str
    size: int
    along: tuple[str, ...]
    into: tuple[str, ...]


class Found(NamedTuple):
    """What can be cut of a model.

    Attributes:
        groups: in the order in which they are computed.
        left: by layer, what ties its channels.
        macs: multiply-accumulates of one sample, by layer.
    """

    groups: tuple[Channels, ...]
    left: dict[str, str]
    macs: dict[str, int]


def find(model: Deployed, example: torch.Tensor) -> Found:
    """Trace a model and follow the channels of each of its layers.

    Args:
        model: in eval mode.
        example: a batch as the model takes it.

    Raises:
        ModelError: it cannot be traced, with torch's reason; such a model cannot be exported.
    """
    try:
        program = torch.export.export(model, (example,))
    except Exception as error:
        raise ModelError(
            found=f"cannot be traced ({str(error).partition(chr(10))[0]})",
            where=type(model.backbone).__name__,
            fix="write it so that torch.export takes it",
        ) from error
    graph = _Graph(model, program.graph_signature.inputs_to_parameters)
    groups, left, macs = [], {}, {}
    for node in program.graph.nodes:
        layer = graph.layer(node)
        if layer is None or _kind(node) == "batch_norm":
            continue
        module = model.get_submodule(layer)
        out, weight = node.meta["val"], model.get_parameter(f"{layer}.weight")
        macs[layer] = out.numel() // len(example) * weight[0].numel()
        if getattr(module, "groups", 1) > 1:
            if not _is_depthwise(module):
                left[layer] = "groups of its own"
            continue
        along: list[str] = []
        into: list[str] = []
        tie = graph.follow(node, 1 if _kind(node) != "linear" else out.ndim - 1, along, into)
        if tie is None and into:
            groups.append(Channels(layer, len(weight), tuple(along), tuple(into)))
        else:
            left[layer] = tie or "nothing that reads them"
    return Found(tuple(groups), left, macs)


class _Graph:
    """The traced graph of a model, and which of its layers own what."""

    def __init__(self, model: nn.Module, names: Mapping[str, str]) -> None:
        self.model, self.names = model, names
        every = model.named_parameters(remove_duplicate=False)
        self.owners = Counter(id(parameter) for _, parameter in every)

    def layer(self, node: Node) -> str | None:
        """The layer that a node is, where the layer is called once and shares no weights."""
        owners = _LAYERS.get(_kind(node))
        weight = node.args[1] if owners and len(node.args) > 1 else None
        if owners is None or not isinstance(weight, Node) or len(weight.users) > 1:
            return None
        name, _, role = self.names.get(weight.name, "").rpartition(".")
        module = self.model.get_submodule(name)
        if role != "weight" or not isinstance(module, owners):
            return None
        alone = all(self.owners[id(one)] == 1 for one in module.parameters(recurse=False))
        return name if alone else None

    def follow(self, node: Node, axis: int, along: list[str], into: list[str]) -> str | None:
        """Follow the channels on an axis of a node's output to all that read them.

        Args:
            node: whose output.
            axis: of it.
            along: batch norms and depthwise convolutions met are put here.
            into: layers that read them are put here.

        Returns:
            What ties them to something else; None where nothing does.
        """
        for user in node.users:
            kind, layer = _kind(user), self.layer(user)
            if kind == "_assert_tensor_metadata":
                continue
            if user.op == "output":
                return "the model's output"
            if user.args[:1] != (node,):
                return kind
            if layer is not None and _reads(self.model.get_submodule(layer), axis, node):
                into.append(layer)
                continue
            if layer is not None and _passes(self.model.get_submodule(layer), axis):
                along.append(layer)
                goes_to: int | None = 1
            else:
                goes_to = _axis_behind(user, kind, axis)
            if goes_to is None:
                return kind
            tie = self.follow(user, goes_to, along, into)
            if tie is not None:
                return tie
        return None


def _kind(node: Node) -> str:
    """The operator without its overload; in place or not is one."""
    packet = getattr(node.target, "overloadpacket", node.target)
    return str(getattr(packet, "__name__", packet)).rstrip("_")


def _reads(module: nn.Module, axis: int, given: Node) -> bool:
    """Whether a layer mixes all channels on this axis of its input."""
    if isinstance(module, nn.Linear):
        return axis == int(given.meta["val"].ndim) - 1
    return isinstance(module, CONVOLUTIONS) and module.groups == 1 and axis == 1


def _passes(module: nn.Module, axis: int) -> bool:
    """Whether a layer treats each channel by itself, and zeroed weights silence one."""
    return axis == 1 and (isinstance(module, NORMS) or _is_depthwise(module))


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, CONVOLUTIONS) and (
        1 < module.groups == module.in_channels == module.out_channels
    )


def _axis_behind(user: Node, kind: str, axis: int) -> int | None:
    """Where an operator without weights leaves the channels; None where it ties them."""
    given, out = user.args[0], user.meta.get("val")
    if not isinstance(given, Node) or not isinstance(out, torch.Tensor):
        return None
    shape = tuple(given.meta["val"].shape)
    if kind in _KEEP_ZERO or (kind in _SCALE and isinstance(user.args[1], int | float)):
        return axis
    if kind in _POOLS:
        return axis if axis < len(shape) - _POOLS[kind] else None
    if kind in _REDUCE:
        return _axis_behind_reduction(user, axis, len(shape))
    if kind in _FLATTEN and axis == 1 and out.shape == (shape[0], math.prod(shape[1:])):
        # A size that the code spells out would be wrong behind the cut; -1 is worked out anew.
        inferred = kind == "flatten" or _last(user.args[1]) == -1
        return 1 if inferred else None
    return None


def _axis_behind_reduction(user: Node, axis: int, axes: int) -> int | None:
    given = user.args[1] if len(user.args) > 1 else None
    if not isinstance(given, list | tuple):
        return None
    gone = {int(one) % axes for one in given if isinstance(one, int)}
    if axis in gone:
        return None
    kept = len(user.args) > 2 and bool(user.args[2])
    return axis if kept else axis - sum(one < axis for one in gone)


def _last(sizes: Any) -> Any:
    return sizes[-1] if isinstance(sizes, list | tuple) and sizes else None
