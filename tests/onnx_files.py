"""Small ONNX models and files, written by hand."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


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


def dense(path, layers, width=128):
    nodes = [
        helper.make_node("MatMul", [f"h{i}" if i else "x", f"w{i}"], [f"h{i + 1}"])
        for i in range(layers)
    ]
    stored = [(f"w{i}", np.full((width, width), 0.01, np.float32)) for i in range(layers)]
    ends = (
        [("x", TensorProto.FLOAT, ["n", width])],
        [(f"h{layers}", TensorProto.FLOAT, ["n", width])],
    )
    return save(path, nodes, *ends, stored)
