"""The graph edit that moves layers of a Q/DQ model into float.

edit = FloatEdit(int8_model, fp32_model, Path("fp32.onnx"))
edit.apply([3, 7])         # indices into `edit.outline.nodes`
edit.model
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ...devices.onboard.model.graph import Graph
from ...devices.onboard.model.modelfile import printable
from ...devices.onboard.model.outline import WEIGHT_AT, of_model
from ...devices.operators.layer_matching import match
from ...devices.operators.wiring import CONVERSIONS, shown
from ...errors import ModelError

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
        self._graph, self._source = Graph(model.graph), Graph(source.graph)
        self._nodes = [node for node in self._graph.nodes if node.op_type != "Constant"]
        fp32_nodes = [node for node in self._source.nodes if node.op_type != "Constant"]
        self.outline = of_model(model, 1, {})
        fp32_of_node = match(self.outline, of_model(source, 1, {}), by_values=True)
        self._fp32_node = {at: fp32_nodes[index] for at, index in fp32_of_node.items()}
        self._at = {id(node): at for at, node in enumerate(self._nodes)}
        self._names = {
            *self._graph.stored,
            *self._graph.inputs,
            *(name for node in self._graph.nodes for name in node.output),
        }
        self._chosen: set[int] = set()
        self._activated: dict[str, str] = {}
        self._float_tensors: dict[str, bool] = {}

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
        self._drop_unread(before)

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
        # Cached: graphs with many parallel branches have very many paths.
        if tensor not in self._float_tensors:
            self._float_tensors[tensor] = self._is_computed_in_float(tensor)
        return self._float_tensors[tensor]

    def _is_computed_in_float(self, tensor: str) -> bool:
        producer = self._graph.maker.get(tensor)
        if producer is None or self._at.get(id(producer)) in self._chosen:
            return True
        if producer.op_type in CONVERSIONS:
            return False
        computed = [name for name in producer.input if name in self._graph.maker]
        return all(self._in_float(name) for name in computed if name not in self._graph.stored)

    def _dropped(self, at: int) -> NodeProto | None:
        """The activation that follows the layer in the fp32 file and not in this one."""
        node, fp32_node = self._nodes[at], self._fp32_node.get(at)
        if fp32_node is None:
            return None
        fp32_readers = [reader for reader, _ in self._source.takers.get(fp32_node.output[0], [])]
        kinds = {reader.op_type for reader, _ in self._graph.takers.get(node.output[0], [])}
        if len(fp32_readers) == 1 and fp32_readers[0].op_type in _ACTIVATIONS:
            return fp32_readers[0] if fp32_readers[0].op_type not in kinds else None
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
            slope = 0.0 if dropped is not None and dropped.op_type == "Relu" else 1.0
            activation = helper.make_node("LeakyRelu", [tensor], [""], alpha=slope)
        elif dropped is not None:
            activation = onnx.NodeProto()
            activation.CopyFrom(dropped)
            activation.input[0] = tensor
            for position, name in enumerate(activation.input[1:], start=1):
                if name in self._source.stored:
                    activation.input[position] = self._store(self._source.stored[name], name)
        else:
            return
        output = self._new(f"{tensor}_{activation.op_type}")
        activation.name = activation.output[0] = self._activated[tensor] = output
        for reader, position in self._graph.takers.get(tensor, []):
            reader.input[position] = output
        self.model.graph.node.insert(list(self.model.graph.node).index(node) + 1, activation)

    def _weight(self, at: int, position: int, dequantizer: NodeProto) -> str:
        """Store the float numbers of a quantized stored input in the model; returns their name.

        Raises:
            ModelError: the fp32 file lacks the layer's weights.
        """
        node, fp32_node = self._nodes[at], self._fp32_node.get(at)
        values = _dequantized(dequantizer, self._graph)
        is_weight = WEIGHT_AT.get(node.op_type) == position
        has_input = fp32_node is not None and len(fp32_node.input) > position
        name = fp32_node.input[position] if fp32_node is not None and has_input else ""
        tensor = self._source.stored.get(name)
        if tensor is not None:
            fp32_values = numpy_helper.to_array(tensor)
            if values is None or _same(fp32_values, values):
                return self._store(tensor, name)
        if values is None or is_weight:
            raise ModelError(
                f"no weights for {printable(shown(self.outline.nodes[at]))}",
                expected="those it was quantized from",
                where=str(self._fp32),
                fix="give the fp32 file that was quantized, after anything was folded into it",
            )
        # A bias folded by the quantizer is not in the fp32 file; its int32 steps are fine enough.
        return self._store(
            numpy_helper.from_array(values.astype(np.float32)), dequantizer.output[0]
        )

    def _store(self, tensor: TensorProto, name: str) -> str:
        stored = self.model.graph.initializer.add()
        stored.CopyFrom(tensor)
        stored.name = self._new(name)
        return str(stored.name)

    def _new(self, name: str) -> str:
        free, number = name, 0
        while free in self._names:
            number += 1
            free = f"{name}_float{number if number > 1 else ''}"
        self._names.add(free)
        return free

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

    def _drop_unread(self, unused_before: set[str]) -> None:
        graph = self.model.graph
        outputs = {output.name for output in graph.output}
        while True:
            read = {name for node in graph.node for name in node.input} | outputs
            dead = [
                node
                for node in graph.node
                if node.op_type in CONVERSIONS and not read & {*node.output}
            ]
            if not dead:
                break
            for node in dead:
                graph.node.remove(node)
        unused = self._unused() - unused_before
        for tensor in [stored for stored in graph.initializer if stored.name in unused]:
            graph.initializer.remove(tensor)


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


def _same(fp32: NDArray[np.float32], dequantized: NDArray[np.float64]) -> bool:
    if fp32.shape != dequantized.shape:
        return False
    length = float(np.linalg.norm(fp32))
    return float(np.linalg.norm(fp32 - dequantized)) <= _DIFFERENT * length
