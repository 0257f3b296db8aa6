"""Which operator of one graph computes what an operator of another graph computes.

    source_of = match(optimized, source, by_values=False)
    source_of[4]       # index in `source` of the operator behind operator 4 of `optimized`

A runtime fuses, renames and reorders operators, and a quantizer renames them too. Operators are
matched by four kinds of evidence, in this order: the name of the weight; the values of the weight
in any order; the real numbers that its integers represent; the tensors that the operators write and
their names as onnxruntime and its quantizer change them. Between the graphs of one file the place
of an operator counts last (`places`). An operator without conclusive evidence stays unmatched;
nothing is guessed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Set

from ..onboard.model.outline import Node, Outline
from .nearest import NearestOfKind
from .places import by_place
from .weight_samples import SAME_WEIGHT, Samples, similarity
from .wiring import CONVERSIONS, REORDERS, Wiring, family

_SUFFIXES = re.compile(r"(_token_\d+|_nchwc|_quant|_MatMul_quant|/duplicated)$")
"""What onnxruntime and its quantizer append to a node's name; no field of the node says it."""


def match(ours: Outline, theirs: Outline, *, by_values: bool) -> dict[int, int]:
    """The node of `theirs` that computes what each node of `ours` computes.

    The time is linear in the nodes of both graphs for each type of operator. Only weights that
    neither name nor values identify are compared with all others of their size.

    Args:
        ours: the graph whose nodes are matched; its Q, DQ and reorderings are left out.
        theirs: the graph to search.
        by_values: compare the real numbers that weights represent, as between an int8 and an fp32
            file. Layers whose weights differ are then never matched by name alone.

    Returns:
        Index in `theirs` by index in `ours`.
    """
    written = {name for node in ours.nodes for name in node.outputs if name}
    index = _Index(theirs, written, by_values=by_values)
    matched: dict[int, int] = {}
    for position, node in enumerate(ours.nodes):
        if node.op in CONVERSIONS or node.op in REORDERS:
            continue
        counterpart = index.find(node)
        if counterpart is not None:
            matched[position] = counterpart
    return matched if by_values else by_place(ours, theirs, matched)


class _Index:
    """The nodes of one graph by name, by weight name and by weight fingerprint.

    Args:
        graph: to search.
        written: the tensors that the other graph writes.
        by_values: as in `match`.
    """

    def __init__(self, graph: Outline, written: Set[str], *, by_values: bool) -> None:
        self._wiring = Wiring(graph)
        self._nodes = graph.nodes
        self._by_values = by_values
        self._names: dict[str, list[int]] = defaultdict(list)
        self._weights: dict[str, list[int]] = defaultdict(list)
        self._prints: dict[str, list[int]] = defaultdict(list)
        self._kinds = [family(node.op) for node in graph.nodes]
        self._samples = Samples([node.weight for node in graph.nodes])
        self._sources = NearestOfKind(self._wiring, self._kinds, written)
        self._narrowed: dict[tuple[str, ...], frozenset[int]] = {}
        self._alike: dict[tuple[str, str], bool] = {}
        for at, node in enumerate(graph.nodes):
            if node.name:
                self._names[node.name].append(at)
            if node.weight is not None:
                self._weights[node.weight.name].append(at)
                if node.weight.fingerprint:
                    self._prints[node.weight.fingerprint].append(at)

    def find(self, node: Node) -> int | None:
        """The node that computes what a node of the other graph computes; None if unknown."""
        pool: frozenset[int] | None = None
        for fitting in self._evidence(node):
            left = fitting if pool is None else fitting & pool
            if len(left) == 1:
                return next(iter(left))
            if left:
                pool = left  # several fit: the next kind of evidence decides
        return None if self._by_values else self._same_output(node)

    def _same_output(self, node: Node) -> int | None:
        """The node that writes the same tensor: what a fused BiasGelu or Attention replaced.

        Sound only between the graphs of one file, where a name always is the same tensor.
        """
        producers = self._wiring.producer
        return next((producers[name] for name in node.outputs if name in producers), None)

    def _evidence(self, node: Node) -> Iterator[frozenset[int]]:
        weight, kind = node.weight, family(node.op)
        if weight is not None:
            yield self._fitting("weight", weight.name, node, self._weights.get(weight.name, ()))
            prints = self._prints.get(weight.fingerprint, ())
            yield self._fitting("values", weight.fingerprint, node, prints)
            if self._by_values:
                yield self._fitting("numbers", weight.name, node, self._samples.closest(weight))
        names = list(_names(node.name))
        for name in names:
            yield self._fitting("name", name, node, self._names.get(name, ()))
        # onnxruntime names a reordered convolution after the tensor that it writes.
        for tensor in (*node.outputs, *names):
            if tensor in self._wiring.producer:
                fused = self._sources.before(self._wiring.producer[tensor], kind)
                yield self._fitting("tensor", tensor, node, fused)

    def _fitting(
        self, evidence: str, key: str, node: Node, candidates: Iterable[int]
    ) -> frozenset[int]:
        """Those of the node's kind, without those of another weight; computed once for each key."""
        kind = family(node.op)
        weight = node.weight.name if node.weight is not None and self._by_values else ""
        at = (evidence, key, kind, weight)
        if at not in self._narrowed:
            self._narrowed[at] = frozenset(
                index
                for index in candidates
                if self._kinds[index] == kind and not (weight and self._contradicted(node, index))
            )
        return self._narrowed[at]

    def _contradicted(self, node: Node, at: int) -> bool:
        weight = self._nodes[at].weight
        if node.weight is None or weight is None:
            return False
        pair = (node.weight.name, weight.name)
        if pair not in self._alike:
            self._alike[pair] = similarity(node.weight, weight) >= SAME_WEIGHT
        return not self._alike[pair]


def _names(name: str) -> Iterator[str]:
    """The name, and every name it may have had before suffixes were appended."""
    while name:
        yield name
        shorter = _SUFFIXES.sub("", name)
        if shorter == name:
            return
        name = shorter
