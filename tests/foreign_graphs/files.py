"""Types, versions, control flow, outputs and states of a file that few models have."""

import numpy as np
from onnx import TensorProto, helper

from .building import IMAGE, SAMPLES, convnet, drawn, foreign, images, node, normal, weights

SCORES = {"y": ["N", 10]}


def opset_7():
    """A file of 2018."""
    random = drawn()
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("BatchNormalization", ["a", "s", "o", "m", "v"], ["b"]),
        node("Upsample", ["b"], ["c"], mode="nearest", scales=[1.0, 1.0, 2.0, 2.0]),
        node("Clip", ["c"], ["d"], min=0.0, max=6.0),
        node("Pad", ["d"], ["h"], pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="constant", value=0.0),
    ]
    ones = np.ones(8, np.float32)
    stored = {"s": ones, "o": normal(random, 8), "m": normal(random, 8), "v": ones * 2}
    made = convnet(nodes=nodes, stored=stored, opset=8, ir_version=3)
    made.model.opset_import[0].version = 7
    for value in made.model.graph.initializer:
        made.model.graph.input.append(
            helper.make_tensor_value_info(value.name, value.data_type, value.dims)
        )
    return made


def opset_9():
    """A file of 2019."""
    return convnet(opset=9, ir_version=4)


def opset_10():
    """The first with QuantizeLinear."""
    return convnet(opset=10, ir_version=5)


def opset_24():
    """Newer than what the quantizer knows."""
    return convnet(opset=24, ir_version=11)


def newer_than_the_runtime():
    """A file of a version that no runtime reads yet."""
    return convnet(ir_version=99)


def initializers_among_the_inputs():
    """Files before 2019 list each weight as an input too."""
    return convnet(opset=11, ir_version=3, inputs_too=("w", "head_w", "head_b"))


def odd_names():
    """Names with quotes, spaces, slashes and letters that are not English."""
    random = drawn()
    nodes = [
        node("Conv", ["x", "w:0"], ["a b/c"], name="a/b:0 é\"'"),
        node("Relu", ["a b/c"], ["h"], name="../../x"),
    ]
    return convnet(nodes=nodes, stored={"w:0": weights(random, 8, 3, 3, 3)})


def one_image_a_run():
    """The first axis is fixed at 1."""
    return convnet(inputs={"x": [1, 3, 16, 16]}, outputs={"y": [1, 10]})


def four_images_a_run():
    """The first axis is fixed at 4."""
    return convnet(inputs={"x": [4, 3, 16, 16]}, outputs={"y": [4, 10]})


def negative_extents():
    """Axes of -1, as some converters write what is unknown."""
    return convnet(inputs={"x": [-1, 3, 16, 16]}, outputs={"y": [-1, 10]})


def no_ranks():
    """Inputs and outputs of which not even the number of axes is said."""
    return convnet(inputs={"x": None}, outputs={"y": None})


def wrong_shapes_inside():
    """Shapes of inner tensors that were left over from another batch."""
    return convnet(value_info={"h": [7, 8, 14, 14], "flat": [7, 8]})


def external_data():
    """Weights in a file beside the model."""
    return convnet()._replace(external=True)


def half_floats():
    """Everything in float16."""
    kind = TensorProto.FLOAT16
    return convnet(
        half=True, inputs={"x": (kind, IMAGE)}, outputs={"y": (kind, ["N", 10])},
        feeds={"x": images(drawn(1)).astype(np.float16)},
    )  # fmt: skip


def doubles():
    """scikit-learn pipelines: everything in float64."""
    random = drawn()
    stored = {
        "mean": normal(random, 64).astype(np.float64),
        "w": weights(random, 64, 10).astype(np.float64),
    }
    nodes = [node("Sub", ["x", "mean"], ["c"]), node("MatMul", ["c", "w"], ["y"])]
    feeds = {"x": random.standard_normal((SAMPLES, 64))}
    kind = TensorProto.DOUBLE
    return foreign(nodes, {"x": (kind, ["N", 64])}, {"y": (kind, ["N", 10])}, stored, feeds=feeds)


def bytes_in():
    """Pixels as they are: uint8, cast and scaled in the file."""
    random = drawn()
    nodes = [
        node("Cast", ["x"], ["c"], to=TensorProto.FLOAT),
        node("Mul", ["c", "k"], ["s"]),
        node("Conv", ["s", "w"], ["h"]),
    ]
    return convnet(
        nodes=nodes, stored={"k": np.float32(1 / 255)}, inputs={"x": (TensorProto.UINT8, IMAGE)},
        feeds={"x": random.integers(0, 256, (SAMPLES, 3, 16, 16)).astype(np.uint8)},
    )  # fmt: skip


