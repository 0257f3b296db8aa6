"""Every plain Gemm as MatMul and Add, for methods that know no Gemm.

split_products(editor)
"""

from onnx import NodeProto, helper, numpy_helper

from .editing import STANDARD, Editor, attribute


def split_products(editor: Editor) -> None:
    """Rewrite each Gemm of the normal form; the MatMul keeps the name of the Gemm."""
    nodes: list[NodeProto] = []
    turned: dict[str, str] = {}
    for node in list(editor.graph.node):
        plain = node.op_type == "Gemm" and node.domain in STANDARD
        nodes += _split(editor, node, turned) if plain else [node]
    editor.replace_nodes(nodes)
    read = {name for node in nodes for name in node.input}
    for tensor in [t for t in editor.graph.initializer if t.name in turned and t.name not in read]:
        editor.graph.initializer.remove(tensor)


def _split(editor: Editor, node: NodeProto, turned: dict[str, str]) -> list[NodeProto]:
    """The nodes of A B + bias; `turned` has the weights that were transposed, by name."""
    left, right, *bias = [name for name in node.input if name]
    output, before = node.output[0], list[NodeProto]()
    if attribute(node, "transB", 0):
        stored = editor.stored.get(right)
        if stored is None:
            upright = editor.fresh(f"{right}_turned")
            before.append(editor.node("Transpose", [right], upright, perm=[1, 0]))
            right = upright
        else:
            if right not in turned:
                values = numpy_helper.to_array(stored).T
                turned[right] = editor.store(f"{right}_turned", values)
            right = turned[right]
    product = editor.fresh(f"{output}_product") if bias else output
    made = [*before, helper.make_node("MatMul", [left, right], [product], node.name)]
    return [*made, editor.node("Add", [product, bias[0]], output)] if bias else made
