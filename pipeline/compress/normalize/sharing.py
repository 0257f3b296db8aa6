"""Weights and biases that several layers use in different ways get a copy for each way.

separate(editor)

A quantized bias has the scale of its layer's input times that of its weights, so no two layers can
share one. Weights have a scale for each output channel; layers that count channels along different
axes, and a table of embeddings that is also a layer, cannot share them either.
"""

from collections import defaultdict
from typing import NamedTuple

import onnx
from onnx import NodeProto, TensorProto

from .editing import STANDARD, Editor, attribute, read_inside

LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)


class _Use(NamedTuple):
    node: NodeProto
    place: int
    way: tuple[str, int]
    """Uses of one way can share a tensor."""


def separate(editor: Editor) -> int:
    """Store a copy of each tensor for every way but the first in which it is used.

    Returns:
        The number of copies.
    """
    uses: dict[str, list[_Use]] = defaultdict(list)
    stored = {n: t for n, t in editor.stored.items() if t.data_type in _FLOATS}
    for number, node in enumerate(editor.graph.node):
        for place, name in enumerate(node.input):
            if name in stored:
                uses[name].append(_Use(node, place, _way(number, node, place, stored[name])))
    kept = dict.fromkeys(read_inside(editor.graph), ("elsewhere", 0))
    kept |= {value.name: ("elsewhere", 0) for value in editor.graph.output}
    copies = 0
    for name, found in uses.items():
        own: dict[tuple[str, int], str] = {kept.get(name, found[0].way): name}
        for use in found:
            if use.way not in own:
                own[use.way] = _copied(editor, stored[name])
                copies += 1
            use.node.input[use.place] = own[use.way]
    return copies


def _way(number: int, node: NodeProto, place: int, tensor: onnx.TensorProto) -> tuple[str, int]:
    """The way in which a node uses a tensor; a bias is of its own layer only."""
    layer = node.domain in STANDARD and node.op_type in LAYERS
    if layer and place == 2:
        return "bias", number
    if layer and place == 1:
        axis = 0 if node.op_type == "Conv" or attribute(node, "transB", 0) else 1
        return "weights", len(tensor.dims) - 1 if node.op_type == "MatMul" else axis
    if node.domain in STANDARD and node.op_type == "Gather" and place == 0:
        return "rows", attribute(node, "axis", 0)
    return "elsewhere", 0


def _copied(editor: Editor, tensor: onnx.TensorProto) -> str:
    copy = onnx.TensorProto()
    copy.CopyFrom(tensor)
    copy.name = editor.fresh(f"{tensor.name}_copy")
    editor.graph.initializer.append(copy)
    return copy.name