def image_and_mask():
    """Two inputs, one of bool."""
    random = drawn()
    nodes = [
        node("Cast", ["m"], ["mc"], to=TensorProto.FLOAT),
        node("Mul", ["x", "mc"], ["xm"]),
        node("Conv", ["xm", "w"], ["h"]),
    ]
    return convnet(
        nodes=nodes, inputs={"x": IMAGE, "m": (TensorProto.BOOL, ["N", 1, 16, 16])},
        feeds={"x": images(random), "m": random.random((SAMPLES, 1, 16, 16)) < 0.5},
    )  # fmt: skip


def image_and_table():
    """An image and numbers about it, joined."""
    random = drawn()
    stored = {
        "w": weights(random, 8, 3, 3, 3),
        "t": weights(random, 5, 8),
        "last": weights(random, 16, 1),
    }
    nodes = [
        node("Conv", ["image", "w"], ["a"]),
        node("GlobalAveragePool", ["a"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["numbers", "t"], ["n"]),
        node("Concat", ["f", "n"], ["both"], axis=1),
        node("Relu", ["both"], ["r"]),
        node("MatMul", ["r", "last"], ["price"]),
    ]
    feeds = {"image": images(random), "numbers": normal(random, SAMPLES, 5)}
    ends = {"image": IMAGE, "numbers": ["N", 5]}, {"price": ["N", 1]}
    return foreign(nodes, *ends, stored, feeds=feeds)


def strings_in():
    """Categories as text."""
    random = drawn()
    nodes = [
        node("LabelEncoder", ["s"], ["k"], domain="ai.onnx.ml", keys_strings=["a", "b"],
             values_floats=[1.0, 2.0], default_float=0.0),
        node("MatMul", ["k", "w"], ["y"]),
    ]  # fmt: skip
    feeds = {"s": np.full((SAMPLES, 4), "a")}
    return foreign(
        nodes, {"s": (TensorProto.STRING, ["N", 4])}, SCORES, {"w": weights(random, 4, 10)},
        feeds=feeds, domains={"ai.onnx.ml": 3},
    )  # fmt: skip


def linear_classifier():
    """skl2onnx: Scaler and LinearClassifier; nothing that has weights as a tensor."""
    random = drawn()
    nodes = [
        node("Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.0] * 8, scale=[2.0] * 8),
        node("LinearClassifier", ["s"], ["label", "p"], domain="ai.onnx.ml",
             coefficients=normal(random, 24).tolist(), intercepts=[0.0] * 3,
             post_transform="SOFTMAX",
             classlabels_ints=[0, 1, 2]),
    ]  # fmt: skip
    ends = {"x": ["N", 8]}, {"label": (TensorProto.INT64, ["N"]), "p": ["N", 3]}
    feeds = {"x": normal(random, SAMPLES, 8)}
    return foreign(nodes, *ends, feeds=feeds, domains={"ai.onnx.ml": 1})


def custom_operator():
    """An operator that no runtime here has."""
    return convnet(nodes=[node("Weird", ["x"], ["h"], domain="acme")], domains={"acme": 1})


def operators_of_the_runtime():
    """Products between operators that only the runtime has; onnx infers no type behind them."""
    random, ours = drawn(), "com.microsoft"
    stored = {f"w{i}": weights(random, 16, 16) for i in range(4)}
    stored |= {"b": normal(random, 16), "g": normal(random, 16)}
    nodes = [
        node("MatMul", ["x", "w0"], ["a"]),
        node("FusedGemm", ["a", "w1", "b"], ["f"], domain=ours, activation="Relu"),
        node("MatMul", ["f", "w2"], ["m"]),
        node("BiasGelu", ["m", "g"], ["h"], domain=ours),
        node("MatMul", ["h", "w3"], ["y"]),
    ]
    feeds = {"x": normal(random, SAMPLES, 16)}
    return foreign(
        nodes, {"x": ["N", 16]}, {"y": ["N", 16]}, stored, feeds=feeds, domains={ours: 1}
    )


def training_left_on():
    """Dropout and BatchNormalization as in training, as a wrong export leaves them."""
    random = drawn()
    nodes = [
        node("Conv", ["x", "w"], ["a"]),
        node("Dropout", ["a", "ratio", "on"], ["h"]),
    ]
    stored = {"ratio": np.float32(0.5), "on": np.array(True), "w": weights(random, 8, 3, 3, 3)}
    return convnet(nodes=nodes, stored=stored)


GRAPHS = [
    opset_7,
    opset_9,
    opset_10,
    opset_24,
    newer_than_the_runtime,
    initializers_among_the_inputs,
    odd_names,
    one_image_a_run,
    four_images_a_run,
    negative_extents,
    no_ranks,
    wrong_shapes_inside,
    external_data,
    half_floats,
    doubles,
    bytes_in,
    image_and_mask,
    image_and_table,
    strings_in,
    linear_classifier,
    custom_operator,
    operators_of_the_runtime,
    training_left_on,
]
