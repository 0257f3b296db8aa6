"""Names in an ONNX graph and in the graphs inside it, and new ones.

taken = tensor_names(model.graph)
fresh("w_copy", taken)      # 'w_copy', or 'w_copy_1' where that name is taken
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .graph import inner_graphs

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def nodes_of(graph: GraphProto) -> Iterator[NodeProto]:
    """Every operator, those of the graphs inside included."""
    for one in graphs_of(graph):
        yield from one.node


def graphs_of(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and every graph inside it."""
    waiting = [graph]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += [inner for node in one.node for _, inner in inner_graphs(node)]


def tensor_names(graph: GraphProto) -> set[str]:
    """The name of every tensor, those of the graphs inside included."""
    names: set[str] = set()
    for one in graphs_of(graph):
        names |= {value.name for value in (*one.input, *one.output)}
        names |= {tensor.name for tensor in one.initializer}
        names |= {tensor.values.name for tensor in one.sparse_initializer}
        names |= {name for node in one.node for name in (*node.input, *node.output)}
    return names - {""}


def fresh(wanted: str, taken: set[str]) -> str:
    """A name that is not taken: the wanted one, or with a number behind; it is then taken."""
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name
