"""The stored tensor behind a tensor, through what may stand between it and its reader.

roots = Roots(graph)
roots.of("w_dequantized")         # ('w_quantized', the DequantizeLinear that reads it)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .graph import Graph

if TYPE_CHECKING:
    from onnx import NodeProto

STAND_BEFORE = frozenset(
    {"Cast", "DequantizeLinear", "Identity", "QuantizeLinear", "Reshape", "Transpose"}
)
"""Operators between a stored tensor and whoever computes with it."""


class Roots:
    """Where each tensor of a graph begins; each step is taken once, however many readers ask."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[str, tuple[str, NodeProto | None]] = {}

    def of(self, name: str) -> tuple[str, NodeProto | None]:
        """The first tensor of the chain, and the operator that reads it there.

        None for the operator where nothing stands between.
        """
        chain: dict[str, NodeProto] = {}
        while name not in self._known:
            maker = self._graph.maker.get(name)
            if (
                maker is None
                or maker.op_type not in STAND_BEFORE
                or not maker.input
                or name in chain  # a circle, which no runtime loads
                or self._graph.value(name) is not None
            ):
                self._known[name] = (name, None)
                break
            chain[name] = maker
            name = maker.input[0]
        root, reader = self._known[name]
        for passed, maker in reversed(chain.items()):
            reader = reader or maker
            self._known[passed] = (root, reader)
        return root, reader
