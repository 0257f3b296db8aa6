"""What the foreign graphs are built with.

random = drawn()
foreign([node("Relu", ["x"], ["y"])], {"x": IMAGE}, {"y": None}, feeds={"x": images(random)})
"""

from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
node = helper.make_node
SAMPLES = 16
IMAGE = ["N", 3, 16, 16]


class Foreign(NamedTuple):
    """A model as an exporter writes it, and inputs for it.

    Attributes:
        model: the graph.
        feeds: arrays by input; samples along the first axis unless `batch_axis` says another.
        batch_axis: the axis of samples, of inputs where it is not the first; None: a scalar or
            lengths that no sample has of its own.
        external: whether its weights belong in another file.
    """

    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]
    batch_axis: dict[str, int | None] = {}  # noqa: RUF012  # never changed
    external: bool = False


def foreign(nodes, inputs, outputs, stored=None, *, feeds, opset=17, ir_version=8, **more):
    """A model and its feeds.

    Args:
        nodes: the operators.
        inputs: shape, or (type, shape), by name; floats where there is no type.
        outputs: the same; a shape of None says nothing.
        stored: initializers by name.
        feeds: arrays by input.
        opset: of the standard operators.
        ir_version: of the file.
        more: `functions`, `domains` by version, `inputs_too` (stored tensors listed as inputs),
            `value_info`.
    """
    stored = {name: np.asarray(array) for name, array in (stored or {}).items()}
    graph = helper.make_graph(
        nodes,
        "graph",
        [_value(*pair) for pair in inputs.items()],
        [_value(*pair) for pair in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
        value_info=[_value(*pair) for pair in more.get("value_info", {}).items()],
    )
    for name in more.get("inputs_too", ()):
        graph.input.append(_value(name, list(stored[name].shape)))
    domains = {"": opset, **more.get("domains", {})}
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*pair) for pair in domains.items()],
        ir_version=ir_version,
        functions=more.get("functions", ()),
    )
    return Foreign(model, feeds)


def drawn(seed=0):
    """Random numbers that are the same in each run."""
    return np.random.default_rng(seed)


def weights(random, *shape):
    """Normal weights that keep the size of activations."""
    fan_in = np.prod(shape[1:]) if len(shape) > 2 else shape[0]
    return (random.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)


def normal(random, *shape):
    """Standard normal numbers."""
    return random.standard_normal(shape).astype(np.float32)


def images(random, samples=SAMPLES):
    """Normal images."""
    return normal(random, samples, 3, 16, 16)


def head(random, name, channels, classes=10):
    """Nodes and weights from feature maps to class scores `y`, as classifiers end."""
    nodes = [
        node("GlobalAveragePool", [name], ["pooled"]),
        node("Flatten", ["pooled"], ["flat"]),
        node("Gemm", ["flat", "head_w", "head_b"], ["y"], transB=1),
    ]
    scale = np.float32(2)
    stored = {
        "head_w": weights(random, channels, classes).T.copy() * scale,
        "head_b": normal(random, classes),
    }
    return nodes, stored


def constant(name, array):
    """A Constant node."""
    return node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(array), name))


def ints(*numbers):
    """A stored list of whole numbers, such as a shape."""
    return np.array(numbers, np.int64)


def convnet(**more):
    """One convolution and a head, with whatever is odd about the file."""
    random = drawn()
    end, stored = head(random, "h", 8)
    stored["w"] = weights(random, 8, 3, 3, 3)
    stored |= more.pop("stored", {})
    nodes = [*more.pop("nodes", [node("Conv", ["x", "w"], ["h"])]), *end, *more.pop("after", [])]
    feeds = more.pop("feeds", {"x": images(random)})
    if more.pop("half", False):
        stored = {name: np.asarray(array, np.float16) for name, array in stored.items()}
    return foreign(
        nodes, more.pop("inputs", {"x": IMAGE}), more.pop("outputs", {"y": ["N", 10]}), stored,
        feeds=feeds, **more,
    )  # fmt: skip


def _value(name, described):
    kind, shape = described if isinstance(described, tuple) else (FLOAT, described)
    return helper.make_tensor_value_info(name, kind, shape)
