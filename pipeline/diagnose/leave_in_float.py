"""Put layers of a Q/DQ file back into float, whichever tool quantized it.

    >>> leave_in_float(Path("int8.onnx"), Path("fp32.onnx"), ["conv1"], Path("mixed.onnx"))
    ... # doctest: +SKIP
    1

A layer left in float reads its weights from the fp32 file and, where what feeds it is in float too,
its input without the Q and DQ in between. What its neighbours in int8 take stays quantized.

Excluding a layer when quantizing is not enough: onnxruntime 1.32 quantizes the float weights of a
convolution between a DQ and a Q itself when it loads the file. `_Edit._activate` says how the layer
is kept from that.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ...devices.onboard.model.graph import Graph
from ...devices.onboard.model.modelfile import load_whole, printable
from ...devices.onboard.model.outline import WEIGHT_AT, of_model
from ...devices.operators.layer_matching import CONVERSIONS, match, shown
from ...errors import ModelError, NoEffectError, UsageError
from ..engine.store import write_atomic

_ACTIVATIONS = ("Relu", "Clip")
"""What onnxruntime's quantizer drops behind a layer, as the range of the Q does its work."""
_FAR = 0.3
"""Relative distance of fp32 from dequantized weights from which they are not the same ones."""
_MOST_NAMED = 5


def leave_in_float(int8: Path, fp32: Path, layers: Sequence[str], target: Path) -> int:
    """Write the quantized file with the named layers computed in float.

    Args:
        int8: a file with Q/DQ pairs.
        fp32: the file it was made from, with the weights.
        layers: names of operators of the quantized file, or of an output where one has no name.
        target: the file to write.

    Returns:
        How many layers are in float now.

    Raises:
        UsageError: a name that is not there, or there more than once.
        ModelError: a file that is missing or broken, a layer that is in another form than Q/DQ, or
            whose weights the fp32 file does not have.
        NoEffectError: none was named.
        StorageError: the target cannot be written.
    """
    if not layers:
        raise NoEffectError("no layer named", expected="at least one to leave in float")
    edit = _Edit(load_whole(int8), load_whole(fp32), int8, fp32)
    chosen = edit.find(layers)
    edit.apply(chosen)
    write_atomic(target, edit.model.SerializeToString(deterministic=True))
    return len(chosen)


