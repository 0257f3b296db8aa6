"""Attention of one packed projection, fused into ONNX Runtime's own operator.

    >>> fuse(onnx.load("fp32.onnx")).graph                  # doctest: +SKIP

``onnxruntime.transformers`` knows attention by how BERT's exports write it: a matrix each for
query, key and value, and a mask that is an input. Our text family multiplies once for the three and
finds its mask itself, and so may a user's module. What is matched here is that form: one ``MatMul``
and ``Add``, a ``Split`` in three, heads, a scale on the query or the scores, and a mask of truths
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
    """A step of the form is another one."""


def fuse(model: onnx.ModelProto) -> onnx.ModelProto:
    """Put an ``Attention`` in place of each that is of the form; in place, and returned.

    Args:
        model: fp32; without such attention it is left as it is.
    """
    graph = Graph(model.graph)
    made: list[NodeProto] = []
    for node in graph.nodes:
        if node.op_type == "Softmax":
            try:
                made += _attention(graph, node)
            except _NotFusedError:
                continue
    replaced = {name for node in made for name in node.output}
    nodes = [node for node in graph.nodes if not replaced & set(node.output)] + made
    kept = _in_order(nodes, {one.name for one in model.graph.output})
    del model.graph.node[:]
    model.graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    stored = [one for one in model.graph.initializer if one.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(stored)
    written = {name for node in kept for name in node.output}
    known = [one for one in model.graph.value_info if one.name in written]
    del model.graph.value_info[:]
    model.graph.value_info.extend(known)
    if made and all(one.domain != _DOMAIN for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return model


def _attention(graph: Graph, softmax: NodeProto) -> list[NodeProto]:
    """The nodes in place of the attention that a softmax is of; the last writes what it wrote.

    Raises:
        _NotFusedError: it is not of the form.
    """
    _must(_option(softmax, "axis", -1) in (-1, 3))
    product, masked, below = _masked(graph, softmax.input[0])
    scores, scale = _scaled(graph, product)
    _kind(scores, "MatMul")
    query, more = _scaled(graph, scores.input[0])
    mixed = _only(graph, softmax.output[0], "MatMul")
    _must(mixed.input[0] == softmax.output[0])
    parts = [
        _part(graph, query, _HEADS_FIRST),
        _part(graph, _maker(graph, scores.input[1]), _KEYS_LAST),
        _part(graph, _maker(graph, mixed.input[1]), _HEADS_FIRST),
    ]
    split = parts[0][0]
    _must(all(one is split for one, _, _ in parts))
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
    told = f"{out.output[0]}_mask"
    cast = helper.make_node("Cast", [masked], [told], f"{told}_cast", to=TensorProto.INT32)
    fused = helper.make_node(
        "Attention",
        [x, weights, bias, told],
        [out.output[0]],
        f"{out.name}_attention",
        domain=_DOMAIN,
        num_heads=heads.pop(),
        scale=scale * more,
        mask_filter_value=below,
    )
    return [cast, fused]


def _masked(graph: Graph, name: str) -> tuple[str, str, float]:
    """Of scores with a mask added: the scores, the truths [n, t] of what is told, what is added."""
    add = _kind(_maker(graph, name), "Add")
    for scores, mask in (add.input, reversed(add.input)):
        times = graph.maker.get(mask)
        if times is None or times.op_type != "Mul":
            continue
        for one, number in (times.input, reversed(times.input)):
            if number in graph.stored:
                spread = _kind(_maker(graph, one), "Unsqueeze")
                _must(_ints(graph, spread.input[1]) == [1, 2])
                cast = _kind(_maker(graph, spread.input[0]), "Cast")
                untold = _kind(_maker(graph, cast.input[0]), "Not")
                return scores, untold.input[0], _number(graph, number)
    raise _NotFusedError


def _scaled(graph: Graph, name: str) -> tuple[NodeProto, float]:
    """What makes a tensor, looking through one factor, and that factor."""
    maker = _maker(graph, name)
    if maker.op_type in ("Mul", "Div") and maker.input[1] in graph.stored:
        factor = _number(graph, maker.input[1])
        return _maker(graph, maker.input[0]), factor if maker.op_type == "Mul" else 1 / factor
    return maker, 1.0


def _part(graph: Graph, turned: NodeProto, turn: list[int]) -> tuple[NodeProto, str, int]:
    """Of a query, key or value by heads: the split before it, its name there, how many heads."""
    _kind(turned, "Transpose")
    _must(_option(turned, "perm", None) == turn)
    heads = _kind(_maker(graph, turned.input[0]), "Reshape")
    shape = _ints(graph, heads.input[1])
    _must(len(shape) == 4)
    split = _kind(_maker(graph, heads.input[0]), "Split")
    _must(len(split.output) == 3 and _option(split, "axis", 0) in (2, -1))
    if len(split.input) > 1:
        _must(len(set(_ints(graph, split.input[1]))) == 1)
    return split, heads.input[0], shape[2]


def _projection(graph: Graph, name: str) -> tuple[str, str, str]:
    """The input, weights [width, 3 width] and bias of the one linear layer."""
    add = _kind(_maker(graph, name), "Add")
    for product, bias in (add.input, reversed(add.input)):
        maker = graph.maker.get(product)
        if bias in graph.stored and maker is not None and maker.op_type == "MatMul":
            _must(maker.input[1] in graph.stored)
            return maker.input[0], maker.input[1], bias
    raise _NotFusedError


# --- small look-ups -------------------------------------------------------------------------------


def _must(holds: bool) -> None:
    if not holds:
        raise _NotFusedError


def _kind(node: NodeProto, kind: str) -> NodeProto:
    _must(node.op_type == kind)
    return node


def _maker(graph: Graph, name: str) -> NodeProto:
    _must(name in graph.maker)
    return graph.maker[name]


def _only(graph: Graph, name: str, kind: str) -> NodeProto:
    """The one node that takes a tensor."""
    takers = graph.takers.get(name, [])
    _must(len(takers) == 1)
    return _kind(takers[0][0], kind)


def _option(node: NodeProto, name: str, default: object) -> object:
    found = (helper.get_attribute_value(one) for one in node.attribute if one.name == name)
    value = next(found, default)
    return list(value) if isinstance(value, Sequence) else value


def _stored(graph: Graph, name: str) -> NDArray[np.generic]:
    _must(name in graph.stored)
    found: NDArray[np.generic] = numpy_helper.to_array(graph.stored[name])
    return found


def _ints(graph: Graph, name: str) -> list[int]:
    return [int(one) for one in _stored(graph, name).ravel()]


def _number(graph: Graph, name: str) -> float:
    values = _stored(graph, name)
    _must(values.size == 1)
    return float(values.ravel()[0])


def _in_order(nodes: Sequence[NodeProto], outputs: set[str]) -> list[NodeProto]:
    """What the outputs need, each after what it takes."""
    maker = {name: node for node in nodes for name in node.output}
    kept: dict[int, NodeProto] = {}
    waiting = [maker[name] for name in sorted(outputs) if name in maker]
    while waiting:
        node = waiting[-1]
        before = [maker[one] for one in node.input if one in maker]
        missing = [one for one in before if id(one) not in kept]
        if missing:
            waiting += missing
        else:
            waiting.pop()
            kept.setdefault(id(node), node)
    return list(kept.values())
