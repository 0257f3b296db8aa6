"""Take away Q/DQ pairs that only round: behind a last layer, and between a product and float.

output_in_float(graph, "logits")
"""

from collections.abc import Collection, Sequence

import onnx

from ....devices.onboard.model.graph import Graph
from .kept_float import units

_PAIR = ("QuantizeLinear", "DequantizeLinear")


def output_in_float(graph: onnx.GraphProto, output: str, limited: Collection[str] = ()) -> None:
    """Remove the pair after the last layer, in place.

    With 256 levels, logits of different classes would be equal and predicted numbers coarse.
    """
    look = Graph(graph)
    producer_of, after = look.maker, units(look, output)
    end = output
    if after:
        end = next(name for name in after[-1].input if name in producer_of)
    dequantizer = producer_of.get(end)
    quantizer = producer_of.get(dequantizer.input[0]) if dequantizer is not None else None
    if dequantizer is None or quantizer is None:
        return
    if (quantizer.op_type, dequantizer.op_type) != _PAIR:
        return
    layer = producer_of.get(quantizer.input[0])
    if (
        layer is not None
        and layer.op_type not in ("Relu", "Clip")
        and quantizer.input[0] in limited
    ):
        return  # The pair does the work of a Relu or Clip that the quantizer took away.
    if layer is None or any(
        quantizer.input[0] in node.input for node in graph.node if node is not quantizer
    ):
        return
    for i, name in enumerate(layer.output):
        if name == quantizer.input[0]:
            layer.output[i] = end
    _remove(graph, [quantizer, dequantizer])


def products_in_float(
    graph: onnx.GraphProto, int8: Collection[str], limited: Collection[str] = ()
) -> None:
    """Remove the pair between a product and operators in float, in place.

    The sums of a product of integers have 32 bits, and ONNX Runtime gives them as float. In 256
    levels over all rows, rows much smaller than others would be lost before a normalization.

    Args:
        graph: with pairs.
        int8: the names of the operators that were to be quantized.
        limited: what Relu and Clip gave; where one is gone, its pair does its work and stays.
    """
    look = Graph(graph)
    outputs = {value.name for value in graph.output}
    gone: list[onnx.NodeProto] = []
    for quantizer in look.nodes:
        product = look.maker.get(quantizer.input[0]) if quantizer.op_type == _PAIR[0] else None
        if product is None or product.name not in int8 or not _gives_float(look, product):
            continue
        back = [node for node, _ in look.takers.get(quantizer.output[0], [])]
        takers = [taker for node in back for taker in look.takers.get(node.output[0], [])]
        gone_limit = quantizer.input[0] in limited and quantizer.input[0] in product.output
        if gone_limit or any(node.name in int8 for node, _ in takers):
            continue
        if outputs.isdisjoint(node.output[0] for node in back):
            for node, place in takers:
                node.input[place] = quantizer.input[0]
            gone += [quantizer, *back]
    _remove(graph, gone)


def _gives_float(look: Graph, product: onnx.NodeProto) -> bool:
    """Whether the runtime multiplies integers although the result is not quantized.

    It does not where the weights are a stack of matrices with a scale for each column.
    """
    if product.op_type not in ("MatMul", "Gemm"):
        return False
    weights = look.maker.get(product.input[1])
    stored = look.stored.get(weights.input[0]) if weights is not None and weights.input else None
    return stored is None or len(stored.dims) == 2


def _remove(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    """Remove operators, and the scales that only they read."""
    gone = {id(node) for node in nodes}
    kept = [node for node in graph.node if id(node) not in gone]
    unused = {name for node in nodes for name in node.input[1:]}
    unused -= {name for node in kept for name in node.input}
    stored = [tensor for tensor in graph.initializer if tensor.name not in unused]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(stored)
