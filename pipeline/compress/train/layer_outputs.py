"""The nodes of a captured graph that compute a layer's output, so that layers can be compared.

The graph has operators, not layers: batch norm is folded into what stands before it, and rounding
stands between. What is left of a layer is what it gives, and by that it is found again: of a random
batch, without rounding, one node of the graph holds just those numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Interpreter, Node

from ...distill.layers import WHERE, Taps
from ...models.deployed import Deployed

_CLOSE = 1e-3
"""Largest difference over the largest value: folding batch norm changes them by less."""


class Tap(nn.Identity):
    """Returns its input, for a hook to read; it must run although no node uses its output."""

    _is_impure = True


@contextmanager
def tapped(graph: GraphModule, nodes: Mapping[str, Node]) -> Iterator[dict[str, nn.Module]]:
    """Modules in a graph that take the outputs of some of its nodes, while the context lasts."""
    taps: dict[str, nn.Module] = {name: Tap() for name in nodes}
    placed = []
    for number, (name, node) in enumerate(nodes.items()):
        graph.add_submodule(f"tap_{number}", taps[name])
        with graph.graph.inserting_after(node):
            placed.append(graph.graph.call_module(f"tap_{number}", (node,)))
    graph.recompile()
    try:
        yield taps
    finally:
        for node in placed:
            graph.graph.erase_node(node)
            graph.delete_submodule(str(node.target))
        graph.recompile()


@torch.no_grad()
def find(
    graph: GraphModule, origin: Deployed, batch: torch.Tensor, names: Sequence[str]
) -> dict[str, Node]:
    """The node that gives what a layer gave, by the layer's name; a layer without one is left out.

    Args:
        graph: captured from the model; its rounding is off.
        origin: the model, in eval mode.
        batch: samples as both take them, such that no two layers answer alike.
        names: of layers, as ``named_modules()`` of the backbone gives them.
    """
    with Taps(origin, names, f"{WHERE}, student") as taps:
        origin(batch)
        outputs = taps.taken
    values = _Values(graph)
    values.run(batch)
    nodes = {}
    for name, output in outputs.items():
        alike = [node for node, value in values.held.items() if _alike(value, output)]
        if not alike:
            continue
        # Dropout and the like give on what they are given; of those the layer's own come first.
        own = [node for node in alike if _inside(node, name)]
        nodes[name] = own[-1] if own else alike[0]
    return nodes


class _Values(Interpreter):
    """Runs a graph and keeps what each operator gives; the next may overwrite it."""

    def __init__(self, graph: GraphModule) -> None:
        super().__init__(graph)
        self.held: dict[Node, torch.Tensor] = {}

    def run_node(self, n: Node) -> Any:
        """As the interpreter does."""
        value = super().run_node(n)
        if n.op == "call_function" and isinstance(value, torch.Tensor):
            self.held[n] = value.clone()
        return value


def _alike(value: torch.Tensor, expected: torch.Tensor) -> bool:
    if value.shape != expected.shape or value.dtype != expected.dtype:
        return False
    largest = expected.abs().max().item()
    return (value - expected).abs().max().item() <= _CLOSE * max(largest, 1e-6)


def _inside(node: Node, name: str) -> bool:
    """Whether an operator was traced inside a layer."""
    stack = node.meta.get("nn_module_stack") or {}
    return any(path.partition("backbone.")[2] == name for path, _ in stack.values())
