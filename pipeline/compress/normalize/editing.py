"""Edit an ONNX graph: new names and tensors, attributes, what subgraphs read.

editor = Editor(model)
editor.store("w_copy", array)       # 'w_copy', or 'w_copy_1' where that name is taken
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from ....devices.onboard.model.names import fresh, graphs_of, nodes_of, tensor_names

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
        return fresh(wanted, self._taken)

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


def read_inside(graph: onnx.GraphProto) -> set[str]:
    """Every name that subgraphs read."""
    inner = [one for one in graphs_of(graph) if one is not graph]
    return {name for one in inner for node in one.node for name in node.input} | {
        output.name for one in inner for output in one.output
    }
