"""Float operators in the optimized graph of a quantized file: layers that did not fuse, islands.

unfused(after)[0].why
'its output is also read in float, by MaxPool'
"""

from ...devices.onboard.model.outline import Node, Outline
from ...devices.operators.wiring import multiplies, shown
from .file_times import FileTimes, is_quantized
from .findings import Island, Unfused

_TYPES = {1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32"}
"""TensorProto.DataType (onnx.proto)."""


def unfused(times: FileTimes) -> tuple[Unfused, ...]:
    """The layers fed by a DQ that the runtime computes in float, with the reason."""
    findings = []
    for index, node in enumerate(times.graph.nodes):
        if not multiplies(node) or is_quantized(node):
            continue
        reason = _reason(node, times)
        if reason is not None:
            why, fix = reason
            findings.append(Unfused(shown(node), node.op, times.us_of(index), why, fix))
    return tuple(findings)


def islands(times: FileTimes) -> tuple[Island, ...]:
    """The float operators without weights that read only DQ and are read only by Q."""
    findings = []
    graph, wiring = times.graph, times.wiring
    for index, node in enumerate(graph.nodes):
        if multiplies(node) or is_quantized(node):
            continue
        producers = [wiring.producer[name] for name in node.inputs if name in wiring.producer]
        readers = [i for name in node.outputs for i in wiring.readers.get(name, ())]
        after_dq = producers and all(graph.nodes[i].op == "DequantizeLinear" for i in producers)
        before_q = readers and all(graph.nodes[i].op == "QuantizeLinear" for i in readers)
        if after_dq and before_q:
            around_us = sum(times.us_of(i) for i in {*producers, *readers})
            findings.append(Island(shown(node), node.op, times.us_of(index), around_us))
    return tuple(findings)


def _reason(node: Node, times: FileTimes) -> tuple[str, str | None] | None:
    """Why a float layer fed by a DQ did not fuse, from the optimized graph alone."""
    graph, wiring = times.graph, times.wiring
    producers = [graph.nodes[wiring.producer[n]] for n in node.inputs if n in wiring.producer]
    dequantizers = [producer for producer in producers if producer.op == "DequantizeLinear"]
    data = [producer for producer in dequantizers if producer.inputs[0] not in graph.stored]
    if len(dequantizers) == len(data):
        return None  # its weight is stored in float: integers were not intended
    if not data:
        return (
            "only its weight is quantized, and it is dequantized at every query",
            "quantize its input too, or leave its weight in float",
        )
    readers = [graph.nodes[i] for name in node.outputs for i in wiring.readers.get(name, ())]
    in_float = [reader for reader in readers if reader.op != "QuantizeLinear"]
    if in_float:
        return (f"its output is also read in float, by {in_float[0].op}", None)
    if not readers or not set(graph.outputs).isdisjoint(node.outputs):
        return ("its output leaves the model in float", None)
    read = {_type_of(dequantizer, graph) for dequantizer in data}
    written = {_type_of(reader, graph) for reader in readers}
    if read != written and None not in read | written:
        return (
            f"its input is {_listed(read)} and its output {_listed(written)}, "
            "and onnxruntime fuses only where both are the same",
            "quantize activations to uint8 (activation_type=QuantType.QUInt8)"
            if "int8" in read | written
            else None,
        )
    return ("the graph shows no reason; onnxruntime has no kernel for this form", None)


def _listed(types: set[str | None]) -> str:
    return " and ".join(sorted(str(name) for name in types))


def _type_of(node: Node, graph: Outline) -> str | None:
    """The integer type of a Q or DQ, by its zero point."""
    if len(node.inputs) < 3 or node.inputs[2] not in graph.stored:
        return None
    return _TYPES.get(graph.stored[node.inputs[2]])
