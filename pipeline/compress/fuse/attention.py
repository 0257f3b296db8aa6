"""Fuse attention with one packed projection into ONNX Runtime's own operator.

    >>> fuse(onnx.load("fp32.onnx")).graph                  # doctest: +SKIP

``onnxruntime.transformers`` recognizes the attention of BERT's exports: one matrix each for query,
key and value, and a mask as input. The bundled text models multiply once for all three and derive
the mask from the ids; a user's module may do so too. This module matches that form: one ``MatMul``
and ``Add``, a ``Split`` in three, heads, a scale on the query or the scores, and a boolean mask
times a large negative number.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ....devices.onboard.model.graph import Graph

_DOMAIN = "com.microsoft"
_HEADS_FIRST, _KEYS_LAST = [0, 2, 1, 3], [0, 2, 3, 1]


class _NotFusedError(Exception):
    """The graph deviates from the form."""


def fuse(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace each attention of the form by an ``Attention`` operator.

    Args:
        model: an fp32 model; changed in place and returned, unchanged without such attention.
    """
    graph = Graph(model.graph)
    fused: list[NodeProto] = []
    for node in graph.nodes:
        if node.op_type == "Softmax":
            try:
                fused += _attention(graph, node)
            except _NotFusedError:
                continue
    replaced = {name for node in fused for name in node.output}
    nodes = [node for node in graph.nodes if not replaced & set(node.output)] + fused
    kept = _in_order(nodes, {output.name for output in model.graph.output})
    del model.graph.node[:]
    model.graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    stored = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(stored)
    written = {name for node in kept for name in node.output}
    typed = [value for value in model.graph.value_info if value.name in written]
    del model.graph.value_info[:]
    model.graph.value_info.extend(typed)
    if fused and all(opset.domain != _DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return model


def _attention(graph: Graph, softmax: NodeProto) -> list[NodeProto]:
    """The nodes that replace the attention around a softmax; the last writes its output.

    Raises:
        _NotFusedError: the graph deviates from the form.
    """
    _must(_option(softmax, "axis", -1) in (-1, 3))
    product, tokens, mask_value = _masked(graph, softmax.input[0])
    scores, scale = _scaled(graph, product)
    _kind(scores, "MatMul")
    query, more = _scaled(graph, scores.input[0])
    mixed = _only(graph, softmax.output[0], "MatMul")
    _must(mixed.input[0] == softmax.output[0])
    parts = [
        _part(graph, query, _HEADS_FIRST),
        _part(graph, _producer(graph, scores.input[1]), _KEYS_LAST),
        _part(graph, _producer(graph, mixed.input[1]), _HEADS_FIRST),
    ]
    split = parts[0][0]
    _must(all(part_split is split for part_split, _, _ in parts))
    _must([name for _, name, _ in parts] == list(split.output))
    heads = {head for _, _, head in parts}
    _must(len(heads) == 1)
    turned = _only(graph, mixed.output[0], "Transpose")
    _must(_option(turned, "perm", None) == _HEADS_FIRST)
    out = _only(graph, turned.output[0], "Reshape")
    x, weights, bias = _projection(graph, split.input[0])
    width = graph.shape(weights)
    shape = _ints(graph, out.input[1])
    _must(width is not None and len(shape) == 3 and shape[-1] * 3 == width[1])
    mask = f"{out.output[0]}_mask"
    cast = helper.make_node("Cast", [tokens], [mask], f"{mask}_cast", to=TensorProto.INT32)
    fused = helper.make_node(
        "Attention",
        [x, weights, bias, mask],
        [out.output[0]],
        f"{out.name}_attention",
        domain=_DOMAIN,
        num_heads=heads.pop(),
        scale=scale * more,
        mask_filter_value=mask_value,
    )
    return [cast, fused]


def _masked(graph: Graph, name: str) -> tuple[str, str, float]:
    """The parts of scores plus mask: scores, the tensor [n, t] true for tokens, the value."""
    add = _kind(_producer(graph, name), "Add")
    for scores, mask in (add.input, reversed(add.input)):
        times = graph.maker.get(mask)
        if times is None or times.op_type != "Mul":
            continue
        for spread_mask, number in (times.input, reversed(times.input)):
            if number in graph.stored:
                spread = _kind(_producer(graph, spread_mask), "Unsqueeze")
                _must(_ints(graph, spread.input[1]) == [1, 2])
                cast = _kind(_producer(graph, spread.input[0]), "Cast")
                padding = _kind(_producer(graph, cast.input[0]), "Not")
                return scores, padding.input[0], _number(graph, number)
    raise _NotFusedError


def _scaled(graph: Graph, name: str) -> tuple[NodeProto, float]:
    """The node that produces a tensor, looking through one constant factor, and the factor."""
    producer = _producer(graph, name)
    if producer.op_type in ("Mul", "Div") and producer.input[1] in graph.stored:
        factor = _number(graph, producer.input[1])
        scale = factor if producer.op_type == "Mul" else 1 / factor
        return _producer(graph, producer.input[0]), scale
    return producer, 1.0


def _part(graph: Graph, turned: NodeProto, turn: list[int]) -> tuple[NodeProto, str, int]:
    """For query, key or value by heads: its split, its name there, the number of heads."""
    _kind(turned, "Transpose")
    _must(_option(turned, "perm", None) == turn)
    heads = _kind(_producer(graph, turned.input[0]), "Reshape")
    shape = _ints(graph, heads.input[1])
    _must(len(shape) == 4)
    split = _kind(_producer(graph, heads.input[0]), "Split")
    _must(len(split.output) == 3 and _option(split, "axis", 0) in (2, -1))
    if len(split.input) > 1:
        _must(len(set(_ints(graph, split.input[1]))) == 1)
    return split, heads.input[0], shape[2]


def _projection(graph: Graph, name: str) -> tuple[str, str, str]:
    """The input, weights [width, 3 width] and bias of the one linear layer."""
    add = _kind(_producer(graph, name), "Add")
    for product, bias in (add.input, reversed(add.input)):
        producer = graph.maker.get(product)
        if bias in graph.stored and producer is not None and producer.op_type == "MatMul":
            _must(producer.input[1] in graph.stored)
            return producer.input[0], producer.input[1], bias
    raise _NotFusedError


def _must(holds: bool) -> None:
    if not holds:
        raise _NotFusedError


def _kind(node: NodeProto, kind: str) -> NodeProto:
    _must(node.op_type == kind)
    return node


def _producer(graph: Graph, name: str) -> NodeProto:
    _must(name in graph.maker)
    return graph.maker[name]


def _only(graph: Graph, name: str, kind: str) -> NodeProto:
    """The only node that reads a tensor."""
    readers = graph.takers.get(name, [])
    _must(len(readers) == 1)
    return _kind(readers[0][0], kind)


def _option(node: NodeProto, name: str, default: object) -> object:
    values = (
        helper.get_attribute_value(attribute)
        for attribute in node.attribute
        if attribute.name == name
    )
    value = next(values, default)
    return list(value) if isinstance(value, Sequence) else value


def _stored(graph: Graph, name: str) -> NDArray[np.generic]:
    _must(name in graph.stored)
    values: NDArray[np.generic] = numpy_helper.to_array(graph.stored[name])
    return values


def _ints(graph: Graph, name: str) -> list[int]:
    return [int(number) for number in _stored(graph, name).ravel()]


def _number(graph: Graph, name: str) -> float:
    values = _stored(graph, name)
    _must(values.size == 1)
    return float(values.ravel()[0])


def _in_order(nodes: Sequence[NodeProto], outputs: set[str]) -> list[NodeProto]:
    """The nodes that the outputs depend on, in topological order."""
    producer_of = {name: node for node in nodes for name in node.output}
    kept: dict[int, NodeProto] = {}
    waiting = [producer_of[name] for name in sorted(outputs) if name in producer_of]
    while waiting:
        node = waiting[-1]
        before = [producer_of[tensor] for tensor in node.input if tensor in producer_of]
        missing = [producer for producer in before if id(producer) not in kept]
        if missing:
            waiting += missing
        else:
            waiting.pop()
            kept.setdefault(id(node), node)
    return list(kept.values())
