"""Which operators of the fp32 and of the int8 file compute the same layer.

    layers = join(fp32_profile, int8_profile)
    layers[0].fp32, layers[0].int8       # indices into each profile's operators

A runtime fuses, renames and reorders, and a quantizer renames too. Operators are joined by what
they compute: by the weight (its name, its values in whatever order, the real numbers that its
integers stand for), by the tensors they write, and by their names as onnxruntime and its quantizer
change them. What none of these tells is left alone and named; nothing is guessed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..onboard.model.outline import WEIGHT_AT, Node, Outline, Weight
from .profiling import Profile

CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
REORDERS = frozenset({"ReorderInput", "ReorderOutput"})
_MATRIX_PRODUCTS = frozenset({
    "MatMul", "Gemm", "FusedMatMul", "FusedGemm", "TransposeMatMul", "QLinearMatMul", "QGemm",
    "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "MatMulNBits",
})  # fmt: skip
_CONVOLUTIONS = frozenset({"Conv", "FusedConv", "NhwcFusedConv", "QLinearConv", "ConvInteger"})
_SUFFIXES = re.compile(r"(_token_\d+|_nchwc|_quant|_MatMul_quant|/duplicated)$")
"""What onnxruntime and its quantizer add to a node's name."""
_ALIKE = 0.6
"""Cosine from which two weights are one. Of unlike ones 256 values give 0 ± 0.06; folding a batch
normalization into one of two equal ones leaves 0.8 and more."""
_APART = 0.3
"""How much less alike the second best has to be."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What was joined: source operators of the fp32 file that run as one in either file.

    Attributes:
        name: of the operator that multiplies, else of the first; data, not to be trusted in a page.
        op: its type.
        multiplies: whether it multiplies by a stored weight or is of a kind that does.
        fp32: indices of its operators in the fp32 profile.
        int8: indices of its operators in the int8 profile.
        int8_nodes: indices of its operators in the source graph of the int8 file.
    """

    name: str
    op: str
    multiplies: bool
    fp32: tuple[int, ...]
    int8: tuple[int, ...]
    int8_nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Both files, joined.

    Attributes:
        layers: in the order of the fp32 file.
        layer_of_fp32: layer by index of fp32 operator.
        layer_of_int8: layer by index of int8 operator.
        layer_of_node: layer by index of operator in the source graph of the int8 file.
        fp32_of_node: index of operator in the source graph of the fp32 file, by the same.
    """

    layers: tuple[Layer, ...]
    layer_of_fp32: Mapping[int, int]
    layer_of_int8: Mapping[int, int]
    layer_of_node: Mapping[int, int]
    fp32_of_node: Mapping[int, int]


def family(op: str) -> str:
    """What an operator computes, whichever way: `FusedConv` and `QLinearConv` are `Conv`."""
    if op in _CONVOLUTIONS:
        return "Conv"
    if op in _MATRIX_PRODUCTS:
        return "MatMul"
    return op.removeprefix("QLinear")


def shown(node: Node) -> str:
    """A node's name, or its output's where it has none."""
    return node.name or next((one for one in node.outputs if one), "")


class Wiring:
    """Who makes and who takes each tensor of one graph, by index of node."""

    def __init__(self, graph: Outline) -> None:
        self.graph = graph
        self.maker: dict[str, int] = {}
        self.takers: dict[str, list[int]] = defaultdict(list)
        for index, node in enumerate(graph.nodes):
            for name in node.outputs:
                if name:
                    self.maker[name] = index
            for name in dict.fromkeys(node.inputs):
                if name:
                    self.takers[name].append(index)

    def before(self, index: int) -> list[int]:
        """The operators that make what this one reads, looking through Q and DQ."""
        return self._reach(index, backward=True)

    def after(self, index: int) -> list[int]:
        """The operators that read what this one makes, looking through Q and DQ."""
        return self._reach(index, backward=False)

    def _reach(self, index: int, *, backward: bool) -> list[int]:
        found: list[int] = []
        seen = {index}
        waiting = [index]
        while waiting:
            for other in self.next(waiting.pop(0), backward=backward):
                if other in seen:
                    continue
                seen.add(other)
                through = self.graph.nodes[other].op in CONVERSIONS
                (waiting if through else found).append(other)
        return found

    def next(self, index: int, *, backward: bool) -> Iterator[int]:
        """The nodes right before or right behind this one, of any kind."""
        node = self.graph.nodes[index]
        if backward:
            yield from (self.maker[name] for name in node.inputs if name in self.maker)
        else:
            for name in node.outputs:
                yield from self.takers.get(name, ())


def match(ours: Outline, theirs: Outline, *, by_values: bool) -> dict[int, int]:
    """Which node of one graph computes what which node of another does.

    Args:
        ours: the graph whose nodes are looked for; its Q and DQ are not.
        theirs: the graph they are looked for in.
        by_values: hold the numbers that weights stand for against each other, as between an int8
            and an fp32 file. A name alone then joins no two layers whose weights differ.

    Returns:
        Index in `theirs` by index in `ours`.
    """
    index = _Index(theirs)
    found: dict[int, int] = {}
    for position, node in enumerate(ours.nodes):
        if node.op in CONVERSIONS or node.op in REORDERS:
            continue
        other = index.find(node, by_values=by_values)
        if other is not None:
            found[position] = other
    return found


class _Index:
    def __init__(self, graph: Outline) -> None:
        self._wiring = Wiring(graph)
        self._nodes = graph.nodes
        self._names: dict[str, list[int]] = defaultdict(list)
        self._weights: dict[str, list[int]] = defaultdict(list)
        self._prints: dict[str, list[int]] = defaultdict(list)
        for at, node in enumerate(graph.nodes):
            if node.name:
                self._names[node.name].append(at)
            if node.weight is not None:
                self._weights[node.weight.name].append(at)
                if node.weight.fingerprint:
                    self._prints[node.weight.fingerprint].append(at)

    def find(self, node: Node, *, by_values: bool) -> int | None:
        kind = family(node.op)
        pool: set[int] | None = None
        for candidates in self._evidence(node, kind, by_values):
            fitting = {one for one in candidates if family(self._nodes[one].op) == kind}
            if pool is not None:
                fitting &= pool
            if by_values:
                fitting = {one for one in fitting if not self._contradicted(node, one)}
            if len(fitting) == 1:
                return fitting.pop()
            if fitting:
                pool = fitting  # of several, the next evidence decides
        return None if by_values else self._written(node)

    def _written(self, node: Node) -> int | None:
        """Of a fused operator of another kind (BiasGelu, Attention): what wrote its output before.

        In one file's graphs a name is one tensor.
        """
        makers = self._wiring.maker
        return next((makers[name] for name in node.outputs if name in makers), None)

    def _evidence(self, node: Node, kind: str, by_values: bool) -> Iterator[Iterable[int]]:
        if node.weight is not None:
            yield self._weights.get(node.weight.name, ())
            yield self._prints.get(node.weight.fingerprint, ())
            if by_values:
                yield self._by_values(node.weight)
        names = list(_names(node.name))
        for name in names:
            yield self._names.get(name, ())
        # onnxruntime names a reordered convolution after the tensor that it writes.
        for tensor in (*node.outputs, *names):
            if tensor in self._wiring.maker:
                yield self._upwards(self._wiring.maker[tensor], kind)

    def _upwards(self, index: int, kind: str) -> list[int]:
        """From the last of what was fused up to the one that names it."""
        step = [index]
        while step:
            fitting = [one for one in step if family(self._nodes[one].op) == kind]
            if fitting:
                return fitting
            step = [
                other
                for one in step
                if not multiplies(self._nodes[one])
                for other in self._wiring.before(one)
            ]
        return []

    def _by_values(self, weight: Weight) -> list[int]:
        scored = sorted(
            (
                (alike(weight, node.weight), at)
                for at, node in enumerate(self._nodes)
                if node.weight is not None
            ),
            reverse=True,
        )
        if not scored or scored[0][0] < _ALIKE:
            return []
        return [at for score, at in scored if score > scored[0][0] - _APART]

    def _contradicted(self, node: Node, at: int) -> bool:
        other = self._nodes[at].weight
        return node.weight is not None and other is not None and alike(node.weight, other) < _ALIKE


def alike(a: Weight, b: Weight) -> float:
    """The cosine between two weights' samples, of either or its transpose; 0 of other sizes."""
    if np.prod(a.shape) != np.prod(b.shape):
        return 0.0
    found = [_cosine(a.sample, one) for one in (b.sample, b.transposed)]
    return max(found)


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    if not a or len(a) != len(b):
        return 0.0
    x, y = np.asarray(a), np.asarray(b)
    length = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / length if length else 0.0


