"""Small ONNX models and files, written by hand."""

from onnx import helper, numpy_helper


def model(nodes, inputs, outputs, stored=(), *, opset=17, ir_version=9, domain="", functions=()):
    """A graph with named arrays stored in it; inputs and outputs as (name, type, shape)."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(array, name) for name, array in stored],
    )
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(
        graph, opset_imports=opsets, ir_version=ir_version, functions=functions
    )


def save(path, nodes, inputs, outputs, stored=()):
    """The same as a file."""
    path.write_bytes(model(nodes, inputs, outputs, stored).SerializeToString())
    return path
