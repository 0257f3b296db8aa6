"""fp16 weights and arithmetic: half the file size. On a CPU it saves size, not time.

    >>> convert(Path("fp32.onnx"), Path("fp16.onnx"), samples)     # doctest: +SKIP
    Effect(changed_nodes=21, notes=(...))

onnxruntime has few fp16 kernels for CPUs and casts to fp32 and back around the rest. Softmax, GELU
and layer normalization stay in fp32, as in mixed-precision training (Micikevicius et al. 2018,
§3.3); in fp16 onnxruntime splits them, and a small text model had 1.17× the latency of fp32.

fp16 reaches 65,504 and has 11 significant bits (IEEE 754 binary16). Values that do not fit stay in
fp32: the arithmetic at both ends of the model, where numbers have the user's units, and every node
with an input or output beyond the range, as a constant or on the samples. A mask of -1e9 would be
minus infinity in fp16, and a text of only padding would give NaN.
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

from ....errors import ModelError, NoEffectError
from .. import parity
from ..method import Effect
from ..normalize.already import refuse_quantized
from ..normalize.names import MARK, apart, together, unmarked

LARGEST = float(np.finfo(np.float16).max)
HEADROOM = 0.5
"""Share of the range that the samples may use, because other inputs will reach farther."""
SMALLEST_NORMAL = float(np.finfo(np.float16).tiny)
BATCH = 8
"""Samples a run; a run keeps every value in the model."""
_FP32 = (*DEFAULT_OP_BLOCK_LIST, "Softmax", "LogSoftmax", "Gelu", "LayerNormalization")
_ENDS = ("Cast", "Mul", "Add", "Sub", "Div", "Unsqueeze", "Transpose")
"""Operators that convert samples to the model's units, and outputs from them."""


def convert(source: Path, target: Path, samples: Mapping[str, NDArray[Any]]) -> Effect:
    """Write the fp16 variant; its inputs and outputs keep their types.

    Args:
        source: the fp32 file.
        target: the file to write.
        samples: by input name, samples along the first axis.

    Raises:
        NoEffectError: nothing in the model can be fp16.
        ModelError: the model is quantized already, a file does not run on the samples, or its
            outputs are not finite.
    """
    model = onnx.load(source)
    refuse_quantized(model, source)
    model = _named(model)
    graph, own = model.graph, {node.name for node in model.graph.node}
    ranges = _ranges(model, target.parent, samples)
    kept = {node.name for node in graph.node if node.op_type in _FP32}
    kept |= _ends(graph) | _beyond(graph, ranges)
    changed = sum(
        node.name not in kept and not ranges.keys().isdisjoint(node.output) for node in graph.node
    )
    if not changed:
        raise _no_effect(f"fp16 changed none of {len(own)} nodes")
    half = _converted(model, kept, source)
    del half.graph.value_info[:]  # These have the old types.
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
            f"outputs differ from those of fp32 by {difference:.2g} at most on the samples",
        ),
    )


def _converted(model: onnx.ModelProto, kept: Set[str], source: Path) -> onnx.ModelProto:
    """The model in fp16, except for nodes that stay in fp32.

    Raises:
        ModelError: the converter cannot take the graph.
    """
    own = {node.name for node in model.graph.node}
    names = apart(model)
    blocked = sorted(name + MARK for name in kept)
    try:
        half: onnx.ModelProto = convert_float_to_float16(
            model, keep_io_types=True, node_block_list=blocked
        )
        _join_casts(half.graph, {name + MARK for name in own})
        OnnxModel.graph_topological_sort(half.graph, is_deterministic=True)
    except MemoryError:
        raise
    except Exception as error:  # The converter's errors share no narrower class.
        reason = unmarked(f"{type(error).__name__}: {error}").partition("\n")[0][:200]
        raise ModelError(
            f"a graph that cannot be converted to fp16 ({reason})",
            where=str(source),
            fix="leave 'fp16' out, or let no output be an input or a weight",
        ) from error
    together(half, names)
    return half


