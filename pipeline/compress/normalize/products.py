"""Every Gemm becomes A B + bias, with factors of 1 and one bias for each output.

plain_products(editor)

The standard allows alpha A' B' + beta C with a C of any shape that broadcasts. Tools that read Gemm
read less: ONNX Runtime's quantizer drops beta and takes C for a bias per channel, and ours multiply
weights only. Factors go into stored weights and biases, where they cost one rounding of float32;
where there is nothing stored, a Mul or an Add stands after the product.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, numpy_helper

from .editing import STANDARD, Editor, attribute

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)


def plain_products(editor: Editor) -> int:
    """Rewrite each Gemm that is not plain; the number of them."""
    nodes, count = list[NodeProto](), 0
    for node in list(editor.graph.node):
        rewritten = _plain(editor, node) if _is_product(editor, node) else [node]
        count += len(rewritten) > 1 or rewritten[0] is not node
        nodes += rewritten
    editor.replace_nodes(nodes)
    return count


def _is_product(editor: Editor, node: NodeProto) -> bool:
    if node.op_type != "Gemm" or node.domain not in STANDARD:
        return False
    stored = editor.stored
    return all(stored[name].data_type in _FLOATS for name in node.input if name in stored)


def _plain(editor: Editor, node: NodeProto) -> list[NodeProto]:
    """The nodes that replace a Gemm, the last of which writes its output; itself if it is plain."""
    alpha, beta = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    turned, output = attribute(node, "transA", 0), node.output[0]
    weights = editor.stored.get(node.input[1])
    bias = node.input[2] if len(node.input) > 2 else ""
    width = None if weights is None else weights.dims[0 if attribute(node, "transB", 0) else 1]
    fits = not bias or _is_row(editor, bias, width)
    if alpha == 1 and beta == 1 and not turned and fits:
        return [node]
    before: list[NodeProto] = []
    after: list[tuple[str, str]] = []  # operators behind the product, each with its second operand
    left, right = node.input[0], node.input[1]
    if turned:
        upright = editor.fresh(f"{left}_upright")
        before.append(editor.node("Transpose", [left], upright, perm=[1, 0]))
        left = upright
    if alpha != 1 and weights is not None:
        right = editor.store(f"{right}_scaled", _times(numpy_helper.to_array(weights), alpha))
    elif alpha != 1:
        after.append(("Mul", editor.store(f"{output}_alpha", _scalar(editor, node, alpha))))
    inputs = [left, right]
    if bias and beta != 0:
        own = None if after else _own_bias(editor, bias, beta, width)
        if own is not None:
            inputs.append(own)
        else:
            before, bias = _scaled_bias(editor, node, before)
            after.append(("Add", bias))
    return [*before, *_product(editor, node, inputs, after)]


def _product(
    editor: Editor, node: NodeProto, inputs: list[str], after: list[tuple[str, str]]
) -> list[NodeProto]:
    """The plain product and what follows it; the last writes the node's output."""
    product = NodeProto()
    product.CopyFrom(node)
    del product.attribute[:], product.input[:]
    product.input.extend(inputs)
    product.attribute.extend(a for a in node.attribute if a.name == "transB")
    made = [product]
    for kind, operand in after:
        inner = editor.fresh(f"{node.output[0]}_product")
        made[-1].output[0] = inner
        made.append(editor.node(kind, [inner, operand], node.output[0]))
    return made


def _is_row(editor: Editor, bias: str, width: int | None) -> bool:
    """Whether a bias is stored with one finite number for each output. A mask is none."""
    tensor = editor.stored.get(bias)
    if tensor is None or list(tensor.dims) != [width]:
        return False
    return bool(np.isfinite(numpy_helper.to_array(tensor)).all())


def _own_bias(editor: Editor, bias: str, beta: float, width: int | None) -> str | None:
    """A stored bias [N] with beta inside; None if it is computed or differs by row."""
    tensor = editor.stored.get(bias)
    if tensor is None or width is None:
        return None
    values = numpy_helper.to_array(tensor)
    if (values.ndim > 1 and values.shape[0] != 1) or not np.isfinite(values).all():
        return None
    row = np.broadcast_to(_times(values, beta).reshape(-1), (width,))
    return editor.store(f"{bias}_row", row)


def _scaled_bias(
    editor: Editor, node: NodeProto, before: list[NodeProto]
) -> tuple[list[NodeProto], str]:
    """The name of beta C for an Add, and the nodes that compute it."""
    bias, beta = node.input[2], attribute(node, "beta", 1.0)
    if beta == 1:
        return before, bias
    if bias in editor.stored:
        values = numpy_helper.to_array(editor.stored[bias])
        return before, editor.store(f"{bias}_scaled", _times(values, beta))
    factor = editor.store(f"{bias}_beta", _scalar(editor, node, beta))
    scaled = editor.fresh(f"{bias}_scaled")
    return [*before, editor.node("Mul", [bias, factor], scaled)], scaled


def _times(values: NDArray[Any], factor: float) -> NDArray[Any]:
    """The product, rounded once to the type of the values."""
    return (values.astype(np.float64) * factor).astype(values.dtype)


def _scalar(editor: Editor, node: NodeProto, factor: float) -> NDArray[Any]:
    """The factor in the type that the node computes in."""
    stored = editor.stored
    known = [numpy_helper.to_array(stored[name]) for name in node.input if name in stored]
    return np.asarray(factor, known[0].dtype if known else _type_of(editor, node))


def _type_of(editor: Editor, node: NodeProto) -> type[np.generic]:
    values = [*editor.graph.input, *editor.graph.value_info, *editor.graph.output]
    kinds = {value.name: value.type.tensor_type.elem_type for value in values}
    kind = next((kinds[n] for n in (*node.input, *node.output) if kinds.get(n)), TensorProto.FLOAT)
    if kind == TensorProto.DOUBLE:
        return np.float64
    return np.float16 if kind == TensorProto.FLOAT16 else np.float32
