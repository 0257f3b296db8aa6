"""Operators that act as in training: they draw at random, or read statistics of the batch.

    >>> check(Path("model.onnx"))                                   # doctest: +SKIP
    edgestill.errors.ModelError: Dropout '/head/Dropout' acts as in training: training_mode is true

A model that holds one answers one input in two ways, so no figure of its answers means anything.
The rules are those of the ONNX operator specification: Dropout has ``training_mode`` since opset
12, BatchNormalization since opset 14; before, a BatchNormalization trains where it has more outputs
than one, and up to opset 6 both train unless ``is_test`` is set.

onnx is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import ModelError
from .modelfile import is_ort, load, printable

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

    Stored = Mapping[str, TensorProto]

_RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
_DROPOUTS = frozenset({"Dropout", "BiasDropout", "BitmaskDropout", "BitmaskBiasDropout"})
_TRAINING_DOMAINS = frozenset({"ai.onnx.training", "ai.onnx.preview.training"})
_ONNX = ("", "ai.onnx")
_MICROSOFT = "com.microsoft"
_IS_TEST_UP_TO = 6
"""The last opset in which Dropout and BatchNormalization have ``is_test``."""
_TRAINING_MODE_FROM = 14
"""The first opset in which BatchNormalization has ``training_mode``."""
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class TrainingOperator:
    """One operator that acts as in training.

    Attributes:
        op: its type.
        name: of the node, or of its first output where it has no name; data.
        why: what makes it act so.
    """

    op: str
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.op} {printable(self.name)} acts as in training: {self.why}"


def check(path: Path, where: str | None = None) -> None:
    """Refuse a file with operators that act as in training; an ``.ort`` file shows none.

    Args:
        path: an ``.onnx`` or ``.ort`` file.
        where: what the message names; None: the path.

    Raises:
        ModelError: there is one, or the file cannot be read.
    """
    if not is_ort(path):
        check_model(load(path), where or str(path))


def check_model(model: ModelProto, where: str) -> None:
    """The same of a model in memory, which `where` names in the message.

    Raises:
        ModelError: there is one.
    """
    if found := training_operators(model):
        raise refusal(sentence(found), where)


def refusal(found: str, where: str) -> ModelError:
    """The error for a model with such operators.

    Args:
        found: the operators, from `sentence`.
        where: the file or model.
    """
    return ModelError(
        found,
        expected="operators that answer one input in one way",
        where=where,
        fix="export the model in eval mode, and pass training=self.training to functions such as "
        "dropout",
    )


def sentence(found: Iterable[TrainingOperator]) -> str:
    """The first operators by name and reason, and how many more there are."""
    operators = list(found)
    text = "; ".join(map(str, operators[:_MOST_NAMED]))
    more = len(operators) - _MOST_NAMED
    return f"{text}; and {more} more" if more > 0 else text


def training_operators(model: ModelProto) -> tuple[TrainingOperator, ...]:
    """Those that a model's outputs depend on, in its graph, its subgraphs and its functions.

    A node whose result reaches no output changes no answer and is left out.
    """
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    opset = opsets.get("", opsets.get("ai.onnx", 1))
    return tuple(_in_nodes(_reaching(model.graph), opset, _stored(model.graph, {})))


def _in_nodes(nodes: Iterable[NodeProto], opset: int, stored: Stored) -> Iterator[TrainingOperator]:
    for node in nodes:
        why = _why(node, opset, stored)
        if why is not None:
            yield TrainingOperator(node.op_type, node.name or next(iter(node.output), ""), why)
        for graph in _subgraphs(node):
            yield from _in_nodes(graph.node, opset, _stored(graph, stored))


def _why(node: NodeProto, opset: int, stored: Stored) -> str | None:
    """What makes a node act as in training; None where it does not."""
    op, domain = node.op_type, node.domain
    if domain in _TRAINING_DOMAINS:
        return f"it belongs to the domain {printable(domain)}"
    if domain not in (*_ONNX, _MICROSOFT):
        return None
    if op in _RANDOM:
        return "it draws its values at random"
    if op in _DROPOUTS:
        return _dropout(node, opset if domain in _ONNX else _TRAINING_MODE_FROM, stored)
    if op == "BatchNormalization" and domain in _ONNX:
        return _batch_normalization(node, opset)
    return None


def _dropout(node: NodeProto, opset: int, stored: Stored) -> str | None:
    if opset <= _IS_TEST_UP_TO:
        return None if _integer(node, "is_test") else "is_test is not set"
    # Data, ratio, training mode; with a bias added before: data, bias, residual, ratio, mode.
    ratio_at, mode_at = (3, 4) if "Bias" in node.op_type else (1, 2)
    if _scalar(_input(node, ratio_at), stored) == 0:
        return None
    name = _input(node, mode_at)
    if not name:
        return None
    mode = _scalar(name, stored)
    if mode is None:
        return f"training_mode is {printable(name)}, which is not a constant"
    return "training_mode is true" if mode else None


def _batch_normalization(node: NodeProto, opset: int) -> str | None:
    if opset <= _IS_TEST_UP_TO:
        return None if _integer(node, "is_test") else "is_test is not set"
    if opset >= _TRAINING_MODE_FROM:
        return "training_mode is 1" if _integer(node, "training_mode") else None
    extra = [name for name in node.output[1:] if name]
    return "it has outputs for the statistics of the batch" if extra else None


def _input(node: NodeProto, position: int) -> str:
    return str(node.input[position]) if len(node.input) > position else ""


def _integer(node: NodeProto, name: str) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)


def _scalar(name: str, stored: Stored) -> float | None:
    """The value of a stored tensor of one element; None where it is no such tensor."""
    from onnx import numpy_helper

    tensor = stored.get(name)
    if tensor is None:
        return None
    try:
        values = numpy_helper.to_array(tensor)
    except (TypeError, ValueError, OSError):  # fewer bytes than its shape asks for, or in a file
        return None
    return float(values.reshape(-1)[0]) if values.size == 1 else None


def _stored(graph: GraphProto, outer: Stored) -> dict[str, TensorProto]:
    """What a graph stores by name, with what the graphs around it store.

    An initializer that is an input as well can be given another value, so it is no constant.
    """
    given = {port.name for port in graph.input}
    own = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in given}
    visible = {name: tensor for name, tensor in outer.items() if name not in given}
    return visible | own | _constants(graph.node)


def _constants(nodes: Iterable[NodeProto]) -> dict[str, TensorProto]:
    from onnx import helper

    values: dict[str, TensorProto] = {}
    for node in nodes:
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                if attribute.name == "value":
                    values[node.output[0]] = attribute.t
                elif attribute.name in ("value_int", "value_float"):
                    kind = 7 if attribute.name == "value_int" else 1  # TensorProto.INT64, FLOAT
                    number = helper.get_attribute_value(attribute)
                    values[node.output[0]] = helper.make_tensor("", kind, [], [number])
        elif node.op_type in ("Identity", "Cast") and node.input and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    return values


def _reaching(graph: GraphProto) -> list[NodeProto]:
    """The nodes that an output of the graph depends on, in the graph's order."""
    needed = {port.name for port in graph.output}
    kept = []
    for node in reversed(graph.node):  # The order of a graph is topological.
        if not needed.isdisjoint(node.output):
            kept.append(node)
            needed.update(node.input)
            for subgraph in _subgraphs(node):
                needed.update(name for inner in _all(subgraph) for name in inner.input)
                needed.update(port.name for port in subgraph.output)
    return kept[::-1]


def _subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _all(graph: GraphProto) -> Iterator[NodeProto]:
    """Every node of a graph and of its subgraphs."""
    for node in graph.node:
        yield node
        for subgraph in _subgraphs(node):
            yield from _all(subgraph)
