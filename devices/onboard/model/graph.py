"""Look-ups over one ONNX graph: shapes, element types, who makes and who takes each tensor.

graph = Graph(shape_inference.infer_shapes(model).graph)
graph.shape("logits")       # (1, 10), or None where an extent is unknown
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

Shape = tuple[int | None, ...]


class Graph:
    """One graph's tensors by name.

    Args:
        graph: a model's graph, or one inside an If, Loop or Scan.
        outer: the graph around it, whose tensors it may read.

    Attributes:
        nodes: the operators, in the graph's order.
        stored: initializers and the values of Constant nodes.
        maker: the operator that writes a tensor.
        takers: the operators that read it, each with the position it is read at; those in graphs
            inside a node too.
        inputs: names of the inputs that have no stored value.
        outputs: names of the outputs.
        outer: as given.
    """

    def __init__(self, graph: GraphProto, outer: Graph | None = None) -> None:
        self.outer = outer
        self.nodes: list[NodeProto] = list(graph.node)
        self.stored: dict[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}
        self.maker: dict[str, NodeProto] = {}
        self.takers: dict[str, list[tuple[NodeProto, int]]] = {}
        for node in self.nodes:
            for name in node.output:
                self.maker[name] = node
            for position, name in enumerate(node.input):
                self.takers.setdefault(name, []).append((node, position))
            for inner, position, name in _read_inside(node):
                self.takers.setdefault(name, []).append((inner, position))
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self.stored[node.output[0]] = attribute.t
        self.inputs = [port.name for port in graph.input if port.name not in self.stored]
        self.outputs = [port.name for port in graph.output]
        self._shapes: dict[str, Shape] = {}
        self._types: dict[str, int] = {}
        for value in [*graph.input, *graph.output, *graph.value_info]:
            tensor = value.type.tensor_type
            if tensor.HasField("shape"):
                self._shapes[value.name] = tuple(
                    # A negative extent stands for an unknown one in files of some exporters.
                    dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
                    for dim in tensor.shape.dim
                )
            self._types[value.name] = tensor.elem_type
        for name, stored in self.stored.items():
            self._shapes[name] = tuple(stored.dims)
            self._types[name] = stored.data_type

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape, None unless every extent is known."""
        found = self._shapes.get(name)
        if found is None and self.outer is not None and name not in self.maker:
            return self.outer.shape(name)
        if found is None or any(one is None for one in found):
            return None
        return tuple(one for one in found if one is not None)

    def extents(self, name: str) -> Shape | None:
        """The extents, None for each that is unknown; None where the rank is unknown too."""
        found = self._shapes.get(name)
        if found is None and self.outer is not None and name not in self.maker:
            return self.outer.extents(name)
        return found

    def elem_type(self, name: str) -> int:
        """The TensorProto.DataType, 0 where unknown."""
        found = self._types.get(name, 0)
        if not found and self.outer is not None and name not in self.maker:
            return self.outer.elem_type(name)
        return found

    def value(self, name: str) -> TensorProto | None:
        """The stored tensor of a name, of this graph or of one around it."""
        found = self.stored.get(name)
        if found is None and self.outer is not None and name not in self.maker:
            return self.outer.value(name)
        return found


def _read_inside(node: NodeProto) -> Iterator[tuple[NodeProto, int, str]]:
    """What the graphs inside a node read of the tensors around them."""
    for _, graph in inner_graphs(node):
        own = {port.name for port in graph.input} | {one.name for one in graph.initializer}
        own |= {name for inner in graph.node for name in inner.output}
        for inner in graph.node:
            reads = [(inner, position, name) for position, name in enumerate(inner.input)]
            for found in (*reads, *_read_inside(inner)):
                if found[2] not in own:
                    yield found


def inner_graphs(node: NodeProto) -> Iterator[tuple[str, GraphProto]]:
    """The graphs inside a node, such as the branches of an If, each with its attribute's name."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.name, attribute.g
        for graph in attribute.graphs:
            yield attribute.name, graph


def clear_negative(graph: GraphProto) -> None:
    """Turn each negative extent into an unknown one, in place, in the graphs inside it too.

    Some exporters write -1 for an unknown extent; onnx would compute with it.
    """
    for value in [*graph.input, *graph.output, *graph.value_info]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value < 0:
                dim.ClearField("value")
    for node in graph.node:
        for _, inner in inner_graphs(node):
            clear_negative(inner)


def fix_shapes(graph: GraphProto, batch: int, shapes: Mapping[str, Sequence[int]]) -> None:
    """Write the extents of one query into a graph, in place; what stays unknown stays symbolic."""
    stored = {tensor.name for tensor in graph.initializer}
    symbols: dict[str, int] = {}
    for value in graph.input:
        if value.name in stored or not value.type.tensor_type.HasField("shape"):
            continue
        given = shapes.get(value.name)
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value >= 0:
                continue
            extent = given[axis] if given and axis < len(given) else batch if axis == 0 else None
            if extent is not None and dim.dim_param:
                symbols.setdefault(dim.dim_param, extent)
            if extent is not None:
                dim.dim_value = extent
    # A symbol known from one input holds wherever it stands; what was inferred at export for the
    # tensors in between would otherwise keep the symbol and win over our figures.
    for value in [*graph.input, *graph.output, *graph.value_info]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in symbols:
                dim.dim_value = symbols[dim.dim_param]
