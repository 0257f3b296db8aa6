"""A softmax or a sigmoid behind a finished ``.onnx`` file, which then gives probabilities.

>>> append(Path("int8-static.onnx"), "softmax")                           # doctest: +SKIP
"""

from pathlib import Path

import onnx
from onnx import helper

from .interface import PROBABILITIES, Activation

_OPERATORS: dict[Activation, str] = {"softmax": "Softmax", "sigmoid": "Sigmoid"}
"""Softmax works along the last axis by its own default."""


def append(path: Path, activation: Activation) -> None:
    """Rewrite a file so that it gives probabilities.

    It stands behind the layers of a finished file. So every method of compression works on logits,
    as its losses and ranges are meant, and the softmax is computed in float.

    Args:
        path: a file with one output [n, outputs].
        activation: what makes probabilities of it.
    """
    model = onnx.load(path)
    graph = model.graph
    (output,) = graph.output
    graph.value_info.add().CopyFrom(output)
    kind = _OPERATORS[activation]
    graph.node.append(helper.make_node(kind, [output.name], [PROBABILITIES], name=activation))
    output.name = PROBABILITIES
    path.write_bytes(model.SerializeToString(deterministic=True))
