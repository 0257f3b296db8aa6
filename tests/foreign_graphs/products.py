"""Fully connected layers in every form that the standard allows."""

import numpy as np
from onnx import TensorProto, helper

from .building import SAMPLES, constant, drawn, foreign, ints, node, normal, weights

ROWS = ["N", 64]
SCORES = {"y": ["N", 10]}


def _after(nodes, stored, random, *, hidden=32, **more):
    """Layers on rows, then Relu and a plain last layer."""
    nodes = [*nodes, node("Relu", ["h"], ["r"]), node("MatMul", ["r", "last"], ["y"])]
    feeds = {"x": more.pop("x", normal(random, SAMPLES, 64))}
    stored = {**stored, "last": weights(random, hidden, 10)}
    return foreign(
        nodes, {"x": more.pop("rows", ROWS)}, more.pop("outputs", SCORES), stored, feeds=feeds,
        **more
    )  # fmt: skip


def gemm_with_factors():
    """Keras and Caffe2 converters write scales into alpha and beta."""
    random = drawn()
    stored = {"w": weights(random, 64, 32).T.copy(), "b": normal(random, 32) * 3}
    return _after(
        [node("Gemm", ["x", "w", "b"], ["h"], transB=1, alpha=0.5, beta=2.0)], stored, random
    )


def gemm_with_beta_of_zero():
    """The bias is there and does not count."""
    random = drawn()
    stored = {"w": weights(random, 64, 32), "b": normal(random, 32) * 3}
    return _after([node("Gemm", ["x", "w", "b"], ["h"], beta=0.0)], stored, random)


def gemm_with_every_bias():
    """Biases of shape [], [1], [1, N] and [N], one behind another."""
    random = drawn()
    shapes = [(), (1,), (1, 64), (64,)]
    stored, nodes, name = {}, [], "x"
    for i, shape in enumerate(shapes):
        stored |= {
            f"w{i}": weights(random, 64, 64),
            f"b{i}": np.asarray(normal(random, *shape)) + 1,
        }
        nodes += [
            node("Gemm", [name, f"w{i}", f"b{i}"], [f"g{i}"], beta=1.5),
            node("Relu", [f"g{i}"], [f"r{i}"]),
        ]
        name = f"r{i}"
    stored["w"] = weights(random, 64, 32)
    return _after([*nodes, node("Gemm", [name, "w", ""], ["h"])], stored, random)


def gemm_with_a_bias_for_each_row():
    """A bias [M, N] and one [M, 1], in a model with a batch of four."""
    random = drawn()
    stored = {
        "w": weights(random, 64, 32), "b": normal(random, 4, 32),
        "w2": weights(random, 32, 32), "b2": normal(random, 4, 1),
    }  # fmt: skip
    nodes = [
        node("Gemm", ["x", "w", "b"], ["g"]),
        node("Gemm", ["g", "w2", "b2"], ["h"], beta=0.5),
    ]
    return _after(nodes, stored, random, rows=[4, 64], outputs={"y": [4, 10]})


def gemm_transposed():
    """Columns instead of rows: transA."""
    random = drawn()
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0]),
        node("Gemm", ["t", "w", "b"], ["h"], transA=1, transB=1, alpha=1.5),
    ]
    stored = {"w": weights(random, 64, 32).T.copy(), "b": normal(random, 32)}
    return _after(nodes, stored, random)


def gemm_with_stored_rows():
    """The weights come first: W x with columns of samples."""
    random = drawn()
    nodes = [
        node("Gemm", ["w", "x", "b"], ["g"], transB=1),
        node("Transpose", ["g"], ["h"], perm=[1, 0]),
    ]
    stored = {"w": weights(random, 64, 32).T.copy(), "b": normal(random, 32, 1)}
    return _after(nodes, stored, random)


def gemm_of_two_inputs():
    """No weights at all: a product of activations, as similarity heads have."""
    random = drawn()
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("MatMul", ["x2", "w"], ["b"]),
        node("Gemm", ["a", "b"], ["y"], transB=1, alpha=0.125),
    ]
    ends = {"x": ROWS, "x2": ["M", 64]}
    feeds = {"x": normal(random, SAMPLES, 64), "x2": normal(random, SAMPLES, 64)}
    return foreign(nodes, ends, {"y": ["N", "M"]}, {"w": weights(random, 64, 32)}, feeds=feeds)


