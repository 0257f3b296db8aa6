"""Which channels of a model can be cut out: those that layers make and read, and nothing else ties.

>>> found = find(model, samples)                        # doctest: +SKIP
>>> found.groups[1]                                     # doctest: +SKIP
Channels(layer='backbone.layer1.0.conv1', size=16, along=('backbone.layer1.0.bn1',),
    into=('backbone.layer1.0.conv2',), added=(), wider=())

They are found in the graph that ``torch.export`` traces, not by names, so a user's own module is
read as a family's is. Channels are followed from the layers that make them to every layer that
reads them. They are free where all that lies between keeps a channel of zeros at zero and apart
from the others (activations, pooling, batch norm, depthwise convolutions). A sum makes one of the
channels of its two sides: those of a residual connection go together, all along it. A shortcut that
adds channels of zeros (He et al. 2016, option A) makes them part of more channels, of which only
they can go. A concatenation, a layer norm, attention or the model's output ties them.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import nn
from torch.fx import Node

from ....errors import ModelError
from ...models.deployed import Deployed

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
_PADS = {"constant_pad_nd", "pad"}
_FLATTEN = {"flatten", "reshape", "view"}


class Made(NamedTuple):
    """A layer whose outputs are added to another's.

    Attributes:
        layer: by its name in ``named_modules()``.
        along: batch norms and depthwise convolutions between it and the sum.
    """

    layer: str
    along: tuple[str, ...]


class Channels(NamedTuple):
    """Channels that can be cut together.

    Attributes:
        layer: the convolution or linear layer that makes them, by its name in ``named_modules()``;
            of several that are added the first.
        size: how many.
        along: batch norms and depthwise convolutions between, which have one of each.
        into: the layers that read them; of a group at least one, there or in ``wider``.
        added: the other layers that make them, with what lies between those and the sum.
        wider: the same channels where a shortcut made them part of more.
    """

    layer: str
    size: int
    along: tuple[str, ...]
    into: tuple[str, ...]
    added: tuple[Made, ...] = ()
    wider: tuple["Wider", ...] = ()

    @property
    def makers(self) -> tuple[Made, ...]:
        """All layers that make them."""
        return (Made(self.layer, self.along), *self.added)

    @property
    def outputs(self) -> tuple[str, ...]:
        """All layers and norms that have one of each."""
        return tuple(name for made in self.makers for name in (made.layer, *made.along))

    @property
    def places(self) -> tuple["Wider", ...]:
        """All channels that they are, or are part of."""
        return (Wider(self, 0), *self.wider)


class Wider(NamedTuple):
    """Channels of which some are those of a group.

    Attributes:
        channels: all of them; ``wider`` is empty.
        start: the first that is one of the group's.
    """

    channels: Channels
    start: int


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
    macs: dict[str, int] = {}
    for node in program.graph.nodes:
        layer = graph.layer(node)
        if layer is not None and _kind(node) != "batch_norm":
            weight = model.get_parameter(f"{layer}.weight")
            macs[layer] = node.meta["val"].numel() // len(example) * weight[0].numel()
        graph.follow(node, layer)
    groups, tied = graph.found()
    return Found(groups, tied, macs)


class _Space:
    """Channels while they are followed; one with another where a sum made them one.

    Attributes:
        number: in the order in which they are first made.
        size: how many.
        made: the layers that make them, each with what lies behind it alone.
        along: what lies behind a sum of them.
        into: layers that read them.
        tie: what ties them; None where nothing does.
        part: channels that are part of these, and where they start.
    """

    def __init__(self, number: int, size: int) -> None:
        self.number, self.size = number, size
        self.made: dict[str, list[str]] = {}
        self.along: list[str] = []
        self.into: list[str] = []
        self.tie: str | None = None
        self.part: tuple[_Space, int] | None = None
        self._same: _Space | None = None

    def root(self) -> "_Space":
        """That with which it became one."""
        return self if self._same is None else self._same.root()

    def join(self, other: "_Space") -> None:
        """Become one with another; both are roots, and the first made stays one."""
        if other is self:
            return
        if other.number < self.number:
            other.join(self)
            return
        self.made |= other.made
        self.along += other.along
        self.into += other.into
        self.tie = self.tie or other.tie
        if self.part and other.part and _placed(self.part) != _placed(other.part):
            self.tie = self.tie or "pad"
        self.part = self.part or other.part
        other._same = self


def _placed(part: tuple[_Space, int]) -> tuple[_Space, int]:
    return part[0].root(), part[1]


class _At(NamedTuple):
    """Where the channels of a node's output are.

    Attributes:
        space: the channels.
        axis: of the output.
        maker: the layer that alone made them; None behind a sum.
    """

    space: _Space
    axis: int
    maker: str | None


class _Graph:
    """The traced graph of a model: which of its layers own what, and who makes and reads what."""

    def __init__(self, model: nn.Module, names: Mapping[str, str]) -> None:
        self.model, self.names = model, names
        every = model.named_parameters(remove_duplicate=False)
        self.owners = Counter(id(parameter) for _, parameter in every)
        self._at: dict[Node, _At] = {}
        self._spaces: list[_Space] = []
        self._grouped: list[str] = []

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
        alone = all(
            self.owners[id(parameter)] == 1 for parameter in module.parameters(recurse=False)
        )
        return name if alone else None

    def follow(self, node: Node, layer: str | None) -> None:
        """Follow the channels of a node's inputs through it; nodes come in graph order."""
        kind = _kind(node)
        if kind == "_assert_tensor_metadata":
            return
        followed = [source for source in node.all_input_nodes if source in self._at]
        if kind == "add" and self._add(node, followed):
            return
        if len(followed) == 1 and node.args[:1] == (followed[0],):
            goes_to = self._behind(node, kind, layer, self._at[followed[0]])
            if goes_to is not None:
                self._at[node] = goes_to
                return
        read = layer is not None and len(followed) == 1 and self._reads(node, layer, followed[0])
        for source in followed:
            space = self._at[source].space.root()
            if read:
                space.into.append(str(layer))
            else:
                space.tie = space.tie or ("the model's output" if node.op == "output" else kind)
        if layer is not None and kind != "batch_norm":
            self._make(node, layer, kind)

    def found(self) -> tuple[tuple[Channels, ...], dict[str, str]]:
        """Groups in the order in which they are first made, and what ties the other layers."""
        roots = list(dict.fromkeys(space.root() for space in self._spaces))
        parts = {space: _placed(space.part) for space in roots if space.part is not None}
        whole = {space: _innermost(space, parts) for space in roots}
        members: dict[_Space, list[tuple[_Space, int]]] = {}
        for space, (inner, start) in whole.items():
            members.setdefault(inner, []).append((space, start))
        groups, tied = [], dict.fromkeys(self._grouped, "groups of its own")
        for inner, spaces in members.items():
            tie = next((space.tie for space, _ in spaces if space.tie), None)
            if tie is None and not all(space.made for space, _ in spaces):
                tie = "pad"
            if tie is None and not any(space.into for space, _ in spaces):
                tie = "nothing that reads them"
            if tie is not None:
                tied |= {layer: tie for space, _ in spaces for layer in space.made}
                continue
            wider = tuple(
                Wider(_channels(space), start) for space, start in spaces if space is not inner
            )
            groups.append(_channels(inner)._replace(wider=wider))
        return tuple(groups), tied

    def _make(self, node: Node, layer: str, kind: str) -> None:
        module, out = self.model.get_submodule(layer), node.meta["val"]
        if getattr(module, "groups", 1) > 1:
            if not _is_depthwise(module):
                self._grouped.append(layer)
            return
        axis = 1 if kind != "linear" else out.ndim - 1
        space = _Space(len(self._spaces), out.shape[axis])
        space.made[layer] = []
        self._spaces.append(space)
        self._at[node] = _At(space, axis, layer)

    def _add(self, node: Node, sides: list[Node]) -> bool:
        """Whether a node adds two of the same channels, which then are one."""
        if len(sides) != 2 or node.args[:2] != tuple(sides) or node.kwargs.get("alpha", 1) != 1:
            return False
        first, second = (self._at[side] for side in sides)
        shapes = [tuple(side.meta["val"].shape) for side in sides]
        if shapes[0] != shapes[1] or first.axis != second.axis:
            return False
        first.space.root().join(second.space.root())
        self._at[node] = _At(first.space.root(), first.axis, None)
        return True

    def _behind(self, node: Node, kind: str, layer: str | None, at: _At) -> _At | None:
        """Where channels are behind a node that has no others; None where it ties them."""
        space = at.space.root()
        if layer is not None and _passes(self.model.get_submodule(layer), at.axis):
            (space.along if at.maker is None else space.made[at.maker]).append(layer)
            return at
        if kind in _PADS and _adds_zeros(node):
            return self._padded(node, at)
        axis = _axis_behind(node, kind, at.axis)
        return None if axis is None else at._replace(axis=axis)

    def _padded(self, node: Node, at: _At) -> _At:
        axes = node.meta["val"].ndim
        sizes = list(cast("Sequence[int]", node.args[1]))
        sizes += [0] * (2 * axes - len(sizes))
        start, behind = sizes[2 * (axes - 1 - at.axis) :][:2]
        if not start and not behind:
            return at
        wide = _Space(len(self._spaces), node.meta["val"].shape[at.axis])
        wide.part = (at.space, start)
        if min(sizes) < 0:
            wide.tie = "pad"
        self._spaces.append(wide)
        return _At(wide, at.axis, None)

    def _reads(self, node: Node, layer: str, source: Node) -> bool:
        return node.args[:1] == (source,) and _reads(
            self.model.get_submodule(layer), self._at[source].axis, source
        )


