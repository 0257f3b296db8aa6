"""Drop what no output of a graph depends on.

drop_unused(model.graph)
"""

from collections.abc import Iterator, MutableSequence, Sequence
from typing import TypeVar

import onnx
from onnx import NodeProto

_Part = TypeVar("_Part")


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove operators and stored tensors that nothing needs, and what is said of their types.

    Args:
        graph: its operators in topological order, as ONNX has it; changed in place.
    """
    used = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if not used.isdisjoint(node.output):
            kept.append(node)
            used |= set(_read(node)) - {""}  # an input that is left out has this name
    _keep(graph.node, kept[::-1])
    _keep(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in used])
    written = {name for node in graph.node for name in node.output}
    _keep(graph.value_info, [value for value in graph.value_info if value.name in written])


def _read(node: NodeProto) -> Iterator[str]:
    """What an operator reads, the graphs inside it included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (value.name for value in graph.output)
            for inner in graph.node:
                yield from _read(inner)


def _keep(parts: MutableSequence[_Part], kept: Sequence[_Part]) -> None:
    if len(kept) < len(parts):
        del parts[:]
        parts.extend(kept)
