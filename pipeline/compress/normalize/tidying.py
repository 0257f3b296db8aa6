"""What a graph does not need: functions, dead operators, overridable weights, wrong shapes.

tidy(editor)
"""

import onnx
from onnx import inliner

from ....exporters.unused import drop_unused
from .editing import Editor


def inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the bodies of its own functions in place of their calls."""
    if not model.functions:
        return model
    plain: onnx.ModelProto = inliner.inline_local_functions(model)
    used = {node.domain for node in plain.graph.node} | {""}
    kept = [opset for opset in plain.opset_import if opset.domain in used]
    del plain.opset_import[:]
    plain.opset_import.extend(kept)
    return plain


def tidy(editor: Editor) -> None:
    """Drop what no output depends on and what contradicts the graph; name every operator.

    Shapes that a file says of its inner tensors may be those of another batch; types stay, for
    operators that onnx does not know. An extent below 0 means that it is not known.
    """
    graph = editor.graph
    drop_unused(graph)
    name_operators(editor)
    stored = editor.stored
    inputs = [value for value in graph.input if value.name not in stored]
    del graph.input[:]
    graph.input.extend(inputs)
    for value in graph.value_info:
        value.type.tensor_type.ClearField("shape")
    for value in (*graph.input, *graph.output):
        for extent in value.type.tensor_type.shape.dim:
            if extent.dim_value < 0:
                extent.ClearField("dim_value")


def name_operators(editor: Editor) -> None:
    """Give each operator of the main graph a name of its own, where it has none."""
    seen: set[str] = set()
    for number, node in enumerate(editor.graph.node):
        if not node.name or node.name in seen:
            node.name = editor.fresh(f"{node.op_type}_{number}")
        seen.add(node.name)