def _innermost(space: _Space, parts: Mapping[_Space, tuple[_Space, int]]) -> tuple[_Space, int]:
    """The channels that are part of all others, and where they start in these."""
    start = 0
    while space in parts:
        space, offset = parts[space]
        start += offset
    return space, start


def _channels(space: _Space) -> Channels:
    (layer, along), *added = space.made.items()
    return Channels(
        layer,
        space.size,
        (*along, *space.along),
        tuple(space.into),
        tuple(Made(name, tuple(behind)) for name, behind in added),
    )


def _kind(node: Node) -> str:
    """The operator without its overload; in place or not is one."""
    packet = getattr(node.target, "overloadpacket", node.target)
    return str(getattr(packet, "__name__", packet)).rstrip("_")


def _reads(module: nn.Module, axis: int, source: Node) -> bool:
    """Whether a layer mixes all channels on this axis of its input."""
    if isinstance(module, nn.Linear):
        return axis == int(source.meta["val"].ndim) - 1
    return isinstance(module, CONVOLUTIONS) and module.groups == 1 and axis == 1


def _passes(module: nn.Module, axis: int) -> bool:
    """Whether a layer treats each channel by itself, and zeroed weights silence one."""
    return axis == 1 and (isinstance(module, NORMS) or _is_depthwise(module))


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, CONVOLUTIONS) and (
        1 < module.groups == module.in_channels == module.out_channels
    )


