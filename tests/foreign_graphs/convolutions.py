"""Convolutional nets as exporters write them."""

import numpy as np
from onnx import TensorProto

from .building import (
    IMAGE,
    SAMPLES,
    constant,
    drawn,
    foreign,
    head,
    images,
    ints,
    node,
    normal,
    weights,
)

SCORES = {"y": ["N", 10]}


def _classifier(nodes, stored, random, *, last="h", channels=8, **more):
    """Feature maps `last` to class scores."""
    end, end_stored = head(random, last, channels)
    return foreign(
        [*nodes, *end], more.pop("inputs", {"x": IMAGE}), more.pop("outputs", SCORES),
        {**stored, **end_stored}, feeds=more.pop("feeds", {"x": images(random)}), **more,
    )  # fmt: skip


def depthwise_separable():
    """MobileNet: depthwise convolutions, ReLU6 as Clip with stored limits."""
    random = drawn()
    stored = {
        "w0": weights(random, 8, 3, 3, 3), "b0": normal(random, 8),
        "dw": weights(random, 8, 1, 3, 3),
        "db": normal(random, 8), "pw": weights(random, 16, 8, 1, 1), "pb": normal(random, 16),
        "low": np.float32(0), "high": np.float32(6),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w0", "b0"], ["a"], strides=[2, 2], pads=[1] * 4),
        node("Clip", ["a", "low", "high"], ["b"]),
        node("Conv", ["b", "dw", "db"], ["c"], group=8, pads=[1] * 4),
        node("Clip", ["c", "low", "high"], ["d"]),
        node("Conv", ["d", "pw", "pb"], ["e"]),
        node("Clip", ["e", "", "high"], ["h"]),
    ]
    return _classifier(nodes, stored, random, channels=16)


def grouped_and_dilated():
    """ResNeXt groups and an atrous convolution, asymmetric pads."""
    random = drawn()
    stored = {
        "w0": weights(random, 8, 3, 3, 3), "w1": weights(random, 8, 2, 3, 3),
        "w2": weights(random, 8, 8, 3, 3),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w0"], ["a"], auto_pad="SAME_UPPER", strides=[2, 2]),
        node("LeakyRelu", ["a"], ["b"], alpha=0.1),
        node("Conv", ["b", "w1"], ["c"], group=4, pads=[0, 1, 2, 1]),
        node("Elu", ["c"], ["d"]),
        node("Conv", ["d", "w2"], ["h"], dilations=[2, 2], pads=[2] * 4),
    ]
    return _classifier(nodes, stored, random)


def grouped_transposed():
    """A transposed convolution with groups and a bias."""
    random = drawn()
    stored = {
        "w0": weights(random, 8, 3, 1, 1), "w": weights(random, 8, 2, 2, 2), "b": normal(random, 8),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w0"], ["c"]),
        node("ConvTranspose", ["c", "w", "b"], ["h"], group=4, strides=[2, 2]),
    ]
    return _classifier(nodes, stored, random)


