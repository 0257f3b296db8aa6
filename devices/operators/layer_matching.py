"""Which operator of one graph computes what an operator of another graph computes.

    source_of = match(optimized, source, by_values=False)
    source_of[4]       # index in `source` of the operator behind operator 4 of `optimized`

A runtime fuses, renames and reorders operators, and a quantizer renames them too. Operators are
matched by four kinds of evidence, in this order: the name of the weight; the values of the weight
in any order; the real numbers that its integers represent; the tensors that the operators write and
their names as onnxruntime and its quantizer change them. An operator without conclusive evidence
stays unmatched; nothing is guessed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..onboard.model.outline import Node, Outline, Weight
from .wiring import CONVERSIONS, REORDERS, Wiring, family, multiplies

_SUFFIXES = re.compile(r"(_token_\d+|_nchwc|_quant|_MatMul_quant|/duplicated)$")
"""What onnxruntime and its quantizer append to a node's name; no field of the node says it."""
_SAME_WEIGHT = 0.6
"""Cosine from which two weights count as the same weight. 256 values of unrelated weights give
0 ± 0.06; folding a batch normalization into one of two equal weights leaves 0.8 and more."""
_MARGIN = 0.3
"""By how much the cosine of the second best weight must be lower."""


def match(ours: Outline, theirs: Outline, *, by_values: bool) -> dict[int, int]:
    """The node of `theirs` that computes what each node of `ours` computes.

    Args:
        ours: the graph whose nodes are matched; its Q, DQ and reorderings are left out.
        theirs: the graph to search.
        by_values: compare the real numbers that weights represent, as between an int8 and an fp32
            file. Layers whose weights differ are then never matched by name alone.

    Returns:
        Index in `theirs` by index in `ours`.
    """
    index = _Index(theirs)
    matched: dict[int, int] = {}
    for position, node in enumerate(ours.nodes):
        if node.op in CONVERSIONS or node.op in REORDERS:
            continue
        counterpart = index.find(node, by_values=by_values)
        if counterpart is not None:
            matched[position] = counterpart
    return matched


class _Index:
    """The nodes of one graph by name, by weight name and by weight fingerprint."""

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
            fitting = {index for index in candidates if family(self._nodes[index].op) == kind}
            if pool is not None:
                fitting &= pool
            if by_values:
                fitting = {index for index in fitting if not self._contradicted(node, index)}
            if len(fitting) == 1:
                return fitting.pop()
            if fitting:
                pool = fitting  # several fit: the next kind of evidence decides
        return None if by_values else self._same_output(node)

    def _same_output(self, node: Node) -> int | None:
        """The node that writes the same tensor: what a fused BiasGelu or Attention replaced.

        Sound only between the graphs of one file, where a name always is the same tensor.
        """
        producers = self._wiring.producer
        return next((producers[name] for name in node.outputs if name in producers), None)

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
            if tensor in self._wiring.producer:
                yield self._upwards(self._wiring.producer[tensor], kind)

    def _upwards(self, index: int, kind: str) -> list[int]:
        """From the last of several fused operators, the nearest one before it of this kind."""
        step = [index]
        while step:
            fitting = [node for node in step if family(self._nodes[node].op) == kind]
            if fitting:
                return fitting
            step = [
                previous
                for node in step
                if not multiplies(self._nodes[node])
                for previous in self._wiring.before(node)
            ]
        return []

    def _by_values(self, weight: Weight) -> list[int]:
        scored = sorted(
            (
                (similarity(weight, node.weight), at)
                for at, node in enumerate(self._nodes)
                if node.weight is not None
            ),
            reverse=True,
        )
        if not scored or scored[0][0] < _SAME_WEIGHT:
            return []
        return [at for score, at in scored if score > scored[0][0] - _MARGIN]

    def _contradicted(self, node: Node, at: int) -> bool:
        weight = self._nodes[at].weight
        if node.weight is None or weight is None:
            return False
        return similarity(node.weight, weight) < _SAME_WEIGHT


def similarity(a: Weight, b: Weight) -> float:
    """The cosine of two weights' samples, `b` as it is or transposed; 0 if their sizes differ."""
    if np.prod(a.shape) != np.prod(b.shape):
        return 0.0
    return max(_cosine(a.sample, sample) for sample in (b.sample, b.transposed))


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    if not a or len(a) != len(b):
        return 0.0
    x, y = np.asarray(a), np.asarray(b)
    length = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / length if length else 0.0


def _names(name: str) -> Iterator[str]:
    """The name, and every name it may have had before suffixes were appended."""
    while name:
        yield name
        shorter = _SUFFIXES.sub("", name)
        if shorter == name:
            return
        name = shorter
