"""Files that are quantized already, control flow, and outputs that are no plain scores."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from .building import IMAGE, SAMPLES, convnet, drawn, foreign, images, ints, node, normal, weights

SCORES = {"y": ["N", 10]}


def already_in_pairs():
    """Quantized before, with pairs of QuantizeLinear and DequantizeLinear."""
    random = drawn()
    stored = {
        "wq": random.integers(-127, 127, (8, 3, 3, 3)).astype(np.int8), "ws": np.float32(0.002),
        "wz": np.int8(0), "xs": np.float32(0.03), "xz": np.int8(0),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        node("DequantizeLinear", ["wq", "ws", "wz"], ["wd"]),
        node("Conv", ["xd", "wd"], ["h"]),
    ]
    return convnet(nodes=nodes, stored=stored)


def already_dynamic():
    """Quantized before, with DynamicQuantizeLinear and MatMulInteger."""
    random = drawn()
    stored = {
        "w": random.integers(-127, 127, (64, 32)).astype(np.int8), "wz": np.int8(0),
        "ws": np.float32(0.01), "w2": weights(random, 32, 10), "k": np.float32(0.5),
    }  # fmt: skip
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
        node("MatMulInteger", ["xq", "w", "xz", "wz"], ["a"]),
        node("Cast", ["a"], ["af"], to=TensorProto.FLOAT),
        node("Mul", ["xs", "ws"], ["s"]),
        node("Mul", ["af", "s"], ["m"]),
        node("Relu", ["m"], ["r"]),
        node("Mul", ["r", "k"], ["h"]),
        node("MatMul", ["h", "w2"], ["y"]),
    ]
    feeds = {"x": normal(random, SAMPLES, 64)}
    return foreign(nodes, {"x": ["N", 64]}, SCORES, stored, feeds=feeds)


def already_integer_layers():
    """Quantized before, with QLinearConv."""
    random = drawn()
    stored = {
        "wq": random.integers(-127, 127, (8, 3, 3, 3)).astype(np.int8), "ws": np.float32(0.002),
        "wz": np.int8(0), "xs": np.float32(0.03), "xz": np.uint8(128), "hs": np.float32(0.02),
        "hz": np.uint8(128),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        node("QLinearConv", ["xq", "xs", "xz", "wq", "ws", "wz", "hs", "hz"], ["hq"]),
        node("DequantizeLinear", ["hq", "hs", "hz"], ["h"]),
    ]
    return convnet(nodes=nodes, stored=stored)


def _branch(output, weight):
    nodes = [node("Conv", ["x", weight], [output], name=f"conv_{output}")]
    ends = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    return helper.make_graph(nodes, f"branch_{output}", [], ends)


def layers_in_branches():
    """If: a convolution in each branch, weights outside."""
    random = drawn()
    nodes = [
        node("ReduceMean", ["x"], ["mean"], keepdims=0),
        node("Greater", ["mean", "zero"], ["large"]),
        node("If", ["large"], ["h"], then_branch=_branch("t", "w"), else_branch=_branch("e", "w2")),
    ]
    stored = {"w2": weights(random, 8, 3, 3, 3), "zero": np.float32(0)}
    return convnet(nodes=nodes, stored=stored)


def relu_read_in_a_branch():
    """A branch reads what a Relu gives, and so does a layer outside (silero-vad)."""

    def branch(output, kind):
        nodes = [node(kind, ["limited"], [output], name=f"in_{output}")]
        ends = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        return helper.make_graph(nodes, f"branch_{output}", [], ends)

    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Relu", ["c"], ["limited"]),
        node("ReduceMax", ["limited"], ["top"], keepdims=0),
        node("Greater", ["top", "zero"], ["some"]),
        node(
            "If",
            ["some"],
            ["h"],
            then_branch=branch("t", "Identity"),
            else_branch=branch("e", "Neg"),
        ),
    ]
    return convnet(nodes=nodes, stored={"zero": np.float32(0)})


def relu_before_float():
    """Relu behind a product and before a normalization, and at the end behind a scale."""
    random = drawn()
    stored = {
        "w": weights(random, 64, 32), "g": np.ones(32, np.float32), "last": weights(random, 32, 10),
        "k": np.float32(3),
    }  # fmt: skip
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("LayerNormalization", ["r", "g"], ["n"]),
        node("MatMul", ["n", "last"], ["b"]),
        node("Relu", ["b"], ["s"]),
        node("Mul", ["s", "k"], ["y"]),
    ]
    feeds = {"x": normal(random, SAMPLES, 64)}
    return foreign(nodes, {"x": ["N", 64]}, SCORES, stored, feeds=feeds)


def layer_in_a_loop():
    """Loop: a layer applied three times, its weights outside."""
    random = drawn()
    body = helper.make_graph(
        [
            node("MatMul", ["taken", "w"], ["product"]),
            node("Tanh", ["product"], ["given"]),
            node("Identity", ["going"], ["goes"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("taken", TensorProto.FLOAT, ["N", 32]),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("given", TensorProto.FLOAT, ["N", 32]),
        ],
    )
    nodes = [
        node("MatMul", ["x", "first"], ["h"]),
        node("Loop", ["times", "yes", "h"], ["last_h"], body=body),
        node("MatMul", ["last_h", "last"], ["y"]),
    ]
    stored = {
        "first": weights(random, 64, 32), "w": weights(random, 32, 32),
        "last": weights(random, 32, 10),
        "times": np.int64(3), "yes": np.array(True),
    }  # fmt: skip
    feeds = {"x": normal(random, SAMPLES, 64)}
    return foreign(nodes, {"x": ["N", 64]}, SCORES, stored, feeds=feeds)


def layer_in_a_scan():
    """Scan: a cell over the steps of a sequence."""
    random = drawn()
    body = helper.make_graph(
        [
            node("MatMul", ["step", "w"], ["a"]),
            node("MatMul", ["state", "r"], ["b"]),
            node("Add", ["a", "b"], ["c"]),
            node("Tanh", ["c"], ["next"]),
            node("Identity", ["next"], ["seen"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("state", TensorProto.FLOAT, ["N", 32]),
            helper.make_tensor_value_info("step", TensorProto.FLOAT, ["N", 16]),
        ],
        [
            helper.make_tensor_value_info("next", TensorProto.FLOAT, ["N", 32]),
            helper.make_tensor_value_info("seen", TensorProto.FLOAT, ["N", 32]),
        ],
    )
    nodes = [
        node("MatMul", ["x", "first"], ["e"]),
        node("Transpose", ["e"], ["steps"], perm=[1, 0, 2]),
        node("ReduceMean", ["e"], ["m"], axes=[1], keepdims=0),
        node("MatMul", ["m", "begin"], ["state0"]),
        node("Scan", ["state0", "steps"], ["end", "all"], body=body, num_scan_inputs=1),
        node("MatMul", ["end", "last"], ["y"]),
    ]
    stored = {
        "first": weights(random, 8, 16), "w": weights(random, 16, 32), "r": weights(random, 32, 32),
        "begin": weights(random, 16, 32), "last": weights(random, 32, 10),
    }  # fmt: skip
    feeds = {"x": normal(random, SAMPLES, 6, 8)}
    return foreign(nodes, {"x": ["N", 6, 8]}, SCORES, stored, feeds=feeds)


def sequence_out():
    """An output that is a list of tensors."""
    made = convnet(
        nodes=[node("Conv", ["x", "w"], ["h"]), node("SequenceConstruct", ["h"], ["list"])]
    )
    kind = helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, None)
    made.model.graph.output.insert(0, kind)
    return made


def classes_out():
    """The output is the number of the class."""
    random = drawn()
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("ReduceMax", ["a"], ["m"], axes=[2, 3], keepdims=0),
        node("MatMul", ["m", "last"], ["logits"]),
        node("ArgMax", ["logits"], ["y"], axis=1, keepdims=0),
    ]
    stored = {"w": weights(random, 8, 3, 3, 3), "last": weights(random, 8, 10)}
    ends = {"x": IMAGE}, {"y": (TensorProto.INT64, ["N"])}
    return foreign(nodes, *ends, stored, feeds={"x": images(random)})


def not_a_number_out():
    """A logarithm of negative numbers."""
    random = drawn()
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Log", ["a"], ["l"]),
        node("MatMul", ["l", "last"], ["y"]),
    ]
    stored = {"w": weights(random, 64, 32), "last": weights(random, 32, 10)}
    return foreign(
        nodes, {"x": ["N", 64]}, SCORES, stored, feeds={"x": normal(random, SAMPLES, 64)}
    )


def stored_output():
    """An output that is a weight, and one that is an input."""
    made = convnet(after=[node("Identity", ["head_b"], ["bias"])])
    for name, shape in (("w", [8, 3, 3, 3]), ("bias", [10]), ("x", IMAGE)):
        made.model.graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        )
    return made


def cut_to_nothing():
    """A piece of length zero that is joined to the rest."""
    random = drawn()
    stored = {
        "begin": ints(0), "end": ints(0), "axis": ints(1), "w": weights(random, 64, 32),
        "last": weights(random, 32, 10), "empty": np.zeros((0, 32), np.float32),
    }  # fmt: skip
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Slice", ["a", "begin", "end", "axis"], ["none"]),
        node("Concat", ["none", "a"], ["b"], axis=1),
        node("Concat", ["empty", "b"], ["h"], axis=0),
        node("MatMul", ["h", "last"], ["y"]),
    ]
    return foreign(
        nodes, {"x": ["N", 64]}, SCORES, stored, feeds={"x": normal(random, SAMPLES, 64)}
    )


def newest_types():
    """Weights in bfloat16, cast in the graph."""
    random = drawn()
    made = foreign(
        [node("Cast", ["w16"], ["w"], to=TensorProto.FLOAT), node("MatMul", ["x", "w"], ["y"])],
        {"x": ["N", 64]}, SCORES, {}, feeds={"x": normal(random, SAMPLES, 64)},
    )  # fmt: skip
    values = weights(random, 64, 10)
    made.model.graph.initializer.append(
        onnx.helper.make_tensor("w16", TensorProto.BFLOAT16, values.shape, values.ravel())
    )
    return made


def small_second_output():
    """Two outputs; int8 that suits the first destroys the second."""
    random = drawn()
    k = np.ones((1, 8, 1, 1), np.float32)
    k[:, 4:] = 1e-4
    far = np.concatenate([weights(random, 5, 4, 1, 1) * 0, weights(random, 5, 4, 1, 1) * 1e4], 1)
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["h"]),
        node("Mul", ["h", "k"], ["s"]),
        node("Conv", ["s", "w2"], ["t"]),
        node("ReduceMean", ["t"], ["z"], axes=[2, 3], keepdims=0),
    ]
    stored = {"w": weights(random, 8, 3, 3, 3), "k": k, "w2": far.astype(np.float32)}
    return convnet(nodes=nodes, stored=stored, outputs={"y": ["N", 10], "z": None})


GRAPHS = [
    already_in_pairs,
    already_dynamic,
    already_integer_layers,
    layers_in_branches,
    relu_read_in_a_branch,
    relu_before_float,
    layer_in_a_loop,
    layer_in_a_scan,
    sequence_out,
    classes_out,
    not_a_number_out,
    stored_output,
    cut_to_nothing,
    newest_types,
    small_second_output,
]