class _Edit:
    """One quantized model while it is changed, and the fp32 one beside it."""

    def __init__(
        self, model: onnx.ModelProto, source: onnx.ModelProto, int8: Path, fp32: Path
    ) -> None:
        self.model = model
        self._where, self._fp32 = int8, fp32
        self._graph, self._source = Graph(model.graph), Graph(source.graph)
        self._nodes = [one for one in self._graph.nodes if one.op_type != "Constant"]
        theirs = [one for one in self._source.nodes if one.op_type != "Constant"]
        self._outlines = of_model(model, 1, {}), of_model(source, 1, {})
        known = match(*self._outlines, by_values=True)
        self._twin = {at: theirs[other] for at, other in known.items()}
        self._at = {id(node): at for at, node in enumerate(self._nodes)}
        self._names = {
            *self._graph.stored,
            *self._graph.inputs,
            *(name for node in self._graph.nodes for name in node.output),
        }
        self._chosen: set[int] = set()
        self._activated: dict[str, str] = {}
        self._float_tensors: dict[str, bool] = {}

    def find(self, layers: Sequence[str]) -> list[int]:
        """The nodes of these names.

        Raises:
            UsageError: none or several of a name.
            ModelError: a node that reads no DQ.
        """
        places: dict[str, list[int]] = {}
        for at, node in enumerate(self._outlines[0].nodes):
            if node.op not in CONVERSIONS:
                places.setdefault(shown(node), []).append(at)
        found = []
        for name in dict.fromkeys(layers):
            if len(places.get(name, [])) != 1:
                some = ", ".join(printable(one) for one in list(places)[:_MOST_NAMED])
                raise UsageError(
                    f"{len(places.get(name, []))} operators named {printable(name)}",
                    expected=f"one of {len(places)}, such as {some}",
                    where=str(self._where),
                )
            (at,) = places[name]
            if not any(self._dequantizer(one) is not None for one in self._nodes[at].input):
                kind = self._nodes[at].op_type
                raise ModelError(
                    f"{printable(name)}, a {kind} that reads no DequantizeLinear",
                    expected="a layer between Q and DQ",
                    where=str(self._where),
                    fix="exclude it when quantizing, by the name it has in the fp32 file",
                )
            found.append(at)
        return found

    def apply(self, chosen: Sequence[int]) -> None:
        """Put these nodes into float and drop what nothing reads any more."""
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
        maker = self._graph.maker.get(name)
        return maker if maker is not None and maker.op_type == "DequantizeLinear" else None

    def _data(self, name: str, dequantizer: NodeProto) -> str:
        """The float tensor behind a Q/DQ pair, or the DQ's own where there is none."""
        quantizer = self._graph.maker.get(dequantizer.input[0])
        if quantizer is None or quantizer.op_type != "QuantizeLinear":
            return name
        # What was put between the layer and its Q is no tensor of the graph as it was.
        behind = {activated: tensor for tensor, activated in self._activated.items()}
        tensor = behind.get(quantizer.input[0], quantizer.input[0])
        return self._float(tensor) or name

    def _float(self, tensor: str) -> str | None:
        """A tensor that is there in float as the fp32 file has it."""
        if not self._in_float(tensor):
            return None
        maker = self._graph.maker.get(tensor)
        at = self._at.get(id(maker))
        if at is None or at in self._chosen:
            return self._activated.get(tensor, tensor)
        return None if self._dropped(at) is not None else tensor

    def _in_float(self, tensor: str) -> bool:
        """Whether nothing on the way to it has to stay in integers."""
        # Kept, for paths that part and meet again are many.
        if tensor not in self._float_tensors:
            self._float_tensors[tensor] = self._comes_in_float(tensor)
        return self._float_tensors[tensor]

    def _comes_in_float(self, tensor: str) -> bool:
        maker = self._graph.maker.get(tensor)
        if maker is None or self._at.get(id(maker)) in self._chosen:
            return True
        if maker.op_type in CONVERSIONS:
            return False
        computed = [one for one in maker.input if one in self._graph.maker]
        return all(self._in_float(one) for one in computed if one not in self._graph.stored)

    def _dropped(self, at: int) -> NodeProto | None:
        """The activation that follows in the fp32 file and not in this one."""
        node, twin = self._nodes[at], self._twin.get(at)
        if twin is None:
            return None
        theirs = [one for one, _ in self._source.takers.get(twin.output[0], [])]
        ours = {one.op_type for one, _ in self._graph.takers.get(node.output[0], [])}
        if len(theirs) == 1 and theirs[0].op_type in _ACTIVATIONS:
            return theirs[0] if theirs[0].op_type not in ours else None
        return None

    def _activate(self, at: int) -> None:
        """Put back the activation that a Q stood for, and keep the layer in float.

        onnxruntime quantizes the float weights of a layer that stands between a DQ and nothing but
        a Q again when it loads the model. A LeakyRelu in between, of slope 0 for a Relu and 1 for
        none, fuses into the layer, so that it takes no time, and keeps it from that.
        """
        node, dropped = self._nodes[at], self._dropped(at)
        tensor = node.output[0]
        takers = [one for one, _ in self._graph.takers.get(tensor, [])]
        only_quantized = len(takers) == 1 and takers[0].op_type == "QuantizeLinear"
        if only_quantized and node.op_type in WEIGHT_AT:
            slope = 0.0 if dropped is not None and dropped.op_type == "Relu" else 1.0
            made = helper.make_node("LeakyRelu", [tensor], [""], alpha=slope)
        elif dropped is not None:
            made = onnx.NodeProto()
            made.CopyFrom(dropped)
            made.input[0] = tensor
            for position, name in enumerate(made.input[1:], start=1):
                if name in self._source.stored:
                    made.input[position] = self._store(self._source.stored[name], name)
        else:
            return
        made.output[0] = self._activated[tensor] = self._new(f"{tensor}_{made.op_type}")
        made.name = made.output[0]
        for taker, position in self._graph.takers.get(tensor, []):
            taker.input[position] = made.output[0]
        self.model.graph.node.insert(list(self.model.graph.node).index(node) + 1, made)

    def _weight(self, at: int, position: int, dequantizer: NodeProto) -> str:
        """The float numbers of a stored input, put into the model.

        Raises:
            ModelError: a layer's weights that the fp32 file does not have.
        """
        node, twin = self._nodes[at], self._twin.get(at)
        values = _dequantized(dequantizer, self._graph)
        is_weight = WEIGHT_AT.get(node.op_type) == position
        name = twin.input[position] if twin is not None and len(twin.input) > position else ""
        tensor = self._source.stored.get(name)
        if tensor is not None:
            theirs = numpy_helper.to_array(tensor)
            if values is None or _same(theirs, values):
                return self._store(tensor, name)
        if values is None or is_weight:
            raise ModelError(
                f"no weights for {printable(shown(self._outlines[0].nodes[at]))}",
                expected="those it was quantized from",
                where=str(self._fp32),
                fix="give the fp32 file that was quantized, after anything was folded into it",
            )
        # A bias that was folded on the way has no twin; int32 steps hold it well.
        return self._store(
            numpy_helper.from_array(values.astype(np.float32)), dequantizer.output[0]
        )

    def _store(self, tensor: TensorProto, name: str) -> str:
        made = self.model.graph.initializer.add()
        made.CopyFrom(tensor)
        made.name = self._new(name)
        return str(made.name)

    def _new(self, name: str) -> str:
        free, number = name, 0
        while free in self._names:
            number += 1
            free = f"{name}_float{number if number > 1 else ''}"
        self._names.add(free)
        return free

    def _free_outputs(self) -> None:
        """An output of the model that comes from a layer in float needs no Q and DQ."""
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
        return {one.name for one in self.model.graph.initializer} - read

    def _drop_unread(self, unused_before: set[str]) -> None:
        graph = self.model.graph
        outputs = {one.name for one in graph.output}
        while True:
            read = {name for node in graph.node for name in node.input} | outputs
            dead = [
                one for one in graph.node if one.op_type in CONVERSIONS and not read & {*one.output}
            ]
            if not dead:
                break
            for node in dead:
                graph.node.remove(node)
        unused = self._unused() - unused_before
        for tensor in [one for one in graph.initializer if one.name in unused]:
            graph.initializer.remove(tensor)


def _dequantized(node: NodeProto, graph: Graph) -> NDArray[np.float64] | None:
    """What a DQ of stored numbers gives; None where it works in blocks."""
    tensors = [graph.stored.get(name) for name in node.input]
    if tensors[0] is None or tensors[1] is None:
        return None
    values = numpy_helper.to_array(tensors[0]).astype(np.float64)
    axis = next((one.i for one in node.attribute if one.name == "axis"), 1)
    given = [
        numpy_helper.to_array(one).astype(np.float64) for one in tensors[1:] if one is not None
    ]
    extents = [1] * values.ndim
    if given[0].size > 1:
        if given[0].ndim != 1 or given[0].size != values.shape[axis]:
            return None
        extents[axis] = given[0].size
    scale, *zero = [one.reshape(extents) for one in given]
    result: NDArray[np.float64] = (values - (zero[0] if zero else 0.0)) * scale
    return result


def _same(theirs: NDArray[np.float32], ours: NDArray[np.float64]) -> bool:
    if theirs.shape != ours.shape:
        return False
    length = float(np.linalg.norm(theirs))
    return float(np.linalg.norm(theirs - ours)) <= _FAR * length
