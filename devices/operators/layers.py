"""Layers of an fp32 and an int8 file: which operators of both profiles compute the same layer.

joined = join(fp32_profile, int8_profile)
joined.layers[0].fp32, joined.layers[0].int8       # indices into each profile's operators
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ..onboard.model.outline import Outline
from .layer_matching import match
from .profiling import Profile
from .wiring import CONVERSIONS, Wiring, multiplies, shown


@dataclass(frozen=True, slots=True)
class Layer:
    """Operators of the fp32 file that run as one operator in either file.

    Attributes:
        name: name of the operator that multiplies, else of the first; untrusted text of the file.
        op: the type of that operator.
        multiplies: whether that type takes a weight.
        fp32: indices of the layer's operators in the fp32 profile.
        int8: indices of the layer's operators in the int8 profile.
        int8_nodes: indices of the layer's operators in the source graph of the int8 file.
    """

    name: str
    op: str
    multiplies: bool
    fp32: tuple[int, ...]
    int8: tuple[int, ...]
    int8_nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JoinedLayers:
    """The layers of two files.

    Attributes:
        layers: in the order of the fp32 file.
        layer_of_fp32: layer by index of operator in the fp32 profile.
        layer_of_int8: layer by index of operator in the int8 profile.
        layer_of_node: layer by index of operator in the source graph of the int8 file.
        fp32_of_node: index of operator in the source graph of the fp32 file, by index of operator
            in the source graph of the int8 file.
    """

    layers: tuple[Layer, ...]
    layer_of_fp32: Mapping[int, int]
    layer_of_int8: Mapping[int, int]
    layer_of_node: Mapping[int, int]
    fp32_of_node: Mapping[int, int]


def join(fp32: Profile, int8: Profile) -> JoinedLayers:
    """Join the operators of two profiles by layer.

    Operators of the fp32 file that run as one in either file are one layer: where the runtime fused
    an addition into a convolution, their times cannot be separated.
    """
    source, quantized = fp32.source, int8.source
    groups = _Groups(len(source.nodes))
    of_fp32 = match(fp32.optimized, source, by_values=False)
    for node, home in homes(source, of_fp32).items():
        groups.join(node, home)
    of_int8 = match(int8.optimized, quantized, by_values=False)
    fp32_of_node = match(quantized, source, by_values=True)
    quantized_homes = homes(quantized, of_int8)
    for node, home in quantized_homes.items():
        if node in fp32_of_node and home in fp32_of_node:
            groups.join(fp32_of_node[node], fp32_of_node[home])
    _join_missing(source, set(fp32_of_node.values()), groups)
    members = _members(quantized, source, fp32_of_node)
    for node, home in quantized_homes.items():  # what was fused into a node that is matched
        if home in members:
            members.setdefault(node, members[home])

    order: dict[int, list[int]] = defaultdict(list)
    for node in range(len(source.nodes)):
        order[groups.of(node)].append(node)
    number = {root: i for i, root in enumerate(order)}
    layer_of_fp32 = _by_operator(fp32, {at: number[groups.of(n)] for at, n in of_fp32.items()})
    layer_of_node = {node: number[groups.of(member)] for node, member in members.items()}
    layer_of_int8 = _by_operator(
        int8, {at: layer_of_node[n] for at, n in of_int8.items() if n in layer_of_node}
    )
    in_fp32, in_int8, in_nodes = map(_inverse, (layer_of_fp32, layer_of_int8, layer_of_node))
    layers = []
    for layer, nodes in enumerate(order.values()):
        main = next((n for n in nodes if multiplies(source.nodes[n])), nodes[0])
        layers.append(
            Layer(
                name=shown(source.nodes[main]),
                op=source.nodes[main].op,
                multiplies=multiplies(source.nodes[main]),
                fp32=tuple(in_fp32.get(layer, ())),
                int8=tuple(in_int8.get(layer, ())),
                int8_nodes=tuple(in_nodes.get(layer, ())),
            )
        )
    return JoinedLayers(tuple(layers), layer_of_fp32, layer_of_int8, layer_of_node, fp32_of_node)


def homes(source: Outline, owners: Mapping[int, int]) -> dict[int, int]:
    """The source operator under whose place in the optimized graph each source operator runs.

    An operator that the optimized graph lacks was fused into the last of those that feed it, or
    else into the first that it feeds. An operator of constants alone was folded and has no entry.

    Args:
        source: the graph of the file.
        owners: index of source operator by index of operator in the optimized graph.
    """
    last: dict[int, int] = {}
    for optimized, node in owners.items():
        last[node] = max(optimized, last.get(node, -1))
    wiring = Wiring(source)
    home = {node: node for node in last}
    computing = [i for i, node in enumerate(source.nodes) if node.op not in CONVERSIONS]
    for node in computing:
        before = [home[index] for index in wiring.before(node) if index in home]
        if node not in home and before and not multiplies(source.nodes[node]):
            home[node] = max(before, key=last.__getitem__)
    for node in reversed(computing):
        after = [home[index] for index in wiring.after(node) if index in home]
        if node not in home and after and not multiplies(source.nodes[node]):
            home[node] = min(after, key=last.__getitem__)
    return home


class _Groups:
    """Disjoint sets of nodes; the smallest index represents a set (union-find, path halving)."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def of(self, node: int) -> int:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def join(self, a: int, b: int) -> None:
        a, b = self.of(a), self.of(b)
        self._parent[max(a, b)] = min(a, b)


def _inverse(layer_of: Mapping[int, int]) -> dict[int, list[int]]:
    """Indices by layer, in their order."""
    indices: dict[int, list[int]] = defaultdict(list)
    for index, layer in layer_of.items():
        indices[layer].append(index)
    return indices


def _by_operator(profile: Profile, layer_of: Mapping[int, int]) -> dict[int, int]:
    """Layer by index of operator, from layer by index of node of the optimized graph."""
    return {
        index: layer_of[operator.node]
        for index, operator in enumerate(profile.operators)
        if operator.node is not None and operator.node in layer_of
    }


def _join_missing(source: Outline, matched: set[int], groups: _Groups) -> None:
    """Group each operator that the quantizer dropped with the operator before it.

    Such is a Relu, whose work the range of a Q does.
    """
    wiring = Wiring(source)
    for index, node in enumerate(source.nodes):
        if index in matched or multiplies(node):
            continue
        before = wiring.before(index)
        if before:
            groups.join(index, max(before))


def _members(
    quantized: Outline, source: Outline, fp32_of_node: Mapping[int, int]
) -> dict[int, int]:
    """The fp32 operator that each operator of the int8 file helps to compute.

    Operators that the quantizer added (casts, products of scales) belong to the operator whose
    output they write, else to that of the first operator that reads their output.
    """
    members = dict(fp32_of_node)
    producers, wiring = Wiring(source).producer, Wiring(quantized)
    for index in reversed(range(len(quantized.nodes))):
        node = quantized.nodes[index]
        if index in members or node.op in CONVERSIONS or multiplies(node):
            continue
        written = [producers[name] for name in node.outputs if name in producers]
        after = [members[reader] for reader in wiring.after(index) if reader in members]
        if written or after:
            members[index] = (written or after)[0]
    return members