def _names(name: str) -> Iterator[str]:
    """The name, and each that it may have had before a suffix was put to it."""
    while name:
        yield name
        shorter = _SUFFIXES.sub("", name)
        if shorter == name:
            return
        name = shorter


def multiplies(node: Node) -> bool:
    """Whether it is of a kind that holds a weight."""
    return node.op in WEIGHT_AT


def join(fp32: Profile, int8: Profile) -> Joined:
    """Join the operators of two profiles by layer.

    Operators of the fp32 file that run as one in either file are one layer: where the runtime fused
    an addition into a convolution, the two cannot be told apart.
    """
    source, quantized = fp32.source, int8.source
    groups = _Groups(len(source.nodes))
    of_fp32 = match(fp32.optimized, source, by_values=False)
    for node, home in homes(source, of_fp32).items():
        groups.join(node, home)
    of_int8 = match(int8.optimized, quantized, by_values=False)
    known = match(quantized, source, by_values=True)
    quantized_homes = homes(quantized, of_int8)
    for node, home in quantized_homes.items():
        if node in known and home in known:
            groups.join(known[node], known[home])
    _join_missing(source, set(known.values()), groups)
    members = _members(quantized, source, known)
    for node, home in quantized_homes.items():  # what was fused into a node that is joined
        if home in members:
            members.setdefault(node, members[home])

    order: dict[int, list[int]] = defaultdict(list)
    for node in range(len(source.nodes)):
        order[groups.of(node)].append(node)
    number = {root: i for i, root in enumerate(order)}
    layer_of_fp32 = _placed(fp32, {at: number[groups.of(n)] for at, n in of_fp32.items()})
    layer_of_node = {node: number[groups.of(one)] for node, one in members.items()}
    layer_of_int8 = _placed(
        int8, {at: layer_of_node[n] for at, n in of_int8.items() if n in layer_of_node}
    )
    layers = []
    for root, nodes in order.items():
        chief = next((n for n in nodes if multiplies(source.nodes[n])), nodes[0])
        layers.append(
            Layer(
                name=shown(source.nodes[chief]),
                op=source.nodes[chief].op,
                multiplies=multiplies(source.nodes[chief]),
                fp32=tuple(k for k, v in layer_of_fp32.items() if v == number[root]),
                int8=tuple(k for k, v in layer_of_int8.items() if v == number[root]),
                int8_nodes=tuple(k for k, v in layer_of_node.items() if v == number[root]),
            )
        )
    return Joined(tuple(layers), layer_of_fp32, layer_of_int8, layer_of_node, known)


