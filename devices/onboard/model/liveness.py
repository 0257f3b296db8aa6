"""What a graph's own tensors take: its weights, and its activations at the fullest moment.

    >>> needs(Path("model.onnx"), Path("optimized.onnx")).activation_bytes     # doctest: +SKIP
    131072

A tensor lives from the operator that writes it to the last one that reads it (liveness analysis as
of register allocation: Aho, Lam, Sethi & Ullman, "Compilers", 2nd edition, section 9.2.5); the
operators run one after another, in the graph's order. A model's inputs live from the start, its
outputs to the end. No operator is taken to work in place, so the inputs and outputs of one are held
together; an operator that only gives its input another shape holds nothing of its own.

Left out are a kernel's workspace, weights packed into another layout beside those of the file,
channels padded for that layout, alignment, and tensors inside the branches of If and Loop. So a
process takes more than this, and how much more depends on the runtime; the two figures are its
floor, unless the runtime works in place at the fullest moment.

onnx is imported inside the functions: only the child that looks at a model needs it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .graph import Graph
from .modelfile import check_external_data, load, printable
from .shapes import inferred, inlined
from .tally import tensor_bytes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# Kernels of the CPU provider whose output is their first input under another shape.
_VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"})
_NOTHING = frozenset({"Constant"})


@dataclass(frozen=True, slots=True)
class Needs:
    """Memory by a graph alone.

    Attributes:
        weight_bytes: all stored tensors of the optimized graph, None where unknown.
        activation_bytes: inputs, outputs and tensors in between that are alive together at most,
            None where the size of one is unknown.
        at: the operator at which they are, None where unknown.
        missing: why a figure is None.
    """

    weight_bytes: int | None
    activation_bytes: int | None
    at: str | None
    missing: str | None = None


def needs(
    source: Path,
    optimized: Path,
    batch: int = 1,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Needs:
    """Weights and the activation peak of a model as the runtime rewrote it.

    Args:
        source: the ONNX file; the runtime keeps the names of its tensors and drops their shapes, so
            the shapes are inferred here.
        optimized: what the runtime wrote of it.
        batch: extent of a first axis that is dynamic.
        shapes: full shape by input name, for inputs with other dynamic axes.

    Raises:
        ModelError: a file is no ONNX model or breaks the rules of `check_external_data`.
    """
    check_external_data(source)
    return of_models(load(source), load(optimized), batch, shapes)


def of_models(
    source: ModelProto,
    optimized: ModelProto,
    batch: int = 1,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Needs:
    """`needs` of models in memory; `source` may be `optimized`."""
    graphs = []
    for one in (optimized, source):
        fixed, notes = inferred(inlined(one), batch, shapes or {})
        if notes:
            return Needs(None, None, None, notes[0])
        graphs.append(Graph(fixed.graph))
    graph = graphs[0]
    stored = sum(tensor_bytes(math.prod(one.dims), one.data_type) for one in graph.stored.values())
    outputs = [port.name for port in optimized.graph.output]
    sizes: dict[str, int] = {}
    for name in _tensors(graph):
        size = next((found for graph in graphs if (found := _size(graph, name)) is not None), None)
        if size is None:
            return Needs(stored, None, None, f"the size of tensor {printable(name)} is unknown")
        sizes[name] = size
    most, at = fullest(graph.nodes, graph.inputs, outputs, sizes)
    return Needs(stored, most, at)


def fullest(
    nodes: Sequence[NodeProto],
    inputs: Sequence[str],
    outputs: Sequence[str],
    sizes: Mapping[str, int],
) -> tuple[int, str]:
    """Most bytes alive together, and the operator at which.

    Args:
        nodes: in the order they run.
        inputs: the graph's, alive from the start.
        outputs: the graph's, alive to the end.
        sizes: bytes of every tensor that counts; others (weights) do not.
    """
    owner = _owners(nodes)
    last = {owner.get(name, name): len(nodes) for name in outputs}
    for index, node in enumerate(nodes):
        for name in _read(node):
            whose = owner.get(name, name)
            last[whose] = max(last.get(whose, 0), index)
    alive = dict.fromkeys(inputs)
    ending: dict[int, list[str]] = {0: [name for name in alive if name not in last]}
    for name, index in last.items():
        ending.setdefault(index, []).append(name)
    held = sum(sizes[name] for name in alive)
    most, at = held, "the start"
    for index, node in enumerate(nodes):
        written = [name for name in node.output if name in sizes and name not in owner]
        alive |= dict.fromkeys(written)
        held += sum(sizes[name] for name in written)
        if held > most:
            most, at = held, f"{printable(node.op_type)} {printable(node.name)}".strip()
        unread = (name for name in written if last.get(name, -1) < index)
        for name in (*ending.get(index, ()), *unread):
            if name in alive:
                del alive[name]
                held -= sizes[name]
    return most, at


def _owners(nodes: Sequence[NodeProto]) -> dict[str, str]:
    """The tensor whose bytes a view shows, by the view's name."""
    owner: dict[str, str] = {}
    for node in nodes:
        if node.op_type in _VIEWS and not node.domain and node.input and node.output:
            owner[node.output[0]] = owner.get(node.input[0], node.input[0])
    return owner


def _read(node: NodeProto) -> Iterator[str]:
    """What a node reads, its branches' readings of outer tensors among them."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _read(inner)
            yield from (port.name for port in graph.output)


def _tensors(graph: Graph) -> Iterator[str]:
    yield from graph.inputs
    for node in graph.nodes:
        if node.op_type not in _NOTHING:
            # An output that nobody asked for has no name.
            yield from (name for name in node.output if name)


def _size(graph: Graph, name: str) -> int | None:
    shape, elem = graph.shape(name), graph.elem_type(name)
    return None if shape is None or not elem else tensor_bytes(math.prod(shape), elem)
