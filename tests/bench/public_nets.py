"""Nets that vendors publish latencies of: their architecture, random weights, straight to ONNX.

    save("googlenet", Path("googlenet.onnx"))

Batch norm is folded, as every runtime folds it. Sources: the definitions of torchvision, and
Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB for UltraFace RFB-320.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """An ONNX graph that is written layer by layer; a tensor is its name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.channels = {"input": 3}
        self._random = np.random.default_rng(0)

    def add(self, op: str, *inputs: str, channels: int, **attributes: object) -> str:
        """A node; the name of its output."""
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        self.channels[name] = channels
        return name

    def weight(self, *shape: int) -> str:
        """A tensor of random weights; its fan-in keeps activations near 1."""
        scale = np.sqrt(2.0 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
        array = (self._random.standard_normal(shape) * scale).astype(np.float32)
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def conv(
        self,
        x: str,
        channels: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        dilation: int = 1,
        pad: bool = True,
        relu: bool = True,
    ) -> str:
        """A convolution with a bias, padded to keep the extents, and a ReLU."""
        high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        pads = [dilation * (high // 2) * pad, dilation * (wide // 2) * pad] * 2
        into = self.channels[x] // groups
        found = self.add(
            "Conv",
            x,
            self.weight(channels, into, high, wide),
            self.weight(channels),
            channels=channels,
            kernel_shape=[high, wide],
            strides=[stride, stride],
            pads=pads,
            group=groups,
            dilations=[dilation, dilation],
        )
        return self.relu(found) if relu else found

    def relu(self, x: str) -> str:
        """ReLU."""
        return self.add("Relu", x, channels=self.channels[x])

    def plus(self, a: str, b: str) -> str:
        """A residual connection and a ReLU."""
        return self.relu(self.add("Add", a, b, channels=self.channels[a]))

    def pool(self, x: str, kernel: int, stride: int, pad: int = 0, *, average: bool = False) -> str:
        """Pooling; of extents that do not divide the rest is dropped."""
        return self.add(
            "AveragePool" if average else "MaxPool",
            x,
            channels=self.channels[x],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def concat(self, *xs: str) -> str:
        """Side by side, by channel."""
        return self.add("Concat", *xs, channels=sum(self.channels[x] for x in xs), axis=1)

    def classifier(self, x: str) -> str:
        """The mean over places and 1,000 classes."""
        mean = self.add("GlobalAveragePool", x, channels=self.channels[x])
        flat = self.add("Flatten", mean, channels=self.channels[x])
        weight, bias = self.weight(1000, self.channels[x]), self.weight(1000)
        return self.add("Gemm", flat, weight, bias, channels=1000, transB=1)


def googlenet(g: Graph) -> str:
    """GoogLeNet (Szegedy et al. 2015, table 1), with torchvision's 3x3 in place of 5x5."""

    def inception(x: str, *of: int) -> str:
        one, three_in, three, five_in, five, pooled = of
        return g.concat(
            g.conv(x, one),
            g.conv(g.conv(x, three_in), three, 3),
            g.conv(g.conv(x, five_in), five, 3),
            g.conv(g.pool(x, 3, 1, 1), pooled),
        )

    x = g.pool(g.conv("input", 64, 7, 2), 3, 2, 1)
    x = g.pool(g.conv(g.conv(x, 64), 192, 3), 3, 2, 1)
    x = inception(inception(x, 64, 96, 128, 16, 32, 32), 128, 128, 192, 32, 96, 64)
    x = g.pool(x, 3, 2, 1)
    for of in (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ):
        x = inception(x, *of)
    x = g.pool(x, 2, 2)
    x = inception(inception(x, 256, 160, 320, 32, 128, 128), 384, 192, 384, 48, 128, 128)
    return g.classifier(x)


def resnet(
    blocks: tuple[int, ...], *, bottleneck: bool = True, wide: int = 1
) -> Callable[[Graph], str]:
    """A ResNet (He et al. 2016), or a Wide ResNet with inner layers as many times as wide."""

    def build(g: Graph) -> str:
        x = g.pool(g.conv("input", 64, 7, 2), 3, 2, 1)
        for stage, count in enumerate(blocks):
            planes = 64 << stage
            for block in range(count):
                stride = 2 if stage and not block else 1
                channels = planes * 4 if bottleneck else planes
                same = g.channels[x] == channels and stride == 1
                aside = x if same else g.conv(x, channels, 1, stride, relu=False)
                if bottleneck:
                    inner = g.conv(g.conv(x, planes * wide), planes * wide, 3, stride)
                    inner = g.conv(inner, channels, relu=False)
                else:
                    inner = g.conv(g.conv(x, planes, 3, stride), planes, 3, relu=False)
                x = g.plus(inner, aside)
        return g.classifier(x)

    return build


def inception_v3(g: Graph) -> str:
    """Inception-v3 (Szegedy et al. 2016), of 299x299, without the auxiliary classifier."""

    def a(x: str, pooled: int) -> str:
        double = g.conv(g.conv(g.conv(x, 64), 96, 3), 96, 3)
        mean = g.pool(x, 3, 1, 1, average=True)
        return g.concat(g.conv(x, 64), g.conv(g.conv(x, 48), 64, 5), double, g.conv(mean, pooled))

    def b(x: str) -> str:
        double = g.conv(g.conv(g.conv(x, 64), 96, 3), 96, 3, 2, pad=False)
        return g.concat(g.conv(x, 384, 3, 2, pad=False), double, g.pool(x, 3, 2))

    def c(x: str, inner: int) -> str:
        seven = g.conv(g.conv(g.conv(x, inner), inner, (1, 7)), 192, (7, 1))
        double = g.conv(g.conv(g.conv(x, inner), inner, (7, 1)), inner, (1, 7))
        double = g.conv(g.conv(double, inner, (7, 1)), 192, (1, 7))
        mean = g.pool(x, 3, 1, 1, average=True)
        return g.concat(g.conv(x, 192), seven, double, g.conv(mean, 192))

    def d(x: str) -> str:
        seven = g.conv(g.conv(g.conv(x, 192), 192, (1, 7)), 192, (7, 1))
        return g.concat(
            g.conv(g.conv(x, 192), 320, 3, 2, pad=False),
            g.conv(seven, 192, 3, 2, pad=False),
            g.pool(x, 3, 2),
        )

    def e(x: str) -> str:
        three = g.conv(x, 384)
        double = g.conv(g.conv(x, 448), 384, 3)
        sides = [g.conv(side, 384, k) for side in (three, double) for k in ((1, 3), (3, 1))]
        mean = g.pool(x, 3, 1, 1, average=True)
        return g.concat(g.conv(x, 320), *sides, g.conv(mean, 192))

    x = g.conv(g.conv("input", 32, 3, 2, pad=False), 32, 3, pad=False)
    x = g.pool(g.conv(x, 64, 3), 3, 2)
    x = g.pool(g.conv(g.conv(x, 80), 192, 3, pad=False), 3, 2)
    x = b(a(a(a(x, 32), 64), 64))
    for inner in (128, 160, 160, 192):
        x = c(x, inner)
    return g.classifier(e(e(d(x))))


def ultraface_rfb(g: Graph) -> str:
    """The backbone and the heads of UltraFace RFB-320, of 320x240; its boxes side by side."""

    def apart(x: str, channels: int, stride: int = 1, *, relu: bool = True) -> str:
        same = g.channels[x]
        deep = g.conv(x, same, 3, stride, groups=same)
        return g.conv(deep, channels, relu=relu)

    def rfb(x: str) -> str:
        few = g.channels[x] // 8
        branches = [
            g.conv(g.conv(g.conv(x, few, relu=False), 2 * few, 3), 2 * few, 3, dilation=2,
                   relu=False),
            g.conv(g.conv(g.conv(x, few, relu=False), 2 * few, 3), 2 * few, 3, dilation=3,
                   relu=False),
            g.conv(g.conv(g.conv(g.conv(x, few, relu=False), few * 3 // 2, 3), 2 * few, 3),
                   2 * few, 3, dilation=5, relu=False),
        ]  # fmt: skip
        return g.plus(g.conv(g.concat(*branches), 64, relu=False), g.conv(x, 64, relu=False))

    def heads(x: str, boxes: int) -> list[str]:
        found = [apart(x, boxes * outputs, relu=False) for outputs in (2, 4)]
        return [g.add("Flatten", one, channels=1) for one in found]

    x = apart(g.conv("input", 16, 3, 2), 32)
    x = apart(apart(x, 32, 2), 32)
    x = apart(apart(apart(x, 64, 2), 64), 64)
    x = rfb(x)
    first = heads(x, 3)
    x = apart(apart(apart(x, 128, 2), 128), 128)
    second = heads(x, 2)
    x = apart(apart(x, 256, 2), 256)
    third = heads(x, 2)
    x = apart(g.conv(x, 64), 256, 2)
    return g.concat(*first, *second, *third, *heads(x, 3))


NETS: dict[str, tuple[Callable[[Graph], str], tuple[int, int]]] = {
    "googlenet": (googlenet, (224, 224)),
    "resnet18": (resnet((2, 2, 2, 2), bottleneck=False), (224, 224)),
    "resnet50": (resnet((3, 4, 6, 3)), (224, 224)),
    "wide_resnet50_2": (resnet((3, 4, 6, 3), wide=2), (224, 224)),
    "inception_v3": (inception_v3, (299, 299)),
    "ultraface_rfb_320": (ultraface_rfb, (240, 320)),
}
"""By name: what builds it, and the height and width of its input."""


def save(name: str, path: Path) -> None:
    """Write one of the nets, of one sample."""
    build, extents = NETS[name]
    g = Graph()
    build(g)
    g.nodes[-1].output[0] = "output"
    ends = (
        helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, *extents]),
        helper.make_tensor_value_info("output", TensorProto.FLOAT, None),
    )
    graph = helper.make_graph(g.nodes, name, [ends[0]], [ends[1]], g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