def _no_effect(found: str) -> NoEffectError:
    return NoEffectError(
        found=found,
        expected="float32 weights within the range of fp16",
        where="compress.variants",
        fix="leave 'fp16' out of compress.variants",
    )


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with unique node names, by which the converter takes exceptions."""
    for index, node in enumerate(model.graph.node):
        node.name = f"{index}:{node.name}"
    return model


def _ranges(
    model: onnx.ModelProto, folder: Path, samples: Mapping[str, NDArray[Any]]
) -> dict[str, float]:
    """The largest absolute value of every float32 tensor on the samples, by name."""
    typed = onnx.shape_inference.infer_shapes(model).graph
    floats = {
        value.name: value
        for value in (*typed.input, *typed.value_info, *typed.output)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    inside = floats.keys() - {value.name for value in (*typed.input, *typed.output)}
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(floats[name] for name in sorted(inside))
    largest_of = dict.fromkeys(floats, 0.0)
    with TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "watched.onnx"
        path.write_bytes(watched.SerializeToString())
        feeds = parity.batches(samples, BATCH)
        for feed, answers in parity.answers(path, feeds, optimization="none"):
            for name, array in (*feed.items(), *answers.items()):
                if name in largest_of and array.size:
                    # numpy.maximum keeps NaN.
                    largest_of[name] = float(np.maximum(largest_of[name], np.abs(array).max()))
    return largest_of


def _ends(graph: onnx.GraphProto) -> set[str]:
    """The arithmetic before the first layer and after the last, by node name.

    Near 10,000 fp16 has steps of 8, so smaller differences between samples would be lost.
    """
    names = set()
    reached = {value.name for value in graph.input}
    for node in graph.node:
        if node.op_type in _ENDS and reached & set(node.input):
            reached |= set(node.output)
            names.add(node.name)
    reached = {value.name for value in graph.output}
    for node in reversed(graph.node):
        if node.op_type in _ENDS and reached & set(node.output):
            reached |= set(node.input)
            names.add(node.name)
    return names


def _beyond(graph: onnx.GraphProto, ranges: Mapping[str, float]) -> set[str]:
    """The names of nodes with an input or output that fp16 cannot represent."""
    # `not <=` rather than `>`, so that NaN counts as beyond.
    beyond = {name for name, largest in ranges.items() if not largest <= LARGEST * HEADROOM}
    beyond |= {tensor.name for tensor in graph.initializer if _unfit(tensor)}
    beyond |= {
        node.output[0]
        for node in graph.node
        for attribute in node.attribute
        if node.op_type == "Constant" and _unfit(attribute.t)
    }
    return {node.name for node in graph.node if beyond & {*node.input, *node.output}}


def _unfit(tensor: onnx.TensorProto) -> bool:
    """Whether a constant is too large for fp16, or entirely too small."""
    if tensor.data_type != TensorProto.FLOAT:
        return False
    largest = np.abs(numpy_helper.to_array(tensor)).max(initial=0.0)
    # Tiny weights beside larger ones may round to zero; an epsilon must not.
    return bool(0 < largest < SMALLEST_NORMAL or not largest <= LARGEST)


def _join_casts(graph: onnx.GraphProto, own: Set[str]) -> None:
    """Remove pairs of casts to fp16 and back between two fp32 nodes.

    Args:
        graph: the converter's output; changed in place.
        own: names of the nodes that the converter did not add.
    """
    nodes = list(graph.node)  # held, so that each keeps its identity
    casts = {node.output[0]: node for node in nodes if node.name not in own}
    output_names = {output.name for output in graph.output}
    gone: set[int] = set()
    renamed: dict[str, str] = {}
    for name, back in list(casts.items()):
        there = casts.get(back.input[0])
        if there is None:
            continue
        source = _name_now(there.input[0], renamed)
        if name in output_names and source in output_names:
            continue  # one tensor cannot have the names of two outputs
        gone.add(id(back))
        del casts[name]
        # An output of the graph keeps its name.
        old, new = (source, name) if name in output_names else (name, source)
        renamed[old] = new
    nodes = [node for node in nodes if id(node) not in gone]
    for node in nodes:
        for names in (node.input, node.output):
            for place, tensor in enumerate(names):
                if tensor in renamed:
                    names[place] = _name_now(tensor, renamed)
    used = {name for node in nodes for name in node.input} | output_names
    unread = {id(cast) for name, cast in casts.items() if name not in used}
    kept = [node for node in nodes if id(node) not in unread]
    copies = [onnx.NodeProto() for _ in kept]
    for copy, node in zip(copies, kept, strict=True):
        copy.CopyFrom(node)
    del graph.node[:]
    graph.node.extend(copies)


def _name_now(name: str, renamed: dict[str, str]) -> str:
    """The name that a tensor has after all renaming; the way there is shortened for the next."""
    last = name
    while last in renamed:
        last = renamed[last]
    while name != last:
        renamed[name], name = last, renamed[name]
    return last
