"""The float tensors of a graph, also where an operator is not the standard's: the runtime knows.

    typed = with_float_types(model, folder)

onnx infers no type behind an operator of a runtime's own, such as a fused one, and the quantizer
takes no tensor without a type. onnxruntime's symbolic inference knows some of these operators; at
the first that it does not know it gives up and writes the model into the current folder.
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from ....devices.onboard.runtimes import load
from ....devices.onboard.settings import Session


def with_float_types(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """The model with every type that onnx infers, and the float ones that only a runtime does.

    Args:
        model: one that the runtime loads; weights in the file.
        folder: for a copy of it.

    Raises:
        ModelError: the runtime does not load it.
    """
    inferred = onnx.shape_inference.infer_shapes(model)
    graph = inferred.graph
    typed = {value.name for value in graph.output} | {
        value.name
        for value in graph.value_info
        if not value.type.HasField("tensor_type") or value.type.tensor_type.elem_type
    }
    missing = [name for node in graph.node for name in node.output if name and name not in typed]
    if not missing:
        return inferred
    exposed = onnx.ModelProto()
    exposed.CopyFrom(inferred)
    del exposed.graph.output[:]
    # A name is enough: ONNX Runtime infers the type.
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in missing)
    path = folder / "exposed.onnx"
    path.write_bytes(exposed.SerializeToString())
    known = {
        # A shape of no extents may also stand for an unknown one.
        port.name: helper.make_tensor_value_info(port.name, TensorProto.FLOAT, port.shape or None)
        for port in load(path, Session(optimization="none")).outputs
        if port.type == "tensor(float)"
    }
    kept = [value for value in graph.value_info if value.name not in known]
    del graph.value_info[:]
    graph.value_info.extend([*kept, *known.values()])
    return inferred
