"""Operators that stay in float in a file of Q/DQ pairs, because rounding there does harm.

in_float(model)     # names of operators
"""

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, numpy_helper

from ....devices.onboard.model.graph import Graph
from ..normalize.editing import read_inside
from .formulas import formulas

_PREPARES = ("Cast", "Mul", "Add", "Sub", "Div", "Unsqueeze", "Transpose")
"""Operators of a normalization before the first layer."""
_UNITS = ("Mul", "Add")
"""Operators after the last layer that convert to the user's units."""
_NO_KERNEL = ("LayerNormalization", "InstanceNormalization", "BatchNormalization", "CumSum", "TopK")
"""The quantizer takes these, and ONNX Runtime has no int8 kernel of them: two roundings more, and
not one operation less in float."""
_SCORES = ("Add", "Sub", "Mul", "Div", "Where", "Cast", "Min", "Max", "Clip", "Reshape",
           "Unsqueeze", "Expand", "Transpose", "Identity")  # fmt: skip
"""Operators between a product and its softmax, of the scores and of their mask."""


def in_float(model: onnx.ModelProto) -> list[str]:
    """The names of operators that stay in float, each once."""
    graph = model.graph
    look = Graph(graph)
    ends = [node.name for output in graph.output for node in units(look, output.name)]
    inside = [name for formula in formulas(graph) for name in formula]
    names = [*_normalization(graph), *_attention(look), *inside, *ends]
    names += [node.name for node in graph.node if node.op_type in _NO_KERNEL]
    names += _infinite(graph)
    return list(dict.fromkeys([*names, *_limits(look, graph, set(names))]))


def units(look: Graph, output: str) -> list[NodeProto]:
    """The arithmetic with constants after the last layer, from the output backwards."""
    found: list[NodeProto] = []
    node = look.maker.get(output)
    while node is not None and node.op_type in _UNITS:
        computed = [name for name in node.input if name in look.maker]
        if len(computed) != 1:
            break
        found.append(node)
        node = look.maker[computed[0]]
    return found


def touching(graph: onnx.GraphProto, tensors: set[str]) -> list[str]:
    """The names of the operators that read or write one of the tensors."""
    return [node.name for node in graph.node if tensors & {*node.input, *node.output}]


def _normalization(graph: onnx.GraphProto) -> list[str]:
    """The arithmetic between the inputs and the first layer.

    In int8 it would cost two more roundings and two more passes over the input.
    """
    reached = {value.name for value in graph.input}
    names = []
    for node in graph.node:
        if node.op_type in _PREPARES and reached & set(node.input):
            reached |= set(node.output)
            names.append(node.name)
    return names


def _attention(look: Graph) -> list[str]:
    """Every softmax and what stands between it and the layers before: scale, mask, shapes.

    Scores of padding are -10,000 or minus infinity. With 256 levels over that range all other
    scores share one level, and the softmax becomes uniform.
    """
    names: dict[str, None] = {}
    waiting = [node for node in look.nodes if node.op_type == "Softmax"]
    while waiting:
        node = waiting.pop()
        names[node.name] = None
        before = [look.maker.get(name) for name in node.input]
        waiting += [
            one for one in before if one is not None and one.op_type in _SCORES
            and one.name not in names
        ]  # fmt: skip
    return list(names)


def _limits(look: Graph, graph: onnx.GraphProto, in_float: set[str]) -> list[str]:
    """Relu and Clip that operators in float, or subgraphs, read.

    The quantizer takes them away where a range does their work; what reads the tensor in front of
    the pair would get values that no limit held.
    """
    inner, found = read_inside(graph), list[str]()
    for node in reversed(look.nodes):
        takers = {taker.name for name in node.output for taker, _ in look.takers.get(name, ())}
        if node.op_type in ("Relu", "Clip") and (in_float & takers or inner & set(node.output)):
            in_float.add(node.name)
            found.append(node.name)
    return found


def _infinite(graph: onnx.GraphProto) -> list[str]:
    """Operators with a stored number that has no place in a range: infinite, or not a number."""
    infinite = {
        tensor.name
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.FLOAT
        and not np.isfinite(numpy_helper.to_array(tensor)).all()
    }
    return touching(graph, infinite) if infinite else []