def gemm_with_a_computed_bias():
    """A bias from a second branch, as hypernetworks write it."""
    random = drawn()
    nodes = [
        node("MatMul", ["x", "w0"], ["c"]),
        node("Gemm", ["x", "w", "c"], ["h"], beta=0.5, transB=1),
    ]
    stored = {"w0": weights(random, 64, 32), "w": weights(random, 64, 32).T.copy()}
    return _after(nodes, stored, random)


def products_of_a_stack():
    """MatMul with three axes and weights of three, broadcast and by batch."""
    random = drawn()
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("MatMul", ["a", "heads"], ["h"]),
        node("ReduceMean", ["h"], ["m"], axes=[1], keepdims=0),
        node("MatMul", ["m", "last"], ["y"]),
    ]
    stored = {
        "w": weights(random, 24, 32), "heads": weights(random, 4, 32, 32),
        "last": weights(random, 32, 10),
    }  # fmt: skip
    feeds = {"x": normal(random, SAMPLES, 4, 6, 24)}
    return foreign(nodes, {"x": ["N", 4, 6, 24]}, {"y": None}, stored, feeds=feeds)


def shared_layers_and_biases():
    """One layer used eighteen times, and one bias by layers of other weights (detection heads)."""
    random = drawn()
    stored = {
        "w": weights(random, 32, 32),
        "b": normal(random, 32),
        "first": weights(random, 64, 32),
    }
    stored["v"] = weights(random, 32, 32)
    nodes, name = [node("Gemm", ["x", "first", "b"], ["h0"])], "h0"
    for i in range(18):
        weight = "w" if i % 2 else "v"
        nodes += [
            node("Tanh", [name], [f"t{i}"]),
            node("Gemm", [f"t{i}", weight, "b"], [f"g{i}"]),
        ]
        name = f"g{i}"
    nodes.append(node("Identity", [name], ["h"]))
    return _after(nodes, stored, random)


def weights_behind_operators():
    """Legacy exports transpose, cast and copy stored weights in the graph."""
    random = drawn()
    stored = {
        "w": weights(random, 64, 32).T.copy(),
        "half": weights(random, 32, 32).astype(np.float16),
        "flat": weights(random, 32, 32).reshape(-1),
        "shape": ints(32, 32),
    }
    nodes = [
        node("Transpose", ["w"], ["wt"], perm=[1, 0]),
        node("MatMul", ["x", "wt"], ["a"]),
        node("Cast", ["half"], ["w2"], to=TensorProto.FLOAT),
        node("MatMul", ["a", "w2"], ["b"]),
        node("Reshape", ["flat", "shape"], ["w3"]),
        node("Identity", ["w3"], ["w4"]),
        node("MatMul", ["b", "w4"], ["h"]),
    ]
    return _after(nodes, stored, random)


