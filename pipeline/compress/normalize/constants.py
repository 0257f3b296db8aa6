"""Whatever depends on no input becomes an initializer.

fold(editor, Path("scratch"))

Exporters store weights as Constant nodes (Paddle), behind a Transpose, a Cast or a Reshape (older
torch), or compute shapes from constants. A method sees initializers only. The runtime itself
computes the values, without optimization, so that they are the same bit by bit.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, numpy_helper

from ....devices.onboard.model.graph import inner_graphs
from ....devices.onboard.runtimes import load
from ....devices.onboard.settings import Session
from ....errors import ModelError
from .editing import STANDARD, Editor, read_inside

_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial",
           "Bernoulli", "Dropout")  # fmt: skip
_SEQUENCES = ("SequenceEmpty", "SequenceConstruct", "SplitToSequence", "Optional")
_GROWTH = 4
"""Times its sources that a folded tensor may take."""
_SMALL_BYTES = 1 << 16
"""A folded tensor may always take so many: shapes, masks, ranges."""


def fold(editor: Editor, folder: Path) -> int:
    """Replace operators that depend on no input by their values.

    Args:
        editor: of the model.
        folder: for a file that is gone afterwards.

    Returns:
        The number of operators replaced. Those that would make the file much larger, and those
        that the runtime cannot compute, stay.
    """
    large: set[str] = set()
    while True:
        nodes = _constant_nodes(editor, large)
        wanted = _read_outside(editor, nodes)
        values = _computed(editor, nodes, wanted, folder) if wanted else {}
        too_large = _too_large(editor, nodes, values)
        if not too_large:
            break
        large |= too_large
    for name, value in values.items():
        editor.graph.initializer.append(value)
        value.name = name
    gone = {id(node) for node in nodes} if values or not wanted else set()
    editor.replace_nodes(node for node in editor.graph.node if id(node) not in gone)
    return len(gone)


def _constant_nodes(editor: Editor, large: set[str]) -> list[NodeProto]:
    outputs = {value.name for value in editor.graph.output}
    known = set(editor.stored)
    found = []
    for node in editor.graph.node:
        if (
            node.domain in STANDARD
            and node.op_type not in (*_RANDOM, *_SEQUENCES)
            and not node.op_type.endswith(("QuantizeLinear", "DequantizeLinear"))
            and not any(inner_graphs(node))
            and all(name in known for name in node.input if name)
            and outputs.isdisjoint(node.output)
            and not large.intersection(node.output)
        ):
            found.append(node)
            known |= set(node.output)
    return found


def _read_outside(editor: Editor, nodes: Sequence[NodeProto]) -> list[str]:
    """What the other operators read of those that are folded."""
    folded = {id(node) for node in nodes}
    read = {n for node in editor.graph.node if id(node) not in folded for n in node.input}
    read |= read_inside(editor.graph)
    return sorted({name for node in nodes for name in node.output if name in read and name})


def _computed(
    editor: Editor, nodes: Sequence[NodeProto], wanted: Sequence[str], folder: Path
) -> dict[str, onnx.TensorProto]:
    """The values, from the runtime; none if it cannot compute them."""
    read = {name for node in nodes for name in node.input}
    part = onnx.ModelProto(
        ir_version=editor.model.ir_version, opset_import=editor.model.opset_import
    )
    part.graph.name = "constants"
    part.graph.node.extend(nodes)
    part.graph.initializer.extend(t for name, t in editor.stored.items() if name in read)
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    file = folder / "constants.onnx"
    file.write_bytes(part.SerializeToString())
    try:
        values = load(file, Session(optimization="none")).answer({})
    except ModelError:
        return {}
    finally:
        file.unlink()
    return {
        name: numpy_helper.from_array(np.asarray(value), name)
        for name, value in zip(wanted, values, strict=True)
    }


def _too_large(
    editor: Editor, nodes: Sequence[NodeProto], values: dict[str, onnx.TensorProto]
) -> set[str]:
    stored = {name: tensor.ByteSize() for name, tensor in editor.stored.items()}
    sources = dict(stored)
    for node in nodes:
        own = sum(sources.get(name, 0) for name in node.input) + node.ByteSize()
        sources |= dict.fromkeys(node.output, own)
    return {
        name
        for name, value in values.items()
        if value.ByteSize() > max(_SMALL_BYTES, _GROWTH * sources[name])
    }
