"""fp16 weights and arithmetic: half the file. On a CPU that is size, not speed.

    >>> convert(Path("fp32.onnx"), Path("fp16.onnx"), samples)     # doctest: +SKIP
    Effect(changed_nodes=21, notes=(...))

onnxruntime has few fp16 kernels for CPUs and casts to fp32 and back around the rest. Softmax, GELU
and layer normalization stay in fp32, as in training with both precisions (Micikevicius et al. 2018,
§3.3); in fp16 onnxruntime takes them apart, and a small text net took 1.17 times as long.

fp16 reaches to 65,504 and has 11 significant bits (IEEE 754 binary16). What does not fit stays in
fp32: the arithmetic at both ends, where numbers have the user's units, and every node that takes or
gives a value beyond the range, as a constant or on the samples. A mask of -1e9 would be minus
infinity in fp16, and a text of padding alone NaN.
"""

from collections.abc import Mapping, Set
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from ....errors import NoEffectError
from .. import parity
from ..method import Effect

LARGEST = float(np.finfo(np.float16).max)
HEADROOM = 0.5
"""Share of the range that the samples may fill, as other inputs will reach farther."""
SMALLEST_NORMAL = float(np.finfo(np.float16).tiny)
BATCH = 8
"""Samples a run, with every value in the model kept."""
_FP32 = (*DEFAULT_OP_BLOCK_LIST, "Softmax", "LogSoftmax", "Gelu", "LayerNormalization")
_ENDS = ("Cast", "Mul", "Add", "Sub", "Div", "Unsqueeze", "Transpose")
"""What brings samples into the model's units, and answers out of them."""


def convert(source: Path, target: Path, samples: Mapping[str, NDArray[Any]]) -> Effect:
    """Write the fp16 variant; its inputs and outputs stay as they are.

    Args:
        source: the fp32 file.
        target: the file to write.
        samples: by input name, samples along the first axis.

    Raises:
        NoEffectError: nothing in the model can be fp16.
        ModelError: a file does not run on the samples, or gives answers that are not finite.
    """
    model = _named(onnx.load(source))
    graph, own = model.graph, {node.name for node in model.graph.node}
    ranges = _ranges(model, target.parent, samples)
    kept = {node.name for node in graph.node if node.op_type in _FP32}
    kept |= _ends(graph) | _beyond(graph, ranges)
    changed = sum(
        node.name not in kept and not ranges.keys().isdisjoint(node.output) for node in graph.node
    )
    if not changed:
        raise _no_effect(f"fp16 changed none of {len(own)} nodes")
    half = convert_float_to_float16(model, keep_io_types=True, node_block_list=sorted(kept))
    _join_casts(half.graph, own)
    OnnxModel.graph_topological_sort(half.graph, is_deterministic=True)
    del half.graph.value_info[:]  # They tell the types of before.
    half = onnx.shape_inference.infer_shapes(half)
    target.write_bytes(half.SerializeToString(deterministic=True))
    difference = parity.largest_difference(source, target, parity.batches(samples, BATCH))
    before, after = source.stat().st_size, target.stat().st_size
    if after >= before:
        raise _no_effect(f"a file of {after} bytes in fp16, {before} before")
    return Effect(
        changed,
        (
            f"size, not speed, on a CPU: the file takes {after} bytes instead of {before}",
            f"{changed} of {len(own)} nodes in fp16",
            f"answers differ from fp32's by {difference:.2g} at most on the samples",
        ),
    )


def _no_effect(found: str) -> NoEffectError:
    return NoEffectError(
        found=found,
        expected="float32 weights within the range of fp16",
        where="compress.variants",
        fix="leave 'fp16' out of compress.variants",
    )


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same with a name of its own for each node, for the converter takes exceptions by name."""
    for index, node in enumerate(model.graph.node):
        node.name = f"{index}:{node.name}"
    return model


# --- what stays in fp32 -------------------------------------------------------------------------


def _ranges(
    model: onnx.ModelProto, folder: Path, samples: Mapping[str, NDArray[Any]]
) -> dict[str, float]:
    """The largest absolute value on the samples of every float32 in the model."""
    typed = onnx.shape_inference.infer_shapes(model).graph
    floats = {
        one.name: one
        for one in (*typed.input, *typed.value_info, *typed.output)
        if one.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    inside = floats.keys() - {one.name for one in (*typed.input, *typed.output)}
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(floats[name] for name in sorted(inside))
    found = dict.fromkeys(floats, 0.0)
    with TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "watched.onnx"
        path.write_bytes(watched.SerializeToString())
        feeds = parity.batches(samples, BATCH)
        for feed, answers in parity.answers(path, feeds, optimization="none"):
            for name, array in (*feed.items(), *answers.items()):
                if name in found and array.size:
                    # NaN, too, stays the largest.
                    found[name] = float(np.maximum(found[name], np.abs(array).max()))
    return found


def _ends(graph: onnx.GraphProto) -> set[str]:
    """The arithmetic in front of the first layer and behind the last, by node name.

    A column of 10,000 and a bit is 10,000 in fp16, whatever the bit says.
    """
    names = set()
    reached = {one.name for one in graph.input}
    for node in graph.node:
        if node.op_type in _ENDS and reached & set(node.input):
            reached |= set(node.output)
            names.add(node.name)
    reached = {one.name for one in graph.output}
    for node in reversed(graph.node):
        if node.op_type in _ENDS and reached & set(node.output):
            reached |= set(node.input)
            names.add(node.name)
    return names


def _beyond(graph: onnx.GraphProto, ranges: Mapping[str, float]) -> set[str]:
    """Nodes that take or give what fp16 cannot hold, by name."""
    # Written so that NaN is beyond too.
    beyond = {name for name, largest in ranges.items() if not largest <= LARGEST * HEADROOM}
    beyond |= {one.name for one in graph.initializer if _unfit(one)}
    beyond |= {
        node.output[0]
        for node in graph.node
        for attribute in node.attribute
        if node.op_type == "Constant" and _unfit(attribute.t)
    }
    return {node.name for node in graph.node if beyond & {*node.input, *node.output}}


def _unfit(tensor: onnx.TensorProto) -> bool:
    """Whether a constant is too large for fp16, or all of it too small."""
    if tensor.data_type != TensorProto.FLOAT:
        return False
    largest = np.abs(numpy_helper.to_array(tensor)).max(initial=0.0)
    # Tiny weights beside others may round; an epsilon that rounds is another epsilon.
    return bool(0 < largest < SMALLEST_NORMAL or not largest <= LARGEST)


def _join_casts(graph: onnx.GraphProto, own: Set[str]) -> None:
    """Leave out the way through fp16 between two nodes in fp32.

    Args:
        graph: as the converter leaves it; changed in place.
        own: names of the nodes that are not the converter's.
    """
    casts = {node.output[0]: node for node in graph.node if node.name not in own}
    given = {one.name for one in graph.output}
    for name, back in list(casts.items()):
        there = casts.get(back.input[0])
        if there is None:
            continue
        graph.node.remove(back)
        del casts[name]
        # What leaves the graph keeps its name.
        old, new = (there.input[0], name) if name in given else (name, there.input[0])
        for node in graph.node:
            for names in (node.input, node.output):
                for place, one in enumerate(names):
                    if one == old:
                        names[place] = new
    used = {name for node in graph.node for name in node.input} | given
    for name, cast in casts.items():
        if name not in used:
            graph.node.remove(cast)
