"""The graph edit that moves layers of a Q/DQ model into float.

edit = FloatEdit(int8_model, fp32_model, Path("fp32.onnx"))
edit.apply([3, 7])         # indices into `edit.outline.nodes`
edit.model
"""

from collections import Counter
from collections.abc import Sequence
from math import inf
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ...devices.onboard.model.graph import Graph
from ...devices.onboard.model.modelfile import printable
from ...devices.onboard.model.names import fresh, tensor_names
from ...devices.onboard.model.outline import WEIGHT_AT, of_model
from ...devices.operators.wiring import CONVERSIONS, shown
from ...errors import ModelError
from .folded import Source, folded

_ACTIVATIONS = ("Relu", "Clip")
"""What onnxruntime's quantizer drops after a layer, because the range of the Q clips as well."""
_DIFFERENT = 0.3
"""Relative distance from which fp32 and dequantized weights count as different weights."""


class FloatEdit:
    """One quantized model while it is edited, and the fp32 model it was made from.

    Attributes:
        model: the quantized model; `apply` changes it.
        outline: its nodes before the edit, without constants.
    """

    def __init__(self, model: onnx.ModelProto, source: onnx.ModelProto, fp32: Path) -> None:
        self.model = model
        self._fp32 = fp32
        self._graph = Graph(model.graph)
        self._nodes = [node for node in self._graph.nodes if node.op_type != "Constant"]
        self.outline = of_model(model, 1, {})
        # A quantizer may have folded a normalization into the layer before it quantized the weight.
        self._sources = [Source(one, self.outline) for one in (source, folded(source))]
        self._at = {id(node): at for at, node in enumerate(self._nodes)}
        self._names = tensor_names(model.graph)
        self._chosen: set[int] = set()
        self._activated: dict[str, str] = {}
        self._added: dict[int, NodeProto] = {}
        self._float_tensors: dict[str, bool] = {}
        self._origins: dict[int, tuple[Graph, NodeProto] | None] = {}

    def reads_dequantized(self, at: int) -> bool:
        """Whether a node reads the output of a DQ."""
        return any(self._dequantizer(name) is not None for name in self._nodes[at].input)

    def apply(self, chosen: Sequence[int]) -> None:
        """Compute these nodes in float and remove what nothing reads any more."""
        self._chosen = set(chosen)
        before = self._unused()
        for at in chosen:
            self._activate(at)
        for at in chosen:
            node = self._nodes[at]
            for position, name in enumerate(node.input):
                dequantizer = self._dequantizer(name)
                if dequantizer is None:
                    continue
                if dequantizer.input[0] in self._graph.stored:
                    node.input[position] = self._weight(at, position, dequantizer)
                else:
                    node.input[position] = self._data(name, dequantizer)
        self._free_outputs()
        self._rebuild(before)

    def _dequantizer(self, name: str) -> NodeProto | None:
        producer = self._graph.maker.get(name)
        is_dq = producer is not None and producer.op_type == "DequantizeLinear"
        return producer if is_dq else None

    def _data(self, name: str, dequantizer: NodeProto) -> str:
        """The float tensor before a Q/DQ pair, or the DQ's output if there is none."""
        quantizer = self._graph.maker.get(dequantizer.input[0])
        if quantizer is None or quantizer.op_type != "QuantizeLinear":
            return name
        # An activation added between the layer and its Q writes a tensor the old graph lacks.
        behind = {activated: tensor for tensor, activated in self._activated.items()}
        tensor = behind.get(quantizer.input[0], quantizer.input[0])
        return self._float(tensor) or name

    def _float(self, tensor: str) -> str | None:
        """The name of a tensor in float with the values of the fp32 file; None if there is none."""
        if not self._in_float(tensor):
            return None
        producer = self._graph.maker.get(tensor)
        at = self._at.get(id(producer))
        if at is None or at in self._chosen:
            return self._activated.get(tensor, tensor)
        return None if self._dropped(at) is not None else tensor

    def _in_float(self, tensor: str) -> bool:
        """Whether a tensor is computed in float from the model's inputs on."""
        known = self._float_tensors
        waiting = [tensor]
        while waiting:
            name = waiting[-1]
            producer = self._graph.maker.get(name)
            if producer is None or self._at.get(id(producer)) in self._chosen:
                known[name] = True
            elif producer.op_type in CONVERSIONS:
                known[name] = False
            else:
                computed = [
                    read
                    for read in producer.input
                    if read in self._graph.maker and read not in self._graph.stored
                ]
                unknown = [read for read in computed if read not in known]
                if unknown:
                    waiting += unknown
                    continue
                known[name] = all(known[read] for read in computed)
            waiting.pop()
        return known[tensor]

    def _source_of(self, at: int) -> tuple[Graph, NodeProto] | None:
        """The fp32 graph and its node that this one was made from.

        Of the file as it is and the file with its normalizations folded, the one whose weight is
        closer to that of this node.
        """
        if at not in self._origins:
            found = [
                (source.graph, source.node_of[at])
                for source in self._sources
                if at in source.node_of
            ]
            far = [self._distance(at, *one) for one in found]
            self._origins[at] = found[far.index(min(far))] if found else None
        return self._origins[at]

    def _distance(self, at: int, graph: Graph, fp32_node: NodeProto) -> float:
        """Between the weights of a node and of one in fp32; infinite where either has none."""
        node = self._nodes[at]
        place = WEIGHT_AT.get(node.op_type, len(node.input))
        if place >= min(len(node.input), len(fp32_node.input)):
            return inf
        dequantizer = self._dequantizer(node.input[place])
        values = _dequantized(dequantizer, self._graph) if dequantizer is not None else None
        tensor = graph.stored.get(fp32_node.input[place])
        if values is None or tensor is None:
            return inf
        return _apart(numpy_helper.to_array(tensor), values)

    def _dropped(self, at: int) -> tuple[Graph, NodeProto] | None:
        """The activation that follows the layer in the fp32 file and not in this one."""
        origin = self._source_of(at)
        if origin is None:
            return None
        graph, fp32_node = origin
        fp32_readers = [reader for reader, _ in graph.takers.get(fp32_node.output[0], [])]
        kinds = {
            reader.op_type for reader, _ in self._graph.takers.get(self._nodes[at].output[0], [])
        }
        if len(fp32_readers) == 1 and fp32_readers[0].op_type in _ACTIVATIONS:
            return (graph, fp32_readers[0]) if fp32_readers[0].op_type not in kinds else None
        return None

    def _activate(self, at: int) -> None:
        """Restore the activation that a Q replaced, and keep the layer in float.

        When onnxruntime loads the model, it quantizes the float weights of a layer whose input
        comes from a DQ and whose only reader is a Q. A LeakyRelu between the layer and the Q
        prevents that: slope 0 for a Relu, 1 for no activation. It fuses into the layer and takes
        no time.
        """
        node, dropped = self._nodes[at], self._dropped(at)
        tensor = node.output[0]
        readers = [reader for reader, _ in self._graph.takers.get(tensor, [])]
        only_quantized = len(readers) == 1 and readers[0].op_type == "QuantizeLinear"
        if only_quantized and node.op_type in WEIGHT_AT:
            slope = 0.0 if dropped is not None and dropped[1].op_type == "Relu" else 1.0
            activation = helper.make_node("LeakyRelu", [tensor], [""], alpha=slope)
        elif dropped is not None:
            activation = onnx.NodeProto()
            graph, original = dropped
            activation.CopyFrom(original)
            activation.input[0] = tensor
            for position, name in enumerate(activation.input[1:], start=1):
                if name in graph.stored:
                    activation.input[position] = self._store(graph.stored[name], name)
        else:
            return
        output = fresh(f"{tensor}_{activation.op_type}", self._names)
        activation.name = activation.output[0] = self._activated[tensor] = output
        for reader, position in self._graph.takers.get(tensor, []):
            reader.input[position] = output
        self._added[id(node)] = activation

    def _weight(self, at: int, position: int, dequantizer: NodeProto) -> str:
        """Store the float numbers of a quantized stored input in the model; returns their name.

        Raises:
            ModelError: the fp32 file lacks the layer's weights.
        """
        values = _dequantized(dequantizer, self._graph)
        is_weight = WEIGHT_AT.get(self._nodes[at].op_type) == position
        origin = self._source_of(at)
        name, tensor = "", None
        if origin is not None and len(origin[1].input) > position:
            name = origin[1].input[position]
            tensor = origin[0].stored.get(name)
        if tensor is not None:
            fp32_values = numpy_helper.to_array(tensor)
            if values is None or _apart(fp32_values, values) <= _DIFFERENT:
                return self._store(tensor, name)
        if values is None or is_weight:
            raise ModelError(
                f"no weights for {printable(shown(self.outline.nodes[at]))}",
                expected="those it was quantized from",
                where=str(self._fp32),
                fix="give the fp32 file that was quantized",
            )
        # A bias folded by the quantizer is not in the fp32 file; its int32 steps are fine enough.
        return self._store(
            numpy_helper.from_array(values.astype(np.float32)), dequantizer.output[0]
        )

    def _store(self, tensor: TensorProto, name: str) -> str:
        stored = self.model.graph.initializer.add()
        stored.CopyFrom(tensor)
        stored.name = fresh(name, self._names)
        return str(stored.name)

    def _free_outputs(self) -> None:
        """Remove the Q and DQ before outputs of the model that a layer computes in float."""
        for output in self.model.graph.output:
            dequantizer = self._dequantizer(output.name)
            if dequantizer is None:
                continue
            tensor = self._data(output.name, dequantizer)
            if tensor == output.name:
                continue
            dequantizer.CopyFrom(
                helper.make_node("Identity", [tensor], [output.name], name=dequantizer.name)
            )

    def _unused(self) -> set[str]:
        read = {name for node in self.model.graph.node for name in node.input}
        return {tensor.name for tensor in self.model.graph.initializer} - read

    def _rebuild(self, unused_before: set[str]) -> None:
        """Place what was added behind its layer, and drop the Q and DQ that nothing reads."""
        graph = self.model.graph
        nodes: list[NodeProto] = []
        for node in self._graph.nodes:
            nodes.append(node)
            if id(node) in self._added:
                nodes.append(self._added[id(node)])
        readers = Counter(name for node in nodes for name in node.input)
        readers.update(output.name for output in graph.output)
        # Backwards, so that a node comes after all that read it.
        kept = []
        for node in reversed(nodes):
            if node.op_type in CONVERSIONS and not any(readers[name] for name in node.output):
                readers.subtract(node.input)
            else:
                kept.append(node)
        copies = [onnx.NodeProto() for _ in kept]
        for copy, node in zip(copies, reversed(kept), strict=True):
            copy.CopyFrom(node)
        del graph.node[:]
        graph.node.extend(copies)
        unused = self._unused() - unused_before
        stored = [tensor for tensor in graph.initializer if tensor.name not in unused]
        if len(stored) < len(graph.initializer):
            tensors = [onnx.TensorProto() for _ in stored]
            for tensor, original in zip(tensors, stored, strict=True):
                tensor.CopyFrom(original)
            del graph.initializer[:]
            graph.initializer.extend(tensors)


