"""A model while its weights are replaced by packed ones.

packed = PackedModel(model)
packed.front.append(unpacking_node)
packed.save(source, target, weights, "int8", "unpacked to float when it is loaded")
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ....errors import NoEffectError
from ..method import Effect
from ..normalize.names import apart, together
from .packable import SMALLEST, Weight, layers_with_weights


class PackedModel:
    """A model, the nodes that unpack its weights, and the nodes that replace others.

    Its names are marked until it is saved, so that what is named after them is new.

    Attributes:
        model: the model.
        front: nodes to add before all others.
        replacements: new nodes, by the first output of the node that they replace.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self._names = apart(model)
        self.front: list[onnx.NodeProto] = []
        self.replacements: dict[str, list[onnx.NodeProto]] = {}

    def store(self, name: str, array: NDArray[Any]) -> str:
        """Add a stored tensor and return its name."""
        self.model.graph.initializer.append(
            numpy_helper.from_array(np.ascontiguousarray(array), name)
        )
        return name

    def save(
        self, source: Path, target: Path, weights: tuple[Weight, ...], kind: str, how: str
    ) -> Effect:
        """Write the file and describe the change.

        Args:
            source: the fp32 file.
            target: the file to write.
            weights: the weights that were packed.
            kind: `int8` or `int4`.
            how: how the weights are stored or unpacked, for the report.

        Raises:
            NoEffectError: no weight was packed.
        """
        graph = self.model.graph
        layers = layers_with_weights(onnx.load(source).graph)
        changed = sum(len(weight.nodes) for weight in weights)
        if not changed:
            raise NoEffectError(
                found=f"{kind}-weights changed none of {len(graph.node)} nodes",
                expected=f"a layer with at least {SMALLEST} constant float32 weights",
                where="compress.variants",
                fix=f"leave '{kind}-weights' out of compress.variants",
            )
        nodes = [*self.front]
        for node in graph.node:
            nodes += self.replacements.get(node.output[0], [node])
        del graph.node[:]
        graph.node.extend(nodes)
        together(self.model, self._names)
        target.write_bytes(self.model.SerializeToString(deterministic=True))
        before, after = source.stat().st_size, target.stat().st_size
        return Effect(
            changed,
            (
                f"weights of {changed} of {layers} layers in {kind}, computed in float",
                f"{how}; the file takes {after} bytes instead of {before}",
            ),
        )