def homes(source: Outline, owners: Mapping[int, int]) -> dict[int, int]:
    """For each source operator the one whose place in the optimized graph it runs in.

    One that is not there any more was fused into the last of those that feed it, or else into the
    first that it feeds; one of constants alone was folded and is not in the answer.
    """
    last: dict[int, int] = {}
    for optimized, node in owners.items():
        last[node] = max(optimized, last.get(node, -1))
    wiring = Wiring(source)
    found = {node: node for node in last}
    computing = [i for i, node in enumerate(source.nodes) if node.op not in CONVERSIONS]
    for node in computing:
        before = [found[one] for one in wiring.before(node) if one in found]
        if node not in found and before and not multiplies(source.nodes[node]):
            found[node] = max(before, key=last.__getitem__)
    for node in reversed(computing):
        after = [found[one] for one in wiring.after(node) if one in found]
        if node not in found and after and not multiplies(source.nodes[node]):
            found[node] = min(after, key=last.__getitem__)
    return found


class _Groups:
    """Disjoint sets of nodes (union by first, with path halving)."""

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


def _placed(profile: Profile, layer_of: Mapping[int, int]) -> dict[int, int]:
    """Layer by operator, from layer by node of the optimized graph."""
    return {
        index: layer_of[one.node]
        for index, one in enumerate(profile.operators)
        if one.node is not None and one.node in layer_of
    }


def _join_missing(source: Outline, known: set[int], groups: _Groups) -> None:
    """What the quantizer dropped, as a Relu that the range of a Q does, goes with its maker."""
    wiring = Wiring(source)
    for index, node in enumerate(source.nodes):
        if index in known or multiplies(node):
            continue
        before = wiring.before(index)
        if before:
            groups.join(index, max(before))


def _members(quantized: Outline, source: Outline, known: Mapping[int, int]) -> dict[int, int]:
    """The fp32 operator that each operator of the int8 file helps to compute.

    Those the quantizer added (casts, products of scales) belong where their output leads: to the
    operator whose output they write, else to that of the first that reads them.
    """
    members = dict(known)
    makers, wiring = Wiring(source).maker, Wiring(quantized)
    for index in reversed(range(len(quantized.nodes))):
        node = quantized.nodes[index]
        if index in members or node.op in CONVERSIONS or multiplies(node):
            continue
        written = [makers[name] for name in node.outputs if name in makers]
        after = [members[one] for one in wiring.after(index) if one in members]
        if written or after:
            members[index] = (written or after)[0]
    return members
