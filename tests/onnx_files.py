"""Small ONNX files, written by hand."""

from onnx import helper, numpy_helper


def save(path, nodes, inputs, outputs, stored=()):
    """A graph with named arrays stored in it; inputs and outputs as (name, type, shape)."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(array, name) for name, array in stored],
    )
    opsets = [helper.make_opsetid("", 17)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    )
    return path
