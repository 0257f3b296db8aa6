"""Compute layers of a Q/DQ file in float again, whichever tool quantized the file.

    >>> leave_in_float(Path("int8.onnx"), Path("fp32.onnx"), ["conv1"], Path("mixed.onnx"))
    ... # doctest: +SKIP
    1

A layer left in float reads its weights from the fp32 file. Where its input is computed in float
too, it reads it without the Q and DQ in between. What its int8 neighbours read stays quantized.

Excluding a layer when quantizing is not enough: onnxruntime 1.32 quantizes the float weights of a
convolution between a DQ and a Q itself when it loads the file. `FloatEdit` describes how that is
prevented.
"""

from collections.abc import Sequence
from pathlib import Path

from ...devices.onboard.model.modelfile import load_whole, printable
from ...devices.onboard.model.shapes import inlined
from ...devices.operators.wiring import CONVERSIONS, shown
from ...errors import ModelError, NoEffectError, UsageError
from ..engine.store import write_atomic
from .float_edit import FloatEdit

_MOST_NAMED = 5


def leave_in_float(int8: Path, fp32: Path, layers: Sequence[str], target: Path) -> int:
    """Write the quantized file with the named layers computed in float.

    Args:
        int8: a file with Q/DQ pairs.
        fp32: the file it was made from, with the weights.
        layers: names of operators of the quantized file, or of an output if an operator has no
            name.
        target: the file to write.

    Returns:
        How many layers the new file computes in float.

    Raises:
        UsageError: a name that no operator has, or several have.
        ModelError: a file is missing or broken, a layer is in another form than Q/DQ, or the fp32
            file lacks its weights.
        NoEffectError: no layer is named.
        StorageError: the target cannot be written.
    """
    if not layers:
        raise NoEffectError("no layer named", expected="at least one to leave in float")
    edit = FloatEdit(inlined(load_whole(int8)), inlined(load_whole(fp32)), fp32)
    chosen = _indices(edit, layers, int8)
    edit.apply(chosen)
    write_atomic(target, edit.model.SerializeToString(deterministic=True))
    return len(chosen)


def _indices(edit: FloatEdit, layers: Sequence[str], where: Path) -> list[int]:
    """The nodes of these names.

    Raises:
        UsageError: no node or several nodes have a name.
        ModelError: a node reads no DQ.
    """
    places: dict[str, list[int]] = {}
    for at, node in enumerate(edit.outline.nodes):
        if node.op not in CONVERSIONS:
            places.setdefault(shown(node), []).append(at)
    indices = []
    for name in dict.fromkeys(layers):
        if len(places.get(name, [])) != 1:
            examples = ", ".join(printable(place) for place in list(places)[:_MOST_NAMED])
            raise UsageError(
                f"{len(places.get(name, []))} operators named {printable(name)}",
                expected=f"one of {len(places)}, such as {examples}",
                where=str(where),
            )
        (at,) = places[name]
        if not edit.reads_dequantized(at):
            raise ModelError(
                f"{printable(name)}, a {edit.outline.nodes[at].op} that reads no DequantizeLinear",
                expected="a layer between Q and DQ",
                where=str(where),
                fix="exclude it when quantizing, by the name it has in the fp32 file",
            )
        indices.append(at)
    return indices