def _dequantized(node: NodeProto, graph: Graph) -> NDArray[np.float64] | None:
    """The output of a DQ of stored numbers; None if its scales are in blocks."""
    tensors = [graph.stored.get(name) for name in node.input]
    if tensors[0] is None or tensors[1] is None:
        return None
    values = numpy_helper.to_array(tensors[0]).astype(np.float64)
    axis = next((field.i for field in node.attribute if field.name == "axis"), 1)
    parameters = [
        numpy_helper.to_array(tensor).astype(np.float64)
        for tensor in tensors[1:]
        if tensor is not None
    ]
    extents = [1] * values.ndim
    if parameters[0].size > 1:
        if parameters[0].ndim != 1 or parameters[0].size != values.shape[axis]:
            return None
        extents[axis] = parameters[0].size
    scale, *zero = [parameter.reshape(extents) for parameter in parameters]
    result: NDArray[np.float64] = (values - (zero[0] if zero else 0.0)) * scale
    return result


def _apart(fp32: NDArray[np.float32], dequantized: NDArray[np.float64]) -> float:
    """The norm of the difference over that of the fp32 weights; infinite for other shapes."""
    if fp32.shape != dequantized.shape:
        return inf
    length = float(np.linalg.norm(fp32))
    distance = float(np.linalg.norm(fp32 - dequantized))
    return distance / length if length else (inf if distance else 0.0)
