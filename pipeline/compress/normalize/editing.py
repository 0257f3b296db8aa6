"""Edit an ONNX graph: new names and tensors, attributes, what subgraphs read.

editor = Editor(model)
editor.store("w_copy", array)       # 'w_copy', or 'w_copy_1' where that name is taken
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

STANDARD = ("", "ai.onnx")
"""Names of the domain of standard operators."""


class Editor:
    """A model whose graph is edited in place.

    Attributes:
        model: the model.
        graph: its main graph.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.graph = model.graph
        self._taken = {*tensor_names(self.graph), *(node.name for node in nodes_of(self.graph))}

    @property
    def stored(self) -> dict[str, onnx.TensorProto]:
        """The initializers by name."""
        return {tensor.name: tensor for tensor in self.graph.initializer}

    def fresh(self, wanted: str) -> str:
        """A name that no tensor and no operator has: the wanted one, or with a number behind it."""
        name, number = wanted, 0
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name

    def store(self, wanted: str, array: NDArray[Any]) -> str:
        """Add an initializer and return its name."""
        name = self.fresh(wanted)
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, inputs: Iterable[str], output: str, **attributes: Any) -> NodeProto:
        """A new operator with a name of its own; it is not yet in the graph."""
        name = self.fresh(f"{output}_{kind}")
        return helper.make_node(kind, list(inputs), [output], name, **attributes)

    def replace_nodes(self, nodes: Iterable[NodeProto]) -> None:
        """Set the operators of the main graph."""
        nodes = list(nodes)
        del self.graph.node[:]
        self.graph.node.extend(nodes)


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """The value of an attribute, or the default."""
    for one in node.attribute:
        if one.name == name:
            return helper.get_attribute_value(one)
    return default


def subgraphs(node: NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs inside an operator such as If or Loop, not those inside them."""
    for one in node.attribute:
        if one.HasField("g"):
            yield one.g
        yield from one.graphs


def nodes_of(graph: onnx.GraphProto) -> Iterator[NodeProto]:
    """Every operator, those of subgraphs included."""
    waiting = [graph]
    while waiting:
        for node in waiting.pop().node:
            yield node
            waiting += subgraphs(node)


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and every graph inside it."""
    yield graph
    for node in nodes_of(graph):
        yield from subgraphs(node)


def read_inside(graph: onnx.GraphProto) -> set[str]:
    """Every name that subgraphs read."""
    inner = [one for one in graphs_of(graph) if one is not graph]
    return {name for one in inner for node in one.node for name in node.input} | {
        output.name for one in inner for output in one.output
    }


def tensor_names(graph: onnx.GraphProto) -> set[str]:
    """The name of every tensor, those of subgraphs included."""
    names: set[str] = set()
    for one in graphs_of(graph):
        names |= {value.name for value in (*one.input, *one.output)}
        names |= {tensor.name for tensor in one.initializer}
        names |= {tensor.values.name for tensor in one.sparse_initializer}
        names |= {name for node in one.node for name in (*node.input, *node.output)}
    return names - {""}