def constants_for_weights():
    """Paddle exports: every weight is a Constant node."""
    random = drawn()
    nodes = [
        constant("w", weights(random, 64, 64)),
        constant("b", normal(random, 64)),
        constant("w2", weights(random, 64, 10)),
        node("MatMul", ["x", "w"], ["p"]),
        node("Add", ["p", "b"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("MatMul", ["r", "w2"], ["y"]),
    ]
    feeds = {"x": normal(random, SAMPLES, 64)}
    return foreign(nodes, {"x": ROWS}, SCORES, feeds=feeds, opset=11)


def einsum_layers():
    """Einsum as a layer and as attention scores."""
    random = drawn()
    nodes = [
        node("Einsum", ["x", "w"], ["h"], equation="bsd,df->bsf"),
        node("Einsum", ["h", "h"], ["s"], equation="bqf,bkf->bqk"),
        node("Softmax", ["s"], ["p"], axis=-1),
        node("Einsum", ["p", "h"], ["c"], equation="bqk,bkf->bqf"),
        node("MatMul", ["c", "w2"], ["y"]),
    ]
    stored = {"w": weights(random, 24, 32), "w2": weights(random, 32, 10)}
    feeds = {"x": normal(random, SAMPLES, 6, 24)}
    return foreign(nodes, {"x": ["N", 6, 24]}, {"y": ["N", 6, 10]}, stored, feeds=feeds)


def names_that_a_quantizer_makes():
    """Tensors and nodes that are named as quantizers name what they add."""
    random = drawn()
    stored = {
        "w": weights(random, 64, 32), "w_quantized": weights(random, 32, 32),
        "x_scale": normal(random, 32), "w_scale": weights(random, 32, 32),
        "w_zero_point": normal(random, 32), "x_zero_point": normal(random, 32),
        "w.int8": normal(random, 32), "w.scale": normal(random, 32), "w.int4": normal(random, 32),
    }  # fmt: skip
    nodes = [
        node("Gemm", ["x", "w", "x_scale"], ["x_quantized"], name="x_QuantizeLinear"),
        node("Relu", ["x_quantized"], ["x_QuantizeLinear_Output"], name="x_DequantizeLinear"),
        node("Gemm", ["x_QuantizeLinear_Output", "w_quantized", "w_zero_point"], ["w_dequantized"]),
        node("Relu", ["w_dequantized"], ["x_DequantizeLinear_Output"], name="w.mul"),
        node("Gemm", ["x_DequantizeLinear_Output", "w_scale", "x_zero_point"], ["w.cast"]),
        node("Add", ["w.cast", "w.int8"], ["b_quantized"]),
        node("Mul", ["b_quantized", "w.scale"], ["y_quantized"]),
        node("Add", ["y_quantized", "w.int4"], ["h"]),
    ]
    return _after(nodes, stored, random)


def unnamed_unused_and_copied():
    """Nodes without a name, unused weights, dead branches, Identity chains."""
    random = drawn()
    stored = {
        "w": weights(random, 64, 32),
        "unused": weights(random, 64, 32),
        "b": normal(random, 32),
    }
    nodes = [
        node("Identity", ["x"], ["i0"]),
        node("Identity", ["i0"], ["i1"]),
        node("Identity", ["w"], ["wi"]),
        node("MatMul", ["i1", "wi"], ["p"]),
        node("MatMul", ["i1", "unused"], ["dead"]),
        node("Add", ["p", "b"], ["a"]),
        node("Dropout", ["a"], ["h"]),
    ]
    return _after(nodes, stored, random)


def large_weights_of_no_use():
    """A weight of zeros, a channel of zeros and one far larger than the others."""
    random = drawn()
    w = weights(random, 64, 32)
    w[:, 3] = 0
    w[:, 4] *= 1e4
    stored = {"w": w, "zeros": np.zeros((64, 32), np.float32), "k": np.full(32, 1e-4, np.float32)}
    stored["k"][:4] = 1
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("MatMul", ["x", "zeros"], ["z"]),
        node("Mul", ["a", "k"], ["s"]),
        node("Add", ["s", "z"], ["h"]),
    ]
    return _after(nodes, stored, random)


def local_function():
    """torch.onnx writes modules as functions of the model."""
    random = drawn()
    body = [node("MatMul", ["a", "b"], ["t"]), node("Relu", ["t"], ["c"])]
    block = helper.make_function(
        "local", "Block", ["a", "b"], ["c"], body, [helper.make_opsetid("", 17)]
    )
    nodes = [node("Block", ["x", "w"], ["h"], domain="local")]
    stored = {"w": weights(random, 64, 32)}
    return _after(nodes, stored, random, functions=[block], domains={"local": 1})


GRAPHS = [
    gemm_with_factors,
    gemm_with_beta_of_zero,
    gemm_with_every_bias,
    gemm_with_a_bias_for_each_row,
    gemm_transposed,
    gemm_with_stored_rows,
    gemm_of_two_inputs,
    gemm_with_a_computed_bias,
    products_of_a_stack,
    shared_layers_and_biases,
    weights_behind_operators,
    constants_for_weights,
    einsum_layers,
    names_that_a_quantizer_makes,
    unnamed_unused_and_copied,
    large_weights_of_no_use,
    local_function,
]