def _adds_zeros(node: Node) -> bool:
    """Whether a padding adds zeros, of the kind that ``torch.nn.functional.pad`` takes first."""
    fill = node.args[2:] if _kind(node) == "constant_pad_nd" else node.args[3:]
    mode = node.args[2:3] if _kind(node) == "pad" else ()
    return mode in ((), ("constant",)) and not any(fill)


def _axis_behind(user: Node, kind: str, axis: int) -> int | None:
    """Where an operator without weights leaves the channels; None where it ties them."""
    source, out = user.args[0], user.meta.get("val")
    if not isinstance(source, Node) or not isinstance(out, torch.Tensor):
        return None
    shape = tuple(source.meta["val"].shape)
    if kind in _KEEP_ZERO or (kind in _SCALE and isinstance(user.args[1], int | float)):
        return axis
    if kind == "slice":
        cut = user.args[1] if len(user.args) > 1 else 0
        return axis if isinstance(cut, int) and cut % len(shape) != axis else None
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
    gone = {int(axis_number) % axes for axis_number in given if isinstance(axis_number, int)}
    if axis in gone:
        return None
    kept = len(user.args) > 2 and bool(user.args[2])
    return axis if kept else axis - sum(axis_number < axis for axis_number in gone)


def _last(sizes: Any) -> Any:
    return sizes[-1] if isinstance(sizes, list | tuple) and sizes else None