def u_net():
    """Down, up by a transposed convolution, Concat with the skip; the output is an image."""
    random = drawn()
    stored = {
        "w0": weights(random, 8, 3, 3, 3), "w1": weights(random, 16, 8, 3, 3),
        "w2": weights(random, 16, 8, 2, 2), "w3": weights(random, 2, 16, 1, 1),
        "b2": normal(random, 8),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w0"], ["c0"], pads=[1] * 4),
        node("Relu", ["c0"], ["skip"]),
        node("MaxPool", ["skip"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p", "w1"], ["c1"], pads=[1] * 4),
        node("Relu", ["c1"], ["deep"]),
        node("ConvTranspose", ["deep", "w2", "b2"], ["up"], strides=[2, 2]),
        node("Concat", ["up", "skip"], ["both"], axis=1),
        node("Conv", ["both", "w3"], ["y"]),
    ]
    return foreign(
        nodes, {"x": IMAGE}, {"y": ["N", 2, 16, 16]}, stored, feeds={"x": images(random)}
    )


def sound():
    """Convolutions along time, with no height."""
    random = drawn()
    stored = {
        "w0": weights(random, 16, 2, 5),
        "w1": weights(random, 16, 1, 3),
        "w2": weights(random, 24, 16, 1),
    }
    nodes = [
        node("Conv", ["x", "w0"], ["a"], strides=[2], pads=[2, 2]),
        node("Relu", ["a"], ["b"]),
        node("Conv", ["b", "w1"], ["c"], group=16, pads=[1, 1]),
        node("Conv", ["c", "w2"], ["d"]),
        node("AveragePool", ["d"], ["h"], kernel_shape=[2], strides=[2]),
    ]
    return _classifier(
        nodes, stored, random, channels=24, inputs={"x": ["N", 2, 64]},
        feeds={"x": normal(random, SAMPLES, 2, 64)},
    )  # fmt: skip


def video():
    """Convolutions over time, height and width."""
    random = drawn()
    stored = {"w0": weights(random, 8, 1, 3, 3, 3), "w1": weights(random, 8, 8, 1, 3, 3)}
    nodes = [
        node("Conv", ["x", "w0"], ["a"], pads=[1] * 6),
        node("Relu", ["a"], ["b"]),
        node("Conv", ["b", "w1"], ["h"], pads=[0, 1, 1, 0, 1, 1]),
    ]
    return _classifier(
        nodes, stored, random, inputs={"x": ["N", 1, 4, 8, 8]},
        feeds={"x": normal(random, SAMPLES, 1, 4, 8, 8)},
    )  # fmt: skip


def channels_last():
    """tf2onnx: Transpose around convolutions, Pad for SAME, names with colons."""
    random = drawn()
    stored = {
        "conv/kernel:0": weights(random, 8, 3, 3, 3), "conv/bias:0": normal(random, 8),
        "dense/kernel:0": weights(random, 8 * 8 * 8, 10), "dense/bias:0": normal(random, 10),
        "pads": ints(0, 0, 0, 0, 0, 0, 1, 1), "flat": ints(-1, 512),
    }  # fmt: skip
    nodes = [
        node("Transpose", ["x:0"], ["t"], perm=[0, 3, 1, 2]),
        node("Pad", ["t", "pads"], ["p"], mode="constant"),
        node("Conv", ["p", "conv/kernel:0", "conv/bias:0"], ["c"], strides=[2, 2]),
        node("Transpose", ["c"], ["ct"], perm=[0, 2, 3, 1]),
        node("Relu", ["ct"], ["r"]),
        node("Reshape", ["r", "flat"], ["f"]),
        node("MatMul", ["f", "dense/kernel:0"], ["m"]),
        node("Add", ["m", "dense/bias:0"], ["y:0"]),
    ]
    feeds = {"x:0": normal(random, SAMPLES, 16, 16, 3)}
    return foreign(nodes, {"x:0": ["N", 16, 16, 3]}, {"y:0": ["N", 10]}, stored, feeds=feeds)


def unfolded_batch_norm():
    """A BatchNormalization behind each convolution, one before the first and one behind Concat."""
    random = drawn()
    stored = {
        "w0": weights(random, 8, 3, 3, 3),
        "w1": weights(random, 8, 8, 3, 3),
        "b1": normal(random, 8),
    }
    for name, channels in (("n", 3), ("a", 8), ("b", 8), ("c", 16)):
        stored |= {
            f"{name}s": np.abs(normal(random, channels)) + 0.5,
            f"{name}o": normal(random, channels),
            f"{name}m": normal(random, channels),
            f"{name}v": np.abs(normal(random, channels)) + 0.5,
        }  # fmt: skip

    def norm(taken, name):
        return node("BatchNormalization", [taken, *(name + part for part in "somv")], [f"{name}n"])

    nodes = [
        norm("x", "n"),
        node("Conv", ["nn", "w0"], ["c0"], pads=[1] * 4),
        norm("c0", "a"),
        node("Relu", ["an"], ["r0"]),
        node("Conv", ["r0", "w1", "b1"], ["c1"], pads=[1] * 4),
        norm("c1", "b"),
        node("Concat", ["bn", "r0"], ["both"], axis=1),
        norm("both", "c"),
        node("Relu", ["cn"], ["h"]),
    ]
    return _classifier(nodes, stored, random, channels=16)


def every_pad():
    """Pad by constants, reflection and the edge, and a cropping one."""
    random = drawn()
    stored = {
        "w": weights(random, 8, 3, 3, 3), "w1": weights(random, 8, 8, 3, 3),
        "w2": weights(random, 8, 8, 3, 3),
        "p": ints(0, 0, 1, 1, 0, 0, 1, 1), "crop": ints(0, 0, -1, -1, 0, 0, 0, 0),
        "value": np.float32(0.5),
    }  # fmt: skip
    nodes = [
        node("Pad", ["x", "p"], ["a"], mode="reflect"),
        node("Conv", ["a", "w"], ["b"]),
        node("Pad", ["b", "p"], ["c"], mode="edge"),
        node("Conv", ["c", "w1"], ["d"]),
        node("Pad", ["d", "p", "value"], ["e"]),
        node("Pad", ["e", "crop"], ["f"]),
        node("Conv", ["f", "w2"], ["h"]),
    ]
    return _classifier(nodes, stored, random)


def group_norm():
    """torch.onnx: GroupNorm as Reshape, InstanceNormalization, Reshape, Mul and Add."""
    random = drawn()
    stored = {
        "w": weights(random, 8, 3, 3, 3), "w1": weights(random, 8, 8, 3, 3),
        "groups": ints(0, 2, -1), "ones": np.ones(2, np.float32), "zeros": np.zeros(2, np.float32),
        "scale": np.abs(normal(random, 8, 1, 1)) + 0.5, "shift": normal(random, 8, 1, 1),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
        node("Reshape", ["a", "groups"], ["g"]),
        node("InstanceNormalization", ["g", "ones", "zeros"], ["i"]),
        node("Shape", ["a"], ["shape"]),
        node("Reshape", ["i", "shape"], ["n"]),
        node("Mul", ["n", "scale"], ["m"]),
        node("Add", ["m", "shift"], ["s"]),
        node("Relu", ["s"], ["r"]),
        node("Conv", ["r", "w1"], ["h"], pads=[1] * 4),
    ]
    return _classifier(nodes, stored, random)


def many_operators():
    """PRelu, InstanceNormalization, Resize, LayerNormalization and Softmax over channels."""
    random = drawn()
    stored = {
        "w": weights(random, 8, 3, 3, 3), "slope": np.full((8, 1, 1), 0.2, np.float32),
        "is": np.ones(8, np.float32), "ib": normal(random, 8),
        "sizes": np.array([1, 1, 2, 2], np.float32),
        "ls": np.ones(32, np.float32), "lb": normal(random, 32), "roi": np.zeros(0, np.float32),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
        node("PRelu", ["a", "slope"], ["b"]),
        node("InstanceNormalization", ["b", "is", "ib"], ["c"]),
        node("Resize", ["c", "roi", "sizes"], ["d"], mode="linear"),
        node("LayerNormalization", ["d", "ls", "lb"], ["e"]),
        node("Softmax", ["e"], ["s"], axis=1),
        node("Mul", ["s", "d"], ["h"]),
    ]
    return _classifier(nodes, stored, random)


def squeeze_and_excite():
    """EfficientNet: SiLU as Sigmoid and Mul, a gate by channel, HardSwish."""
    random = drawn()
    stored = {
        "w0": weights(random, 8, 3, 3, 3), "r": weights(random, 4, 8, 1, 1),
        "rb": normal(random, 4),
        "e": weights(random, 8, 4, 1, 1), "eb": normal(random, 8),
        "w1": weights(random, 8, 8, 1, 1),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w0"], ["c"], pads=[1] * 4),
        node("Sigmoid", ["c"], ["cs"]),
        node("Mul", ["c", "cs"], ["silu"]),
        node("ReduceMean", ["silu"], ["mean"], axes=[2, 3]),
        node("Conv", ["mean", "r", "rb"], ["q"]),
        node("HardSwish", ["q"], ["qh"]),
        node("Conv", ["qh", "e", "eb"], ["g"]),
        node("Sigmoid", ["g"], ["gate"]),
        node("Mul", ["gate", "silu"], ["gated"]),
        node("Conv", ["gated", "w1"], ["h"]),
    ]
    return _classifier(nodes, stored, random)


def detection_head():
    """YOLO: two scales, Concat, Resize, Split, Slice, a grid; boxes and scores in one tensor."""
    random = drawn()
    stored = {
        "w0": weights(random, 8, 3, 3, 3), "w1": weights(random, 8, 8, 3, 3),
        "w2": weights(random, 14, 16, 1, 1), "b2": normal(random, 14),
        "sizes": np.array([1, 1, 2, 2], np.float32), "rows": ints(0, 14, 64),
        "parts": ints(2, 2, 10), "grid": normal(random, 1, 2, 64) * 4 + 8,
        "two": np.float32(2), "anchors": np.full((1, 2, 1), 6, np.float32),
        "begin": ints(0), "end": ints(2), "axis": ints(1),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w0"], ["a"], strides=[2, 2], pads=[1] * 4),
        node("Sigmoid", ["a"], ["as"]),
        node("Mul", ["a", "as"], ["b"]),
        node("Conv", ["b", "w1"], ["c"], strides=[2, 2], pads=[1] * 4),
        node("Resize", ["c", "", "sizes"], ["up"], mode="nearest"),
        node("Concat", ["up", "b"], ["both"], axis=1),
        node("Conv", ["both", "w2", "b2"], ["o"]),
        node("Reshape", ["o", "rows"], ["flat"]),
        node("Sigmoid", ["flat"], ["s"]),
        node("Split", ["s", "parts"], ["xy", "wh", "scores"], axis=1),
        node("Slice", ["grid", "begin", "end", "axis"], ["cells"]),
        node("Mul", ["xy", "two"], ["xy2"]),
        node("Add", ["xy2", "cells"], ["centres"]),
        node("Pow", ["wh", "two"], ["wh2"]),
        node("Mul", ["wh2", "anchors"], ["extents"]),
        node("Concat", ["centres", "extents", "scores"], ["y"], axis=1),
    ]
    return foreign(nodes, {"x": IMAGE}, {"y": ["N", 14, 64]}, stored, feeds={"x": images(random)})


def suppressed_boxes():
    """The same with NonMaxSuppression and TopK in the file: as many rows as there are boxes."""
    random = drawn()
    stored = {
        "w0": weights(random, 8, 3, 3, 3), "w1": weights(random, 4, 8, 1, 1),
        "w2": weights(random, 3, 8, 1, 1),
        "boxes": ints(1, 4, 64), "classes": ints(1, 3, 64), "most": ints(5), "iou": np.float32(0.5),
        "least": np.float32(0.3), "k": ints(5),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w0"], ["a"], strides=[2, 2], pads=[1] * 4),
        node("Relu", ["a"], ["b"]),
        node("Conv", ["b", "w1"], ["o"]),
        node("Reshape", ["o", "boxes"], ["flat"]),
        node("Transpose", ["flat"], ["corners"], perm=[0, 2, 1]),
        node("Conv", ["b", "w2"], ["q"]),
        node("Reshape", ["q", "classes"], ["logits"]),
        node("Sigmoid", ["logits"], ["scores"]),
        node("NonMaxSuppression", ["corners", "scores", "most", "iou", "least"], ["kept"]),
        node("TopK", ["scores", "k"], ["best", "places"], axis=2),
    ]
    outputs = {"kept": (TensorProto.INT64, None), "best": None, "places": (TensorProto.INT64, None)}
    return foreign(nodes, {"x": [1, 3, 16, 16]}, outputs, stored, feeds={"x": images(random)})


def super_resolution():
    """uint8 pixels in, uint8 pixels out, DepthToSpace; any height and width."""
    random = drawn()
    stored = {
        "w0": weights(random, 16, 3, 3, 3), "w1": weights(random, 12, 16, 3, 3),
        "scale": np.float32(255), "zero": np.float32(0),
    }  # fmt: skip
    nodes = [
        node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        node("Div", ["f", "scale"], ["n"]),
        node("Conv", ["n", "w0"], ["a"], pads=[1] * 4),
        node("Relu", ["a"], ["r"]),
        node("Conv", ["r", "w1"], ["c"], pads=[1] * 4),
        node("DepthToSpace", ["c"], ["d"], blocksize=2),
        node("Mul", ["d", "scale"], ["m"]),
        node("Clip", ["m", "zero", "scale"], ["limited"]),
        node("Cast", ["limited"], ["y"], to=TensorProto.UINT8),
    ]
    feeds = {"x": random.integers(0, 256, (SAMPLES, 3, 12, 20)).astype(np.uint8)}
    ends = {"x": (TensorProto.UINT8, ["N", 3, "H", "W"])}, {"y": (TensorProto.UINT8, None)}
    return foreign(nodes, *ends, stored, feeds=feeds)


def shared_convolution():
    """A detection head over three scales: one set of weights, one bias, used at each."""
    random = drawn()
    stored = {"w": weights(random, 3, 3, 3, 3), "b": normal(random, 3), "k": np.float32(50)}
    nodes = [
        node("Conv", ["x", "w", "b"], ["a"], pads=[1] * 4),
        node("Relu", ["a"], ["r"]),
        node("Mul", ["r", "k"], ["large"]),
        node("Conv", ["large", "w", "b"], ["c"], pads=[1] * 4),
        node("Conv", ["r", "w", "b"], ["d"], pads=[1] * 4),
        node("Add", ["c", "d"], ["h"]),
    ]
    return _classifier(nodes, stored, random, channels=3)


def computed_kernel():
    """A convolution whose weights are computed from the input, beside one with stored ones."""
    random = drawn()
    stored = {
        "w0": weights(random, 8, 3, 3, 3), "mix": weights(random, 8, 8), "shape": ints(8, 8, 1, 1),
        "first": ints(0),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w0"], ["a"], pads=[1] * 4),
        node("ReduceMean", ["a"], ["m"], axes=[0, 2, 3], keepdims=0),
        node("Mul", ["mix", "m"], ["k"]),
        node("Reshape", ["k", "shape"], ["kernel"]),
        node("Conv", ["a", "kernel"], ["h"]),
    ]
    return _classifier(nodes, stored, random)


def paddle_convolutions():
    """Paddle: Constant weights, BatchNormalization, HardSigmoid, Constant shapes."""
    random = drawn()
    nodes = [
        constant("w", weights(random, 8, 3, 3, 3)),
        *(constant(f"n{i}", np.abs(normal(random, 8)) + 0.5) for i in range(4)),
        node("Conv", ["x", "w"], ["a"], pads=[1] * 4),
        node("BatchNormalization", ["a", "n0", "n1", "n2", "n3"], ["b"]),
        node("HardSigmoid", ["b"], ["g"], alpha=1 / 6),
        node("Mul", ["b", "g"], ["r"]),
        constant("v", weights(random, 8, 1, 3, 3)),
        node("Conv", ["r", "v"], ["c"], group=8, pads=[1] * 4),
        constant("shape", ints(0, 512)),
        node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Reshape", ["p", "shape"], ["f"]),
        constant("u", weights(random, 512, 10)),
        node("MatMul", ["f", "u"], ["l"]),
        node("Softmax", ["l"], ["y"], axis=-1),
    ]
    return foreign(nodes, {"x": IMAGE}, SCORES, feeds={"x": images(random)}, opset=11, ir_version=6)


GRAPHS = [
    depthwise_separable,
    grouped_and_dilated,
    grouped_transposed,
    u_net,
    sound,
    video,
    channels_last,
    unfolded_batch_norm,
    every_pad,
    group_norm,
    many_operators,
    squeeze_and_excite,
    detection_head,
    suppressed_boxes,
    super_resolution,
    shared_convolution,
    computed_kernel,
    paddle_convolutions,
]
